"""The prior: what is drawn, how often, and the probabilities that are stated for it.

Chi-square tests are seeded, so they fail or pass for good; over seeds each would fail by chance once in 10,000.
"""

import itertools
import json
import math
import random
from collections import Counter

import pytest
from scipy.stats import chisquare, kstest

from space.parse import find, parse_space
from space.tree import Choice, Integers

FALSE_FAILURE_RATE = 1e-4
DRAWS = 3_000
TINY = """\
striate: 1
name: tiny
input: {channels: 1, size: 8, classes: 10}
time: {steps: {int: [4, 6]}}
shared:
  local:
    choice:
      plain: {type: feedforward}
      gated: {type: lstm, gates: {kernel: {int: [1, 4]}, separable: {bool: 0.3}}, norm: {choice: [none, layer]}}
    weights: [1, 3]
areas:
  V1: {drive: [conv: {kernel: {choice: {one: 1, odd: {choice: [3, 5]}}}, channels: 4}]}
  V2: {drive: [conv: {kernel: 3, channels: 4}], cell: {shared: local}}
  V4: {drive: [conv: {kernel: 3, channels: 4}], cell: {shared: local}}
edges:
  feedback:
    candidates: {from: [V4], to: [V1, V2]}
    each: {include: {bool: 0.2}, via: [conv: {kernel: {choice: [1, 3]}}]}
train: {data: digits, learning_rate: 0.1}
"""
KERNEL = "areas.V1.drive[0].conv.kernel"
REAL = TINY.replace(
    "learning_rate: 0.1", "learning_rate: {float: [0.001, 0.1], log: true}, momentum: {float: [0.5, 0.9]}"
)


@pytest.fixture(scope="module")
def drawn():
    space = parse_space(REAL, "tiny.yaml")
    rng = random.Random(2018)
    return [space.sample(rng) for _ in range(DRAWS)]


def test_the_same_seed_draws_the_same_candidate():
    space = parse_space(*find("digits"))
    assert space.sample(random.Random(5)) == space.sample(random.Random(5))
    assert len({json.dumps(space.sample(random.Random(seed))) for seed in range(20)}) == 20


EXPECTED = {
    "time.steps": {4: 1, 5: 1, 6: 1},
    "local": {"plain": 1, "gated": 3},
    "local.gates.kernel": {1: 1, 2: 1, 3: 1, 4: 1},
    "local.gates.separable": {True: 3, False: 7},
    "local.norm": {"none": 1, "layer": 1},
    KERNEL: {"one": 1, "odd": 1},
    f"{KERNEL}{{odd}}": {3: 1, 5: 1},
    "edges.feedback[V4>V1].include": {True: 2, False: 8},
    "edges.feedback[V4>V2].via[0].conv.kernel": {1: 1, 3: 1},
}


@pytest.mark.parametrize("path", EXPECTED)
def test_decisions_are_drawn_as_often_as_stated(drawn, path):
    weights = EXPECTED[path]
    observed = Counter(candidate[path] for candidate in drawn if path in candidate)
    assert observed.keys() == weights.keys()
    share = observed.total() / sum(weights.values())
    test = chisquare([observed[value] for value in weights], [weight * share for weight in weights.values()])
    assert test.pvalue > FALSE_FAILURE_RATE


def test_pairs_of_decisions_are_drawn_independently(drawn):
    pairs = Counter((each["time.steps"], each["edges.feedback[V4>V1].include"]) for each in drawn)
    expected = {(steps, there): DRAWS / 3 * (0.2 if there else 0.8) for steps in (4, 5, 6) for there in (True, False)}
    assert chisquare([pairs[pair] for pair in expected], list(expected.values())).pvalue > FALSE_FAILURE_RATE


def test_real_numbers_are_uniform_or_have_a_uniform_logarithm(drawn):
    momenta = [(candidate["train.momentum"] - 0.5) / 0.4 for candidate in drawn]
    rates = [(math.log10(candidate["train.learning_rate"]) + 3) / 2 for candidate in drawn]
    assert kstest(momenta, "uniform").pvalue > FALSE_FAILURE_RATE
    assert kstest(rates, "uniform").pvalue > FALSE_FAILURE_RATE
    assert all(0.5 <= candidate["train.momentum"] <= 0.9 for candidate in drawn)
    assert all(0.001 <= candidate["train.learning_rate"] <= 0.1 for candidate in drawn)


def test_the_bounds_of_whole_numbers_are_included():
    domain = Integers(2, 4)
    assert {domain.draw(random.Random(seed)) for seed in range(50)} == {2, 3, 4}
    assert [value for value in (1, 2, 3, 4, 5, 3.0, True, "3", None) if domain.holds(value)] == [2, 3, 4]


def test_true_and_one_are_different_labels():
    domain = Choice((1, "a"), (), (1.0, 1.0))
    assert domain.holds(1)
    assert not domain.holds(True)
    assert not domain.holds(1.0)


def test_the_log_prior_is_the_one_computed_by_hand():
    space = parse_space(REAL, "tiny.yaml")
    candidate = {
        "time.steps": 5,
        KERNEL: "odd",
        f"{KERNEL}{{odd}}": 5,
        "local": "gated",
        "local.gates.kernel": 2,
        "local.gates.separable": True,
        "local.norm": "layer",
        "edges.feedback[V4>V1].include": False,
        "edges.feedback[V4>V2].include": True,
        "edges.feedback[V4>V2].via[0].conv.kernel": 3,
        "train.learning_rate": 0.01,
        "train.momentum": 0.6,
    }
    discrete = (1 / 3) * (1 / 2 * 1 / 2) * (3 / 4 * 1 / 4 * 0.3 * 1 / 2) * 0.8 * (0.2 * 1 / 2)
    density = 1 / (0.01 * math.log(100)) * (1 / 0.4)
    assert space.log_prior(candidate) == pytest.approx(math.log(discrete * density), rel=1e-12)
    space.fill(candidate)


def test_the_prior_sums_to_one_over_all_candidates():
    space = parse_space(TINY, "tiny.yaml")
    kernels = [{KERNEL: "one"}, *({KERNEL: "odd", f"{KERNEL}{{odd}}": kernel} for kernel in (3, 5))]
    cells = [{"local": "plain"}] + [
        {"local": "gated", "local.gates.kernel": kernel, "local.gates.separable": separable, "local.norm": norm}
        for kernel, separable, norm in itertools.product((1, 2, 3, 4), (True, False), ("none", "layer"))
    ]
    edges = [
        [{f"edges.feedback[V4>{low}].include": False}]
        + [
            {f"edges.feedback[V4>{low}].include": True, f"edges.feedback[V4>{low}].via[0].conv.kernel": k}
            for k in (1, 3)
        ]
        for low in ("V1", "V2")
    ]
    steps = [{"time.steps": count} for count in (4, 5, 6)]
    total = 0.0
    for parts in itertools.product(steps, kernels, cells, *edges):
        candidate = {path: value for part in parts for path, value in part.items()}
        space.close(candidate)  # every one is a candidate of the space
        total += math.exp(space.log_prior(candidate))
    assert total == pytest.approx(1, rel=1e-12)


def test_extreme_weights_have_finite_priors():
    domain = Choice(("a", "b"), (), (5e-324, 1e308))
    assert domain.log_prior("a") == pytest.approx(math.log(5e-324) - math.log(1e308))
