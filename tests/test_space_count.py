"""Counting and enumerating: against going through every way to decide, on generated trees."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping as MappingType
from dataclasses import dataclass

import pytest
from conftest import Striate
from hypothesis import given, settings
from hypothesis import strategies as st

from space.count import count
from space.enumeration import enumerate_candidates
from space.errors import Mark, SpecificationError
from space.parse import LIBRARY, find, parse_architecture, parse_space
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


@settings(max_examples=250, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_the_count_is_the_number_of_ways(rng: random.Random, conditions: bool) -> None:
    space = space_of(Grown(rng, conditions=conditions).tree)
    counted = count(space)
    assert counted.exact
    assert counted.continuous == ()
    brute = ways(space.tree)
    if brute is not None:
        assert counted.candidates == len(brute)


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_count_is_a_bound_where_conditions_ask_real_numbers(rng: random.Random) -> None:
    space = space_of(Grown(rng, conditions=True, reals=True).tree)
    counted = count(space)
    assert counted.continuous == tuple(hole.path for hole in space.holes if isinstance(hole.domain, Reals))
    brute = ways(space.tree)
    if brute is not None:
        # Going through the ways gives every real number one value, so that a condition has one answer.
        assert counted.candidates == len(brute) if counted.exact else counted.candidates >= len(brute)


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False))
def test_enumeration_gives_every_candidate_once(rng: random.Random) -> None:
    space = space_of(Grown(rng, conditions=True).tree)
    if count(space).candidates > MOST:
        return
    candidates = list(enumerate_candidates(space))
    assert len(candidates) == count(space).candidates
    assert {json.dumps(each, sort_keys=True) for each in candidates} == ways(space.tree)
    for candidate in candidates[:20]:
        space.close(candidate)


SMALL = """\
striate: 1
name: small
input: {channels: 1, size: 8, classes: 10}
time: {steps: {int: [4, 5]}}
areas:
  V1: {drive: [conv: {kernel: {choice: [1, 3]}, channels: 4}]}
  V2: {drive: [conv: {kernel: 3, channels: 4}], cell: {choice: {plain: {type: feedforward}, gated: %s}}}
train: {data: digits, learning_rate: %s}
"""
GATED = "{type: lstm, gates: {kernel: 3, separable: {bool: 0.5}}}"


def test_the_order_is_that_of_counting() -> None:
    space = parse_space(SMALL % (GATED, 0.1), "small.yaml")
    values = [tuple(each.values()) for each in enumerate_candidates(space)]
    cells = [("plain",), ("gated", True), ("gated", False)]
    assert values == [(steps, kernel, *cell) for steps in (4, 5) for kernel in (1, 3) for cell in cells]
    assert [space.holes[0].path, *list(next(enumerate_candidates(space)))[1:]] == [
        "time.steps",
        "areas.V1.drive[0].conv.kernel",
        "areas.V2.cell",
    ]


def test_a_large_space_may_be_begun() -> None:
    space = parse_space(SMALL.replace("int: [4, 5]", "int: [1, 1000]") % (GATED, 0.1), "small.yaml")
    assert count(space).candidates == 6_000
    enumeration = enumerate_candidates(space)
    assert [next(enumeration)["time.steps"] for _ in range(7)] == [1] * 6 + [2]


def test_continuous_holes_are_not_enumerated() -> None:
    space = parse_space(SMALL % (GATED, "{float: [0.01, 0.1]}"), "small.yaml")
    assert count(space).continuous == ("train.learning_rate",)
    with pytest.raises(SpecificationError) as caught:
        enumerate_candidates(space)
    assert str(caught.value) == (
        "small.yaml:8:38: train.learning_rate: the candidates of a space are told one by one, but this hole is a real "
        "number from 0.01 to 0.1; give it a number, or a choice of some"
    )


def test_steps_of_a_real_number_are_counted() -> None:
    space = parse_space(SMALL % (GATED, "{float: [0.1, 0.5], step: 0.1}"), "small.yaml")
    assert (count(space).candidates, count(space).continuous) == (60, ())
    assert len(list(enumerate_candidates(space))) == 60


def test_one_decision_for_many_optional_edges_is_counted_once() -> None:
    areas = [f"V{number}" for number in range(8)]
    lines = "".join(f"  {area}: {{drive: [conv: {{kernel: 3, channels: 4}}]}}\n" for area in areas)
    text = f"""\
