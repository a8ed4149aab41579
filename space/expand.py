"""From the tree as written to the tree of decisions: templates, shared decisions, holes and edge candidates.

After this pass nothing of `templates`, `shared`, `use` or `candidates` is left: a template's body stands at each use,
with a decision of its own there; a shared body stands at each reference as the same nodes, so that it is decided once;
a rule for feedback edges is a list with one optional edge for each pair of areas.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

from space.errors import Mark, Problems, did_you_mean
from space.tree import (
    ABSENT,
    Choice,
    Domain,
    Hole,
    Integers,
    Mapping,
    Node,
    Reals,
    Scalar,
    ScalarValue,
    Sequence,
    Value,
    join,
)

MAX_NODES = 200_000
HOLES = {"choice": ("weights",), "int": (), "float": ("log",), "bool": ()}
EDGE_RULE = "edges.feedback"
_NOTHING = Scalar(None, Mark("", 0, 0))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the document the walk is: path, branch-labelled key, template arguments, templates being used."""

    path: str = ""
    key: str = ""
    arguments: dict[str, Node] = field(default_factory=dict)
    using: tuple[str, ...] = ()

    def at(self, key: str) -> _Place:
        return replace(self, path=join(self.path, key), key=join(self.key, key))

    def item(self, name: object) -> _Place:
        return replace(self, path=f"{self.path}[{name}]", key=f"{self.key}[{name}]")

    def branch(self, label: Value) -> _Place:
        return replace(self, key=f"{self.key}{{{label}}}")


class _TooLarge(Exception):
    """Templates unfold into more nodes than a space may have."""


def expand(root: Mapping, problems: Problems) -> Mapping:
    """Unfold a document; what is wrong goes into `problems`."""
    return _Expansion(root, problems).unfold()


