"""Counting and enumerating: against going through every way to decide, on generated trees."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping as MappingType
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.count import count
from space.enumeration import enumerate_candidates
from space.errors import Mark, SpecificationError
from space.parse import LIBRARY, find, parse_space
from space.space import Candidate, Space
from space.tree import Choice, Hole, Integers, Mapping, Node, Reals, Scalar, Sequence, Value, When, resolve

MARK = Mark("generated", 1, 1)
MOST = 1_500


@dataclass(frozen=True)
class Among:
    """A condition: how many of some decisions are met with one of some values is odd."""

    decisions: frozenset[str]
    values: frozenset[Value]

    def holds(self, decided: MappingType[str, Value]) -> bool:
        return sum(decided.get(path) in self.values for path in self.decisions) % 2 == 1


class Grown:
    """A random tree: nested choices, shared decisions, and conditions on decisions that stand wholly before them."""

    def __init__(self, rng: random.Random, *, conditions: bool, reals: bool = False) -> None:
        self.rng = rng
        self.reals = reals
        self.paths = 0
        self.conditions = conditions
        self.met: list[str] = []  # in sections before this one
        self.meeting: list[str] = []
        self.pool: list[Hole] = []  # shared within a section
        sections = []
        for _ in range(rng.randint(1, 4)):
            self.pool = []
            for _ in range(rng.randint(0, 2)):
                self.pool.append(self.hole(2))
            sections.append(Sequence(tuple(self.node(0) for _ in range(rng.randint(1, 3))), MARK))
            self.met += self.meeting
            self.meeting = []
        self.tree = Mapping({"root": Sequence(tuple(sections), MARK)}, {"root": MARK}, MARK)

    def node(self, depth: int) -> Node:
        kind = self.rng.random()
        if kind < 0.15 or depth > 3:
            return Scalar("leaf", MARK)
        if kind < 0.3:
            return Sequence(tuple(self.node(depth + 1) for _ in range(self.rng.randint(1, 2))), MARK)
        if kind < 0.55 and self.pool:
            return self.rng.choice(self.pool)
        if kind < 0.75 and self.conditions and self.met:
            asked = frozenset(self.rng.sample(self.met, self.rng.randint(1, min(2, len(self.met)))))
            return When(Among(asked, frozenset(self.rng.sample([1, 2, "a", "b"], 2))), self.node(depth + 1), MARK)
        return self.hole(depth)

    def hole(self, depth: int) -> Hole:
        path = f"p{self.paths}"
        self.paths += 1
        self.meeting.append(path)
        kind = self.rng.random()
        if self.reals and kind < 0.2:
            domain: Choice | Integers | Reals = Reals(0.0, 1.0, False)
        elif kind < 0.5:
            domain = Integers(1, self.rng.randint(1, 3))
        else:
            labels = ("a", "b", "c")[: self.rng.randint(1, 3)]
            branches = tuple(self.node(depth + 1) for _ in labels)
            domain = Choice(labels, branches, (1.0,) * len(labels))
        return Hole(path, path, path, domain, MARK)


def ways(tree: Node) -> set[str] | None:
    """Every way to decide, by following each value of each decision; real numbers count as met. None of too many."""
    found: set[str] = set()
    waiting: list[Candidate] = [{}]
    while waiting:
        prefix = waiting.pop()
        stopped: list[Hole] = []

        def decide(hole: Hole, prefix: Candidate = prefix, stopped: list[Hole] = stopped) -> Value:
            if hole.path in prefix:
                return prefix[hole.path]
            stopped.append(hole)
            raise StopIteration

        decided: Candidate = {}
        try:
            resolve(tree, decide, decided)
        except (StopIteration, RuntimeError):
            (hole,) = stopped
            match hole.domain:
                case Choice(labels=labels):
                    values: list[Value] = list(labels)
                case Integers(low, high):
                    values = list(range(low, high + 1))
                case Reals(low=low):
                    values = [low]
            waiting += [{**prefix, hole.path: value} for value in values]
        else:
            found.add(json.dumps(decided, sort_keys=True))
        if len(found) + len(waiting) > MOST:
            return None
    return found


def space_of(tree: Mapping) -> Space:
    return Space("", "generated", tree)


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_the_count_is_the_number_of_ways(rng: random.Random, conditions: bool) -> None:
    space = space_of(Grown(rng, conditions=conditions).tree)
    brute = ways(space.tree)
    counted = count(space)
    assert counted.exact
    assert counted.continuous == ()
    if brute is not None:
        assert counted.candidates == len(brute)
