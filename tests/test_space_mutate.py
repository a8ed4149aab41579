"""Changing, crossing and completing candidates.

The statistical tests are seeded; over seeds each comparison would fail by chance once in 10,000.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from space.difference import Difference, diff
from space.errors import SpecificationError
from space.mutate import complete, crossover, decisions, mutate
from space.parse import find, parse_space

FALSE_FAILURE_RATE = 1e-4
TEXT = """\
striate: 1
name: tiny
input: {channels: 1, size: 8, classes: 10}
time: {steps: {int: [4, 6]}}
shared:
  local:
    choice:
      plain: {type: feedforward, input: {activation: {choice: [elu, relu]}}}
      simple: {type: simple, hidden: {kernel: {int: [1, 3]}}, norm: {choice: [none, layer]}}
      gated: {type: lstm, gates: {kernel: {int: [1, 4]}, separable: {bool: 0.3}}, norm: {choice: [none, layer]}}
    weights: [1, 2, 3]
areas:
  V1: {drive: [conv: {kernel: {choice: {one: 1, odd: {choice: [3, 5]}}}, channels: {choice: [4]}}]}
  V2: {drive: [conv: {kernel: 3, channels: 4}], cell: {shared: local}}
  V4: {drive: [conv: {kernel: 3, channels: 4}], cell: {shared: local}}
edges:
  feedback:
    candidates: {from: [V2, V4], to: [V1, V2]}
    each: {include: {bool: 0.4}, via: [conv: {kernel: {choice: [1, 3]}}]}
    all: {enters: input}