class _Expansion:
    """One unfolding of one document."""

    def __init__(self, root: Mapping, problems: Problems) -> None:
        self.root = root
        self.problems = problems
        self.templates = self._section("templates")
        self.shared = self._section("shared")
        self.shared_trees: dict[str, Node] = {}
        self.sharing: list[str] = []
        areas = root.entries.get("areas")
        self.areas = list(areas.entries) if isinstance(areas, Mapping) else []
        self.nodes = 0

    def unfold(self) -> Mapping:
        for name in self.shared:
            if name in self.root.entries:
                mark = self._section_mark("shared", name)
                self.problems.add(
                    mark, f"shared.{name}", f"a shared name is not that of a section, {name!r}; rename it"
                )
        kept = {key: node for key, node in self.root.entries.items() if key not in ("templates", "shared")}
        try:
            entries = {key: self.walk(node, _Place(key, key)) for key, node in kept.items()}
        except _TooLarge:
            rule = f"a space unfolds into at most {MAX_NODES:,} nodes; nest templates less deeply"
            self.problems.add(self.root.mark, "templates", rule)
            return Mapping({}, {}, self.root.mark)
        return Mapping(entries, self.root.key_marks, self.root.mark)

    def _section(self, name: str) -> dict[str, Node]:
        node = self.root.entries.get(name)
        if node is None:
            return {}
        if not isinstance(node, Mapping):
            self.problems.add(node.mark, name, f"`{name}` maps names to values; write `{name}: {{a_name: …}}`")
            return {}
        return node.entries

    def _section_mark(self, section: str, name: str) -> Mark:
        node = self.root.entries[section]
        return node.key_marks[name] if isinstance(node, Mapping) else node.mark

    def walk(self, node: Node, place: _Place) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _TooLarge
        match node:
            case Scalar(value=str(word)) if word.startswith("$") and place.using:
                return self._argument(node, word[1:], place)
            case Sequence(items, mark):
                return Sequence(tuple(self.walk(item, place.item(i)) for i, item in enumerate(items)), mark)
            case Mapping(entries) if "use" in entries:
                return self._use(node, place)
            case Mapping(entries) if "shared" in entries:
                return self._shared(node, place)
            case Mapping(entries) if place.path == EDGE_RULE and "candidates" in entries:
                return self._edge_candidates(node, place)
            case Mapping(entries) if any(tag in entries for tag in HOLES):
                return self._hole(node, place)
            case Mapping(entries, key_marks, mark):
                return Mapping({key: self.walk(each, place.at(key)) for key, each in entries.items()}, key_marks, mark)
            case _:
                return node

    # Templates and shared decisions

    def _argument(self, node: Scalar, name: str, place: _Place) -> Node:
        if name not in place.arguments:
            way_out = did_you_mean(name, place.arguments)
            self.problems.add(node.mark, place.path, f"`${name}` is no parameter of the template; {way_out}")
            return node
        return self.walk(place.arguments[name], replace(place, arguments={}))

    def _use(self, node: Mapping, place: _Place) -> Node:
        name_node = node.entries["use"]
        name = name_node.value if isinstance(name_node, Scalar) else None
        template = self.templates.get(str(name))
        if template is None:
            rule = f"`use` names a template, but got {_shown(name_node)}; {did_you_mean(str(name), self.templates)}"
            self.problems.add(name_node.mark, place.path, rule)
            return node
        if str(name) in place.using:
            chain = " > ".join((*place.using, str(name)))
            self.problems.add(
                node.mark, place.path, f"a template does not use itself, but {chain} does; break the circle"
            )
            return node
        if not isinstance(template, Mapping) or "body" not in template.entries:
            rule = f"a template has a body; write `{name}: {{params: {{…}}, body: …}}`"
            self.problems.add(template.mark, f"templates.{name}", rule)
            return node
        for key in template.entries.keys() - {"params", "body"}:
            rule = f"a template has `params` and `body`, not {key!r}; take it away"
            self.problems.add(template.key_marks[key], f"templates.{name}", rule)
        parameters = template.entries.get("params")
        arguments = dict(parameters.entries) if isinstance(parameters, Mapping) else {}
        for key, value in node.entries.items():
            if key == "use":
                continue
            if key not in arguments:
                rule = f"template {name!r} has no parameter {key!r}; {did_you_mean(key, arguments)}"
                self.problems.add(node.key_marks[key], place.path, rule)
                continue
            is_parameter = isinstance(value, Scalar) and str(value.value).startswith("$") and bool(place.using)
            arguments[key] = self.walk(value, place) if is_parameter else value
        return self.walk(template.entries["body"], replace(place, arguments=arguments, using=(*place.using, str(name))))

    def _shared(self, node: Mapping, place: _Place) -> Node:
        name_node = node.entries["shared"]
        name = str(name_node.value) if isinstance(name_node, Scalar) else _shown(name_node)
        for key in node.entries.keys() - {"shared"}:
            self.problems.add(
                node.key_marks[key], place.path, f"`shared` stands alone, not beside {key!r}; take it away"
            )
        if name not in self.shared:
            rule = f"`shared` names a shared value, but got {name!r}; {did_you_mean(name, self.shared)}"
            self.problems.add(name_node.mark, place.path, rule)
            return node
        if name in self.sharing:
            chain = " > ".join((*self.sharing, name))
            self.problems.add(
                node.mark, place.path, f"a shared value does not hold itself, but {chain} does; break the circle"
            )
            return node
        if name not in self.shared_trees:
            self.sharing.append(name)
            self.shared_trees[name] = self.walk(self.shared[name], _Place(name, name))
            self.sharing.pop()
        return self.shared_trees[name]

    # Holes

    def _hole(self, node: Mapping, place: _Place) -> Node:
        tag = next(tag for tag in HOLES if tag in node.entries)
        for key in node.entries:
            if key != tag and key not in HOLES[tag]:
                known = ", ".join(HOLES[tag]) or "nothing"
                rule = f"a hole `{tag}` may have {known} beside it, not {key!r}; take it away"
                self.problems.add(node.key_marks[key], place.path, rule)
        body = node.entries[tag]
        domain: Domain | None
        match tag:
            case "choice":
                domain = self._choice(node, body, place)
            case "bool":
                domain = self._bool(body, place)
            case "int":
                domain = self._integers(body, place)
            case _:
                domain = self._reals(node, body, place)
        return Hole(place.path, place.key, domain, node.mark) if domain else _NOTHING

    def _choice(self, node: Mapping, body: Node, place: _Place) -> Choice | None:
        labels: list[Value] = []
        branches: list[Node] = []
        match body:
            case Mapping(entries):
                for label, branch in entries.items():
                    labels.append(label)
                    branches.append(self.walk(branch, place.branch(label)))
            case Sequence(items):
                for item in (self.walk(item, place) for item in items):
                    if not isinstance(item, Scalar) or item.value is None:
                        rule = "an option in a list is a word or a number; give this one a label: `choice: {label: …}`"
                        self.problems.add(item.mark, place.path, rule)
                        continue
                    labels.append(item.value)
                    branches.append(item)
            case _:
                rule = f"`choice` lists options, but got {_shown(body)}; write `choice: [a, b]` or `choice: {{a: …, b: …}}`"
                self.problems.add(body.mark, place.path, rule)
                return None
        if not labels:
            self.problems.add(body.mark, place.path, "`choice` has at least one option, but its list is empty; add one")
            return None
        if len(set(labels)) < len(labels):
            self.problems.add(
                body.mark, place.path, "the options of a `choice` differ, but one stands twice; use `weights`"
            )
            return None
        weights = self._weights(node, len(labels), place)
        return Choice(tuple(labels), tuple(branches), weights)

    def _weights(self, node: Mapping, options: int, place: _Place) -> tuple[float, ...]:
        given = node.entries.get("weights")
        if given is None:
            return (1.0,) * options
        numbers = _numbers(given)
        if numbers is None or len(numbers) != options or min(numbers) <= 0:
            rule = f"`weights` lists one positive number for each of the {options} options, but got {_shown(given)}"
            self.problems.add(given.mark, place.path, f"{rule}; take away options of weight 0")
            return (1.0,) * options
        return numbers

    def _bool(self, body: Node, place: _Place) -> Choice | None:
        body = self.walk(body, place)
        value = body.value if isinstance(body, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
            rule = f"`bool` is given the probability of true, between 0 and 1, but got {_shown(body)}"
            self.problems.add(body.mark, place.path, f"{rule}; write true or false for what is certain")
            return None
        return Choice((True, False), (Scalar(True, body.mark), Scalar(False, body.mark)), (value, 1 - value))

    def _bounds(self, tag: str, body: Node, place: _Place) -> tuple[ScalarValue, ScalarValue] | None:
        body = self.walk(body, place)
        match body:
            case Sequence(items=(Scalar(low), Scalar(high))):
                numeric = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (low, high))
                if numeric and low < high:  # type: ignore[operator]
                    return low, high
        rule = f"`{tag}` is given its bounds, the lower one first, but got {_shown(body)}; write `{tag}: [low, high]`"
        self.problems.add(body.mark, place.path, rule)
        return None

    def _integers(self, body: Node, place: _Place) -> Integers | None:
        bounds = self._bounds("int", body, place)
        if bounds is None:
            return None
        low, high = bounds
        if not isinstance(low, int) or not isinstance(high, int):
            rule = f"the bounds of `int` are whole numbers, but got {low} and {high}; use `float` for real ones"
            self.problems.add(body.mark, place.path, rule)
            return None
        return Integers(low, high)

    def _reals(self, node: Mapping, body: Node, place: _Place) -> Reals | None:
        bounds = self._bounds("float", body, place)
        if bounds is None:
            return None
        low, high = float(bounds[0]), float(bounds[1])  # type: ignore[arg-type]
        log_node = node.entries.get("log")
        log = isinstance(log_node, Scalar) and log_node.value is True
        if log_node is not None and not (isinstance(log_node, Scalar) and isinstance(log_node.value, bool)):
            self.problems.add(
                log_node.mark, place.path, f"`log` is true or false, but got {_shown(log_node)}; choose one"
            )
        if log and low <= 0 or high == float("inf") or low == float("-inf"):
            rule = f"the bounds of a `float` are finite, and positive with `log`, but got {low} and {high}; move them"
            self.problems.add(body.mark, place.path, rule)
            return None
        return Reals(low, high, log)

    # Feedback edges by rule

    def _edge_candidates(self, node: Mapping, place: _Place) -> Node:
        known = ("candidates", "each", "all")
        for key in node.entries:
            if key not in known:
                rule = f"a rule for edges has no key {key!r}; {did_you_mean(key, known)}"
                self.problems.add(node.key_marks[key], join(place.path, key), rule)
        sources, targets = self._ends(node.entries["candidates"], place.at("candidates"))
        every = self._part(node, "all", place)
        edges: list[Node] = []
        for source, target in itertools.product(_once(sources), _once(targets)):
            if self.areas.index(str(source.value)) <= self.areas.index(str(target.value)):
                continue
            here = place.item(f"{source.value}>{target.value}")
            each = self._part(node, "each", here)
            include = each.entries.pop("include", None)
            entries: dict[str, Node] = {"from": source, "to": target, **every.entries, **each.entries}
            marks = {"from": source.mark, "to": target.mark, **every.key_marks, **each.key_marks}
            edge = Mapping(entries, marks, node.mark)
            edges.append(self._optional(edge, include, here))
        if sources and targets and not edges:
            rule = "feedback runs from a higher area to a lower one, but no such pair is among the candidates"
            self.problems.add(node.mark, place.path, f"{rule}; name higher areas in `from` or lower ones in `to`")
        return Sequence(tuple(edges), node.mark)

    def _optional(self, edge: Mapping, include: Node | None, place: _Place) -> Node:
        match include:
            case None:
                return edge
            case Hole(domain=Choice(labels=(True, False), weights=weights), mark=mark):
                absent = Scalar(ABSENT, mark)
                return Hole(
                    join(place.path, "include"),
                    join(place.key, "include"),
                    Choice((True, False), (edge, absent), weights),
                    mark,
                )
        rule = f"`include` is a bool hole, but got {_shown(include)}; write `include: {{bool: 0.5}}`, or leave it out"
        self.problems.add(include.mark, join(place.path, "include"), rule)
        return edge

    def _part(self, node: Mapping, key: str, place: _Place) -> Mapping:
        part = node.entries.get(key)
        if part is None:
            return Mapping({}, {}, node.mark)
        unfolded = self.walk(part, place)
        if isinstance(unfolded, Mapping):
            return Mapping(dict(unfolded.entries), unfolded.key_marks, unfolded.mark)
        self.problems.add(
            part.mark, join(place.path, key), f"`{key}` maps an edge's keys to values, but got {_shown(part)}"
        )
        return Mapping({}, {}, node.mark)

    def _ends(self, node: Node, place: _Place) -> tuple[list[Scalar], list[Scalar]]:
        ends: dict[str, list[Scalar]] = {"from": [], "to": []}
        if not isinstance(node, Mapping):
            self.problems.add(
                node.mark, place.path, "`candidates` has `from` and `to`, each a list of areas; write both"
            )
            return [], []
        for key in node.entries.keys() - ends.keys():
            rule = f"`candidates` has `from` and `to`, not {key!r}; {did_you_mean(key, ends)}"
            self.problems.add(node.key_marks[key], join(place.path, key), rule)
        for key, found in ends.items():
            names = node.entries.get(key)
            if not isinstance(names, Sequence):
                rule = f"`{key}` lists areas, but got {_shown(names) if names else 'nothing'}; write `{key}: [area, …]`"
                self.problems.add(names.mark if names else node.mark, join(place.path, key), rule)
                continue
            for name in names.items:
                if isinstance(name, Scalar) and name.value in self.areas:
                    found.append(name)
                else:
                    shown = _shown(name)
                    rule = f"an edge joins two areas, but there is no area {shown}; {did_you_mean(shown.strip(chr(39)), self.areas)}"
                    self.problems.add(name.mark, join(place.path, key), rule)
        return ends["from"], ends["to"]


def _once(names: list[Scalar]) -> list[Scalar]:
    return list({name.value: name for name in names}.values())


def _numbers(node: Node) -> tuple[float, ...] | None:
    if not isinstance(node, Sequence):
        return None
    values = [item.value if isinstance(item, Scalar) else None for item in node.items]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return None
    return tuple(float(value) for value in values)  # type: ignore[arg-type]


def _shown(node: Node) -> str:
    match node:
        case Scalar(value):
            return repr(value)
        case Sequence(items):
            return f"[{', '.join(map(_shown, items))}]" if len(items) <= 4 else f"a list of {len(items)}"
        case Mapping():
            return "a mapping"
        case Hole():
            return "a hole"
