"""Random documents made of every key of the language: a third is of sound parts, the others are more or less absurd."""

from __future__ import annotations

import itertools
import random

AREAS = ("V1", "V2", "V4", "IT")
NAMES = (*AREAS, "V9", "from", "to", "enters", "area", "channels", "size", "threshold", "q", "strength", "input")
PATHS = (
    *("q", "r", "let.threshold", "threshold", "local", "local.type", "local.hidden.kernel", "time.steps", "strength"),
    *("areas.V1.drive[0].conv.kernel", "edges.feedback[V4>V1].include", "via[0].conv.kernel", "drive[1]", "nowhere.at"),
)
LINK = "link: {params: {max: 3}, body: {kernel: {choice: {a: {int: [1, $max]}, b: 3}}}}"
SOUND = (
    *(
        "q == a",
        "q != b and threshold > 0.5",
        "not (q == a or threshold * 2 < 1)",
        "absent(q)",
        "threshold in [0.5, 1]",
    ),
    *("rank(V2) - rank(V1) == 1", "max(threshold, 0.1) <= 1 or q == b", "present(threshold) and true"),
)
ARCHITECTURES = (
    *("count(feedback) <= 3", "params() < 20e3", "forall(areas, channels <= 8 and exists(areas, size > 1))"),
    *("sum(feedback, rank(from) - rank(to)) < 9", "exists(feedback, from == V2) or flops() >= 1", "memory() > 0"),
)
NUMBERS = ("0", "1", "2", "3", "0.5", "1e-3", "-1", "1e308", "9" * 39, "99999999", "1e400", "-.inf", ".nan")


def document(rng: random.Random) -> str:
    """The text of a document."""
    return _Writer(rng).document()


