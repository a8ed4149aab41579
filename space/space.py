"""A space of architectures: a document with holes, and what can be done with it.

A file without holes is a space with one member, so one reader serves both. A candidate is plain data: path → value of
the holes that its decisions reach, in file order.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from space.constraints import Constraint, world_of
from space.convert import build
from space.errors import Problem, Problems, SpecificationError, did_you_mean
from space.forms import Record
from space.graph import lower
from space.model import Architecture
from space.names import LET
from space.nodes import Graph
from space.tree import Choice, Hole, Mapping, Node, Scalar, Sequence, Value, When, holes, resolve, shown

Candidate: TypeAlias = dict[str, Value]
MAX_TRIES = 10_000
_Z = 1.959963984540054  # the 97.5th percentile of the normal distribution


class FeasibleShare(NamedTuple):
    """The share of draws from the prior that meet all constraints, its 95 % interval (Wilson), and who rejects.

    `rejected` is the share of draws that break each constraint, by its name; a draw may break several. What is known
    of a whole architecture alone is asked only of draws that meet all else.
    """

    share: float
    low: float
    high: float
    rejected: dict[str, float]


@dataclass(frozen=True, slots=True)
class Space:
    """A checked space.

    Arguments:
        text: the document as it was written.
        file: where it was read, for errors.
        tree: its unfolded tree, every rule of which holds at every value of its holes.
        constraints: what every candidate meets besides.

    """

    text: str
    file: str
    tree: Mapping
    constraints: tuple[Constraint, ...] = ()
    holes: tuple[Hole, ...] = field(init=False)

    def __post_init__(self) -> None:
        found = {hole.key: hole for hole in holes(self.tree)}
        object.__setattr__(self, "holes", tuple(found.values()))

    @property
    def name(self) -> str:
        """The document's own name, or `space` where that is a hole."""
        name = self.tree.entries["name"]
        return str(name.value) if isinstance(name, Scalar) else "space"

    @property
    def edges(self) -> list[str]:
        """Names of all feedback edges that an architecture of this space may have, in file order."""
        return list(dict.fromkeys(_edges(self.tree.entries.get("edges"))))

    def sample(self, rng: random.Random, tries: int = MAX_TRIES) -> Candidate:
        """Draw a candidate from the prior, given its constraints; the same state of `rng` gives the same candidate.

        Raises:
            SpecificationError: so many draws in a row broke a constraint; it names the one that most of them broke.

        """
        broken: Counter[str] = Counter()
        for _ in range(tries):
            candidate = self.draw(rng)
            name = self.reject(candidate)
            if name is None:
                return candidate
            broken[name] += 1
        raise self.none_feasible(broken)

    def none_feasible(self, broken: Counter[str]) -> SpecificationError:
        """What to tell when every draw broke a constraint, from how often each was the first to be broken."""
        tries = broken.total()
        name, times = broken.most_common(1)[0]
        culprit = next(each for each in self.constraints if each.name == name)
        rule = f"a space has candidates that meet its constraints, but none of {tries:,} draws does"
        rule = f"{rule}, and {times:,} of them break {name!r} first; loosen it"
        return SpecificationError([Problem(culprit.condition.mark, "constraints", rule)])

    def draw(self, rng: random.Random) -> Candidate:
        """Draw a candidate from the prior, whatever its constraints."""
        return self.drawn(rng)[0]

    def drawn(self, rng: random.Random) -> tuple[Candidate, Mapping]:
        """Draw a candidate from the prior, whatever its constraints, and the tree that it closes."""
        candidate: Candidate = {}
        tree = resolve(self.tree, lambda hole: hole.domain.draw(rng), candidate)
        assert isinstance(tree, Mapping)
        return candidate, without_let(tree)

    def reject(self, candidate: Candidate) -> str | None:
        """The name of the first constraint that a candidate of this space breaks, those known earliest first.

        One whose parts do not fit together breaks none of those that are asked of a whole architecture.
        """
        return next(self.broken(candidate), None)

    def feasible_share(self, rng: random.Random, draws: int) -> FeasibleShare:
        """Estimate from so many draws what share of the prior meets the constraints, as `broken` has it."""
        broken: Counter[str] = Counter({each.name: 0 for each in self.constraints})
        met = 0
        for _ in range(draws):
            names = list(self.broken(self.draw(rng)))
            broken.update(names)
            met += not names
        share, spread = met / draws, _Z * _Z / draws
        centre = (share + spread / 2) / (1 + spread)
        half = _Z * math.sqrt(share * (1 - share) / draws + spread / (4 * draws)) / (1 + spread)
        low = 0.0 if met == 0 else max(0.0, centre - half)
        high = 1.0 if met == draws else min(1.0, centre + half)
        return FeasibleShare(share, low, high, {name: times / draws for name, times in broken.items()})

    def broken(self, candidate: Candidate, tree: Mapping | None = None) -> Iterator[str]:
        """The names of the constraints that a candidate breaks.

        It is lowered where a constraint asks for that. If its parts do not fit together, it breaks none of these: what
        is wrong with it is told by `fill`, and where one of many candidates is wrong, the others are not to suffer.
        When the `tree` that it closes is given, it is lowered always, if it breaks none that is known earlier.

        Raises:
            SpecificationError: the tree was given, and what it describes does not fit together.

        """
        early = [
            each.name for each in self.constraints if each.stage != "built" and not each.condition.holds(candidate)
        ]
        if early:  # what it describes need not even fit together
            yield from early
            return
        built = [each for each in self.constraints if each.stage == "built"]
        if not built and tree is None:
            return
        closed = self.close(candidate) if tree is None else tree
        try:
            architecture, graph = _lowered(closed)
        except SpecificationError:
            if tree is not None:
                raise
            return
        world = world_of(candidate, graph, architecture.train.batch_size)
        yield from (each.name for each in built if not each.condition.holds_in(world))

    def log_prior(self, candidate: Candidate) -> float:
        """Log of the prior probability of a candidate's decisions (of its density where they are real numbers).

        Under constraints the feasible candidates' probabilities add up to the feasible share.
        """
        logs: dict[str, float] = {}

        def look_up(hole: Hole) -> Value:
            value = candidate[hole.path]
            logs[hole.path] = hole.domain.log_prior(value)
            return value

        resolve(self.tree, look_up, {})
        return sum(logs.values())

    def close(self, candidate: Candidate) -> Mapping:
        """The tree with its holes filled in, and without what `let` decided.

        Raises:
            SpecificationError: a decision is missing, is not in its hole's domain, or is of no active hole.

        """
        problems = Problems()

        def look_up(hole: Hole) -> Value:
            value = candidate.get(hole.path)
            if value is not None and hole.domain.holds(value):
                return value
            rule = f"a candidate decides this hole by {hole.domain}, but {shown(value)} was given"
            problems.add(hole.mark, hole.path, f"{rule}; take it from this space")
            return hole.domain.draw(random.Random(0))

        decided: Candidate = {}
        tree = resolve(self.tree, look_up, decided)
        problems.raise_if_any()  # what another decision would have reached says nothing
        for path in candidate.keys() - decided.keys():
            rule = (
                f"a candidate decides the holes that it reaches, but none has this path; {did_you_mean(path, decided)}"
            )
            problems.add(self.tree.mark, path, rule)
        problems.raise_if_any()
        assert isinstance(tree, Mapping)
        return without_let(tree)

    def fill(self, candidate: Candidate) -> tuple[Architecture, Graph]:
        """The architecture that a candidate describes, and its lowering.

        Raises:
            SpecificationError: the candidate is not of this space, or what it describes does not fit together.

        """
        return _lowered(self.close(candidate))


def _lowered(tree: Mapping) -> tuple[Architecture, Graph]:
    architecture: Architecture = build(Record(Architecture), tree)
    return architecture, lower(architecture, tree)


def without_let(tree: Mapping) -> Mapping:
    """A tree without the decisions that stand in no field of an architecture."""
    if LET not in tree.entries:
        return tree
    entries = {key: node for key, node in tree.entries.items() if key != LET}
    return Mapping(entries, tree.key_marks, tree.mark)


def _edges(node: Node | None) -> Iterator[str]:
    match node:
        case Mapping(entries={"from": Scalar(source), "to": Scalar(target)}):
            yield f"{source}>{target}"
        case Mapping(entries):
            for each in entries.values():
                yield from _edges(each)
        case Sequence(items):
            for item in items:
                yield from _edges(item)
        case Hole(domain=Choice(branches=branches)):
            for branch in branches:
                yield from _edges(branch)
        case When(body=body):
            yield from _edges(body)