striate: 1
name: edges
input: {{channels: 1, size: 8, classes: 10}}
time: {{steps: 9}}
areas:
{lines}edges:
  feedback:
    candidates: {{from: [{", ".join(areas[1:])}], to: [{", ".join(areas[:-1])}]}}
    each: {{include: {{bool: 0.3}}, via: [conv: {{kernel: {{choice: [1, 3]}}}}]}}
    all: {{enters: {{choice: {{a: input, b: {{choice: [input]}}}}}}}}
train: {{data: digits, learning_rate: 0.1}}
"""
    # Each of the 28 edges is left out or has one of two kernels; where there is any, there are two ways to enter.
    assert count(parse_space(text, "edges.yaml")).candidates == 1 + 2 * (3**28 - 1)


def test_an_encoding_by_a_threshold_is_bounded() -> None:
    text, file = find("digits")
    text = text.replace(
        "each: {include: {bool: 0.3},", 'each: {let: {strength: {float: [0, 1]}}, include: "strength > threshold",'
    )
    counted = count(parse_space(text + "\nlet: {threshold: {float: [0, 1]}}\n", file))
    by_probability = count(parse_space(*find("digits")))
    assert not counted.exact
    assert counted.candidates == by_probability.candidates
    assert "let.threshold" in counted.continuous


def test_the_count_of_the_published_search() -> None:
    maybe = 1 + 4 + 8  # no link, a full one of kernel 1 to 4, a separable one of kernel 1 to 8
    link, activation, function = 4 + 8, 4, 2
    gate = 1 + function * link * maybe**2  # none, or its function and what it reads
    output_gate = 1 + function * maybe**2  # which reads no hidden state
    hidden = 3 * maybe**2 * gate * gate * activation
    # With a hidden state: it is added by one of maybe - 1 links, or it is not and may be read by the output's gate.
    with_hidden = (maybe - 1) * output_gate + 1 + function * maybe**3
    output = maybe * 2 * gate * activation
    cell = activation * output * (output_gate + hidden * with_hidden) * 2
    edges = 1 + (2**15 - 1) * 3 * link * activation
    counted = count(parse_space(*find("convrnn-2018")))
    assert counted.exact
    assert counted.candidates == cell * edges * 4  # and four bounds of the gradient


@pytest.mark.parametrize("name", sorted(path.stem for path in LIBRARY.rglob("*.yaml")))
def test_shipped_spaces_are_counted_exactly(name: str) -> None:
    space = parse_space(*find(name))
    counted = count(space)
    assert counted.exact
    assert counted.decisions == len({hole.path for hole in space.holes})
    assert counted.candidates >= 1


def test_the_command_counts(striate: Striate) -> None:
    done = striate("space", "count", "digits")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "digits: 193,914 discrete candidates, of 26 decisions.",
        "Continuous decisions, apart: train.learning_rate, train.weight_decay.",
    ]
    facts = json.loads(striate("space", "count", "convrnn-2018", "--json").stdout)
    assert facts["candidates"] == count(parse_space(*find("convrnn-2018"))).candidates
    assert facts["feasible"]["low"] < facts["feasible"]["share"] < facts["feasible"]["high"]


def test_the_command_samples(striate: Striate) -> None:
    done = striate("space", "sample", "digits", "-n", 2, "--seed", 7)
    assert done.returncode == 0, done.stderr
    documents = done.stdout.split("---\n")
    rng = random.Random(7)
    space = parse_space(*find("digits"))
    candidates = [space.sample(rng) for _ in range(2)]
    assert [parse_architecture(each, "out.yaml") for each in documents] == [space.fill(each) for each in candidates]
    assert json.loads(striate("space", "sample", "digits", "-n", 2, "--seed", 7, "--json").stdout) == candidates