class _Writer:
    """Writes one document in flow style; `deep` is how deep the value at hand is, `odd` how often one is absurd."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.odd = rng.choice((0.0, 0.01, 0.1))
        self.deep = 0

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def document(self) -> str:
        areas = [*AREAS[: self.rng.randint(2, 4)], *(f"A{i}" for i in range(self.rng.choice((0, 0, 0, 3, 25))))]
        sections = [
            "striate: 1",
            "name: fuzzed",
            "input: {channels: 1, size: 8, classes: 10}",
            f"time: {{steps: {self.whole('30', '{int: [28, 30]}', '{choice: [29, 32]}')}}}",
            f"areas: {{{', '.join(f'{name}: {self.area()}' for name in areas)}}}",
            f"train: {{data: digits, learning_rate: {self.real('0.1')}, batch_size: {self.whole('32')}}}",
            f"templates: {{{LINK}, {self.folds()}}}",
            f"shared: {{local: {self.cell(shared=self.odd > 0)}, other: {self.cell(shared=False)}}}",
        ]
        rest = self.any() if self.odd else "{int: [0, 3]}"
        optional = [
            f"let: {{r: {rest}, q: {{choice: [a, b]}}, threshold: {self.real('{float: [0, 1]}')}}}",
            f"edges: {self.edges(areas)}",
            f"constraints: [{', '.join(self.constraint(i) for i in range(self.rng.choice((1, 1, 2, 3, 40))))}]",
            "readout: {pool: mean}",
        ]
        sections += [each for each in optional if not self.odd or self.chance(0.7)]
        self.rng.shuffle(sections)
        return "\n".join(sections) + "\n"

    def folds(self) -> str:
        """Templates that use templates; they may unfold without end in sight."""
        wide, count = self.rng.choice(((1, 3), (2, 4), (3, 9), (10, 9)) if self.odd else ((1, 3), (2, 4)))
        inside = "[{}]" if self.chance(0.5) else "{{choice: {{{}}}}}"
        bodies = []
        for i in range(count):
            uses = [f"{{use: t{i - 1}}}" if i else "1" for _ in range(wide)]
            labelled = uses if inside.startswith("[") else [f"o{at}: {use}" for at, use in enumerate(uses)]
            bodies.append(f"t{i}: {{body: {inside.format(', '.join(labelled))}}}")
        return ", ".join(bodies)

    def area(self) -> str:
        channels = self.whole("4", "{choice: [2, 4]}", "{int: [2, 8], log: true}")
        drive = [f"conv: {{kernel: {self.whole('3', '{choice: [1, 3]}')}, channels: {channels}}}"]
        drive += [self.hole("{choice: [elu, relu]}") for _ in range(self.rng.choice((0, 1, 2)))]
        cell = f", cell: {self.cell()}" if self.chance(0.6) else ""
        return f"{{drive: [{', '.join(drive)}]{cell}}}"

    def cell(self, *, shared: bool = True) -> str:
        self.deep += 1
        names = ("local", "other", "nothing") if self.odd else ("local", "other")
        link = self.rng.choice(("{use: link}", "{use: link, max: 5}", "{kernel: 3, separable: {bool: 0.5}}"))
        plain = [
            "{type: feedforward}",
            f"{{type: simple, hidden: {link}, input: {{activation: {self.hole('{choice: [elu, relu]}')}}}}}",
            f"{{type: lstm, gates: {link}, norm: {{choice: [none, layer]}}}}",
            f"{{type: reciprocal_gated, keep: {link}, admit: {link}}}",
        ]
        if self.deep < 5 and self.chance(0.3):
            options = f"{{a: {self.cell(shared=shared)}, b: {self.cell(shared=shared)}}}"
            plain.append(f"{{choice: {options}, weights: [1, {self.number() if self.strange() else 2}]}}")
        if shared and self.chance(0.4):
            plain += [f"{{shared: {self.rng.choice(names)}}}"] * 3
        self.deep -= 1
        return self.rng.choice(plain)

    def strange(self) -> bool:
        """Whether what is written next is absurd."""
        return self.chance(self.odd)

    def edges(self, areas: list[str]) -> str:
        kinds = ("feedback", "skip") if self.odd or len(areas) > 3 else ("feedback",)
        lists = [f"{kind}: {self.rule(areas)}" for kind in kinds if self.chance(0.7)]
        return f"{{{', '.join(['forward: chain', *lists])}}}"

    def rule(self, areas: list[str]) -> str:
        some = f"[{', '.join(self.rng.sample(areas, 2))}]"
        ends = [some if self.strange() else "all" for _ in range(2)]
        near = "rank(from) - rank(to) in [1, 2, -2]"
        where = f', where: "{self.condition() if self.strange() else near}"' if self.chance(0.4) else ""
        candidates = f"{{from: {ends[0]}, to: {ends[1]}{where}}}"
        if self.chance(0.15):
            candidates = f"[{', '.join(f'{b}>{a}' for a, b in itertools.pairwise(areas))}]"
        parts = [f"via: [{{resize: {{mode: bilinear}}}}, conv: {{kernel: {self.whole('1')}}}]"]
        if self.chance(0.5):
            parts.append("let: {strength: {float: [0, 1]}}")
            parts.append(f'include: "{self.condition() if self.strange() else "strength > threshold"}"')
        elif self.chance(0.5):
            parts.append(f"include: {self.rng.choice(('{bool: 0.3}', self.hole('{bool: 0.5}')))}")
        both = f", all: {{{self.rng.choice(('enters: input', 'enters: {choice: [input]}'))}}}"
        if self.strange():
            both = ", all: {include: {bool: 0.5}}"
        return f"{{candidates: {candidates}, each: {{{', '.join(parts)}}}{both if self.chance(0.4) else ''}}}"

    def constraint(self, number: int) -> str:
        built = f"{self.rng.choice(('params', 'flops', 'memory'))}() {self.rng.choice(('<', '>='))} {self.number()}"
        text = self.rng.choice((self.condition(), self.condition(walk=True), self.condition(walk=True), built))
        if not self.strange():
            text = self.rng.choice((*SOUND[:2], *ARCHITECTURES))
        return f'{{name: c{number % 20 if self.odd else number}, require: "{text}"}}'

    def condition(self, *, walk: bool = False) -> str:
        """A condition, with quantifiers where `walk`."""
        if not self.strange():
            return self.rng.choice(SOUND)
        self.deep += 1
        pick = self.rng.randrange(12 if self.deep < 6 else 5)
        term = self.term()
        if pick < 3:
            text = f"{term} {self.rng.choice(('==', '!=', '<', '<=', '>', '>='))} {self.term()}"
        elif pick == 3:
            text = f"{self.rng.choice(('present', 'absent'))}({self.rng.choice(PATHS)})"
        elif pick == 4:
            text = f"{term} in [{self.term()}, {self.number()}]"
        elif pick < 7 or not walk:
            sign = self.rng.choice((" and ", " or "))
            text = sign.join(f"({self.condition(walk=walk)})" for _ in range(self.rng.choice((2, 2, 3, 20))))
        elif pick < 9:
            text = f"not ({self.condition(walk=walk)})"
        else:
            over = self.rng.choice(("feedback", "skip", "areas"))
            quantifier = self.rng.choice(("forall", "exists", "count"))
            text = f"{quantifier}({over}, {self.condition(walk=walk)})" + (" >= 1" if quantifier == "count" else "")
        self.deep -= 1
        return text[:1_100]

    def term(self) -> str:
        simple = [self.rng.choice(PATHS), self.rng.choice(NAMES), self.number(), f"rank({self.rng.choice(NAMES)})"]
        powers = " * ".join([self.number()] * self.rng.choice((2, 3, 40)))
        return self.rng.choice((*simple, *simple, powers, f"max({simple[0]}, {simple[2]})", "'a'", "abs(1 / 0)"))

    def number(self) -> str:
        return self.rng.choice(NUMBERS[:6] if self.chance(0.8) else NUMBERS)

    def whole(self, *usual: str) -> str:
        odd = f"{{int: [{self.number()}, {self.number()}]}}"
        return odd if self.strange() else self.rng.choice(usual)

    def real(self, usual: str) -> str:
        kinds = (
            f"{{float: [{self.number()}, {self.number()}], step: {self.number()}}}",
            "{float: [1e-3, 1], log: true}",
        )
        return self.rng.choice((usual, usual, usual, kinds[1], kinds[0] if self.strange() else usual))

    def hole(self, usual: str) -> str:
        """A value, often under `when`, or inside choices, or used."""
        self.deep += 1
        text = usual
        if self.deep < 12 and self.chance(0.2):
            text = f"{{choice: {{a: {self.hole(usual)}, b: {self.hole(usual)}}}}}"
        may_be_none = "relu" in usual or "bool" in usual or self.strange()
        if may_be_none and text.startswith("{") and self.chance(0.4):
            asked = self.condition()
            text = f'{text[:-1]}, when: "{asked}"}}'
        self.deep -= 1
        return self.any() if self.strange() else text

    def any(self) -> str:
        long = f"{{choice: [{', '.join(f'o{i}' for i in range(self.rng.choice((2, 2_000))))}]}}"
        nested = "{choice: {a: 1, b: " * 20 + "3" + "}}" * 20
        uses = ("{use: link}", "{shared: other}", "{use: t2}", "{use: t8}", "{use: nothing, when: x}")
        return self.rng.choice(("1", "{int: [0, 3]}", "{bool: 0.5}", "[]", "{}", "~", long, nested, *uses, "$max"))