train: {data: digits, learning_rate: {float: [0.001, 0.1], log: true}}
"""
CONSTRAINED = TEXT + 'constraints: [{name: few, require: "count(feedback) <= 1"}]\n'
SPACES = {
    "tiny": parse_space(TEXT, "tiny.yaml"),
    "constrained": parse_space(CONSTRAINED, "tiny.yaml"),
    "digits": parse_space(*find("digits")),
    "convrnn-2018": parse_space(*find("convrnn-2018")),
}
NAMES = st.sampled_from(sorted(SPACES))
SEEDS = st.integers(0, 2**32)
TINY = SPACES["tiny"]
KERNEL = "areas.V1.drive[0].conv.kernel"


def belongs(space, candidate) -> bool:
    space.close(candidate)  # raises where it is not of the space
    return space.reject(candidate) is None


@settings(max_examples=150, deadline=None)
@given(NAMES, SEEDS)
def test_a_mutation_stays_inside_and_changes_one_decision(name, seed):
    space, rng = SPACES[name], random.Random(seed)
    before = space.sample(rng)
    after = mutate(space, before, rng)
    assert belongs(space, after)
    old, new = decisions(space, before), decisions(space, after)
    kept = [path for path in old if path in new and old[path].key == new[path].key]
    changed = [path for path in kept if before[path] != after[path]]
    assert len(changed) == 1
    # What else is new hangs on the changed decision: its key, or the condition around it, was not met before.
    assert {path for path in new if path not in kept} == {path for path in new if new[path].key not in keys(old)}
    assert mutate(space, before, random.Random(seed)) == mutate(space, before, random.Random(seed))


def keys(met):
    return {hole.key for hole in met.values()}


def test_each_decision_that_can_change_is_as_likely():
    rng = random.Random(11)
    before = {
        "time.steps": 5,
        KERNEL: "odd",
        f"{KERNEL}{{odd}}": 5,
        "areas.V1.drive[0].conv.channels": 4,
        "local": "simple",
        "local.hidden.kernel": 2,
        "local.norm": "layer",
        "edges.feedback[V2>V1].include": False,
        "edges.feedback[V4>V1].include": False,
        "edges.feedback[V4>V2].include": True,
        "edges.feedback[V4>V2].via[0].conv.kernel": 1,
        "train.learning_rate": 0.01,
    }
    targets = Counter()
    for _ in range(4_000):
        after = mutate(TINY, before, rng)
        targets[next(each.path for each in diff(before, after) if each.after is not None)] += 1
    assert targets.keys() == before.keys() - {"areas.V1.drive[0].conv.channels"}  # which has one option
    assert chisquare(list(targets.values())).pvalue > FALSE_FAILURE_RATE


def test_a_new_value_and_what_hangs_on_it_are_drawn_from_the_prior():
    rng = random.Random(12)
    before = {**{path: value for path, value in TINY.sample(random.Random(0)).items() if not path.startswith("local")}}
    before |= {"local": "simple", "local.hidden.kernel": 1, "local.norm": "layer"}
    cells, norms = Counter(), Counter()
    for _ in range(8_000):
        after = mutate(TINY, before, rng)
        if after["local"] != "simple":
            cells[after["local"]] += 1
        if after["local"] == "gated":
            norms[after["local.norm"]] += 1  # another hole than the simple cell's, though of the same path
    total = cells.total()
    expected = [total / 4, total * 3 / 4]
    assert chisquare([cells["plain"], cells["gated"]], expected).pvalue > FALSE_FAILURE_RATE
    assert chisquare([norms["none"], norms["layer"]]).pvalue > FALSE_FAILURE_RATE


def test_a_candidate_without_an_alternative_cannot_mutate():
    space = parse_space(*find("digits-rgc"))
    with pytest.raises(SpecificationError) as caught:
        mutate(space, {}, random.Random(0))
    assert "none of this candidate's has another value; widen a hole" in str(caught.value)


def test_a_foreign_candidate_is_refused():
    candidate = TINY.sample(random.Random(0))
    for wrong in ({**candidate, "time.steps": 9}, {**candidate, "nothing": 1}, {}):
        with pytest.raises(SpecificationError):
            mutate(TINY, wrong, random.Random(0))
        with pytest.raises(SpecificationError):
            crossover(TINY, candidate, wrong, random.Random(0))


def test_a_constraint_that_leaves_no_change_is_named():
    text = find("digits-feedforward")[0].replace("steps: 5", "steps: {int: [5, 7]}")
    assert "int: [5, 7]" in text
    space = parse_space(text + "constraints: [{name: still, require: time.steps == 5}]\n", "still.yaml")
    with pytest.raises(SpecificationError) as caught:
        mutate(space, {"time.steps": 5}, random.Random(0))
    assert "none of 1,000 mutations does, the last breaking 'still'; loosen it" in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(NAMES, SEEDS)
def test_a_child_takes_each_decision_from_a_parent(name, seed):
    space, rng = SPACES[name], random.Random(seed)
    first, second = space.sample(rng), space.sample(rng)
    child = crossover(space, first, second, rng)
    assert belongs(space, child)
    met = decisions(space, child)
    parents = [(parent, decisions(space, parent)) for parent in (first, second)]
    for path, hole in met.items():
        given_ = [parent[path] for parent, theirs in parents if path in theirs and theirs[path].key == hole.key]
        assert not given_ or child[path] in given_
    assert crossover(space, first, first, rng) == first


def test_a_decision_of_both_parents_is_taken_evenly():
    rng = random.Random(13)
    first, second = ({**TINY.sample(random.Random(1)), "time.steps": steps} for steps in (4, 6))
    steps = Counter(crossover(TINY, first, second, rng)["time.steps"] for _ in range(2_000))
    assert chisquare([steps[4], steps[6]]).pvalue > FALSE_FAILURE_RATE


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["tiny", "constrained", "digits"]), SEEDS)
def test_a_partial_candidate_is_completed(name, seed):
    space, rng = SPACES[name], random.Random(seed)
    whole = space.sample(rng)
    partial = {path: whole[path] for path in rng.sample(list(whole), rng.randint(0, len(whole))) if "{" not in path}
    try:
        drawn = complete(space, partial, rng)
    except SpecificationError as error:  # it hangs on decisions that the prior hardly draws together
        assert "decide what it hangs on too" in str(error)
    else:
        assert belongs(space, drawn)
        assert partial.items() <= drawn.items()
    assert complete(space, whole, rng) == whole


def test_a_completion_is_the_prior_given_the_part():
    rng = random.Random(14)
    drawn = [complete(TINY, {"local.norm": "layer"}, rng) for _ in range(2_000)]
    cells = Counter(candidate["local"] for candidate in drawn)
    assert chisquare([cells["simple"], cells["gated"]], [800, 1_200]).pvalue > FALSE_FAILURE_RATE


def test_a_part_that_is_of_no_candidate_is_refused():
    cases = {
        ("local.hiden.kernel", 1): "did you mean 'local.hidden.kernel'?",
        ("local.hidden.kernel", 7): "a candidate decides this hole by a whole number from 1 to 3, but 7 was given",
    }
    for (path, value), message in cases.items():
        with pytest.raises(SpecificationError) as caught:
            complete(TINY, {path: value}, random.Random(0))
        assert message in str(caught.value)
    with pytest.raises(SpecificationError) as caught:
        complete(TINY, {"local": "plain", "local.norm": "layer"}, random.Random(0))
    assert "local.norm: a candidate is completed by drawing its other decisions" in str(caught.value)


def test_the_difference_of_two_candidates():
    before = {"a": 1, "b": "x", "c": True, "d": 2}
    after = {"a": 1, "b": "y", "e": 0.5, "c": 1}
    assert diff(before, after) == (
        Difference("b", "x", "y"),
        Difference("c", True, 1),
        Difference("d", 2, None),
        Difference("e", None, 0.5),
    )
    assert diff(before, before) == ()


def test_mutations_reach_every_small_candidate():
    """From any candidate, by mutations alone."""
    space = parse_space(TEXT.replace("{float: [0.001, 0.1], log: true}", "0.1"), "tiny.yaml")
    seen, rng = set(), random.Random(15)
    candidate = space.sample(rng)
    for _ in range(4_000):
        candidate = mutate(space, candidate, rng)
        seen.add((candidate["time.steps"], candidate[KERNEL], candidate["local"]))
    assert seen == set(itertools.product((4, 5, 6), ("one", "odd"), ("plain", "simple", "gated")))
