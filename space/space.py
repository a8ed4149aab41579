"""A space of architectures: a document with holes, and what can be done with it.

A file without holes is a space with one member, so one reader serves both. A candidate is plain data: path → value of
the holes that its decisions reach, in file order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from space.convert import build
from space.errors import Problems, did_you_mean
from space.forms import Record
from space.graph import Graph, lower
from space.model import Architecture
from space.tree import Choice, Hole, Mapping, Node, Scalar, Sequence, Value, holes, resolve, shown

Candidate: TypeAlias = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Space:
    """A checked space.

    Arguments:
        text: the document as it was written.
        file: where it was read, for errors.
        tree: its unfolded tree, every rule of which holds at every value of its holes.

    """

    text: str
    file: str
    tree: Mapping
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

    def sample(self, rng: random.Random) -> Candidate:
        """Draw a candidate from the prior; the same state of `rng` gives the same candidate."""
        candidate: Candidate = {}
        resolve(self.tree, lambda hole: hole.domain.draw(rng), candidate)
        return candidate

    def log_prior(self, candidate: Candidate) -> float:
        """Log of the prior probability of a candidate's decisions (of its density where they are real numbers)."""
        logs: dict[str, float] = {}

        def look_up(hole: Hole) -> Value:
            value = candidate[hole.path]
            logs[hole.path] = hole.domain.log_prior(value)
            return value

        resolve(self.tree, look_up, {})
        return sum(logs.values())

    def close(self, candidate: Candidate) -> Mapping:
        """The tree with its holes filled in.

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
        return tree

    def fill(self, candidate: Candidate) -> tuple[Architecture, Graph]:
        """The architecture that a candidate describes, and its lowering.

        Raises:
            SpecificationError: the candidate is not of this space, or what it describes does not fit together.

        """
        tree = self.close(candidate)
        architecture: Architecture = build(Record(Architecture), tree)
        return architecture, lower(architecture, tree)


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
