"""What ties the decisions of a tree to each other: paths that several may meet, or that conditions ask about."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from space.options import options
from space.tree import Choice, Condition, Domain, Hole, Mapping, Node, Sequence, When, holes

MAX_ASKED = 4_096
"""A condition is worked out where what it asks about can be decided in at most this many ways."""

Link: TypeAlias = str | int
"""The path of a decision, or the number of a condition that is not worked out."""


class Touched(NamedTuple):
    """The links that a part of a tree may meet, and the paths that conditions in it ask about."""

    meets: frozenset[Link]
    asks: frozenset[Link]


class Links:
    """The links of one tree, which must outlive it: its nodes are known by their identity."""

    def __init__(self, tree: Node) -> None:
        self._numbers: dict[str, float] = {}
        for hole in holes(tree):
            number = options(hole.domain) or math.inf
            self._numbers[hole.path] = max(number, self._numbers.get(hole.path, 0))
        self._touched: dict[int, Touched] = {}
        self._guesses: dict[int, int | None] = {}
        self._guessed: list[Condition] = []

    def guess(self, condition: Condition) -> int | None:
        """The number of a condition that is not worked out, the same for equal ones; None of one that is.

        It is not where it asks about real numbers, or where what it asks about can be decided in too many ways.
        """
        if id(condition) not in self._guesses:
            number = None
            if math.prod(self._numbers.get(path, 1) for path in condition.decisions) > MAX_ASKED:
                # Conditions that read the same may ask about different decisions, as those of each edge of a rule do.
                alike = [each == condition and each.decisions == condition.decisions for each in self._guessed]
                number = alike.index(True) if any(alike) else len(alike)
                if number == len(alike):
                    self._guessed.append(condition)
            self._guesses[id(condition)] = number
        return self._guesses[id(condition)]

    def touched(self, node: Node) -> Touched:
        """What a node touches."""
        if id(node) in self._touched:
            return self._touched[id(node)]
        meets: set[Link] = set()
        asks: set[Link] = set()
        match node:
            case Hole(path=path, domain=domain) if options(domain) is not None:
                meets.add(path)
            case When(condition=condition):
                guess = self.guess(condition)
                if guess is None:
                    asks |= condition.decisions
                else:
                    meets.add(guess)
        for child in children(node):
            below = self.touched(child)
            meets |= below.meets
            asks |= below.asks
        self._touched[id(node)] = Touched(frozenset(meets), frozenset(asks))
        return self._touched[id(node)]

    def domains(self, path: str, nodes: Iterable[Node]) -> Iterator[Domain]:
        """The domains of a path wherever the nodes may meet it."""
        for node in nodes:
            if path in self.touched(node).meets:
                if isinstance(node, Hole) and node.path == path:
                    yield node.domain
                yield from self.domains(path, children(node))


def children(node: Node) -> Iterable[Node]:
    """The nodes right below a node, in file order."""
    match node:
        case Hole(domain=Choice(branches=branches)):
            return branches
        case Sequence(items):
            return items
        case Mapping(entries):
            return entries.values()
        case When(body=body):
            return (body,)
        case _:
            return ()
