"""Optuna's TPE: the prior of the conversion, the window on the history, and that it finds what is planted."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import optuna
import pytest
from scipy import stats

from search.samplers.optuna_tpe import BEST, LATEST, OTHERS, OptunaSampler, suggest, window
from search.samplers.sampler import Observation
from space.parse import find, parse_space
from space.space import Candidate, Space

DRAWS = 1_500
FALSE_FAILURE_RATE = 1e-4  # of each of the eleven comparisons below; their seeds are fixed
SPACE = """\
striate: 1
name: tiny
input: {channels: 1, size: 8, classes: 10}
time: {steps: {int: [4, 6]}}
areas:
  V1: {drive: [conv: {kernel: {int: [1, 7], log: true}, channels: 4}]}
  V2:
    drive: [conv: {kernel: 3, channels: 4}]
    cell:
      choice:
        plain: {type: feedforward}
        gated: {type: lstm, gates: {kernel: {int: [1, 4]}, separable: {bool: 0.3}}, norm: {choice: [none, layer]}}
      weights: [1, 3]
train:
  data: digits
  learning_rate: {float: [0.001, 0.1], log: true}
  momentum: {float: [0.5, 0.9]}
  weight_decay: {float: [0, 0.3], step: 0.1}
"""


@pytest.fixture(scope="module")
def digits() -> Space:
    return parse_space(*find("digits"))


@pytest.fixture(scope="module")
def drawn() -> tuple[list[Candidate], list[Candidate]]:
    """Candidates by Optuna's random sampler, and as many of our own."""
    space = parse_space(SPACE, "tiny.yaml")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=5))
    rng = random.Random(5)
    return [suggest(space, study.ask()) for _ in range(DRAWS)], [space.sample(rng) for _ in range(DRAWS)]


DISCRETE = {
    "time.steps": {4: 1, 5: 1, 6: 1},
    "areas.V1.drive[0].conv.kernel": {n: np.log((n + 0.5) / (n - 0.5)) for n in range(1, 8)},
    "areas.V2.cell": {"plain": 1, "gated": 3},
    "areas.V2.cell.gates.kernel": {1: 1, 2: 1, 3: 1, 4: 1},
    "areas.V2.cell.gates.separable": {True: 3, False: 7},
    "areas.V2.cell.norm": {"none": 1, "layer": 1},
    "train.weight_decay": {0.0: 1, 0.1: 1, 0.2: 1, 0.3: 1},
}


@pytest.mark.parametrize("path", DISCRETE)
def test_optuna_draws_discrete_decisions_from_our_prior(drawn, path: str) -> None:
    weights = DISCRETE[path]
    observed = Counter(candidate[path] for candidate in drawn[0] if path in candidate)
    counts = [sum(n for value, n in observed.items() if value == pytest.approx(each)) for each in weights]
    assert sum(counts) == observed.total()
    share = observed.total() / sum(weights.values())
    assert stats.chisquare(counts, [weight * share for weight in weights.values()]).pvalue > FALSE_FAILURE_RATE


@pytest.mark.parametrize("path", ["train.learning_rate", "train.momentum"])
def test_optuna_draws_real_numbers_from_our_prior(drawn, path: str) -> None:
    ours, optunas = ([candidate[path] for candidate in candidates] for candidates in drawn)
    assert stats.ks_2samp(ours, optunas).pvalue > FALSE_FAILURE_RATE


def test_optuna_asks_for_what_is_met(drawn) -> None:
    space = parse_space(SPACE, "tiny.yaml")
    for candidate in drawn[0][:50]:
        space.close(candidate)  # raises where a decision is missing, or one too many


def observation(number: int, objective: float | None) -> Observation:
    return Observation({"number": number}, objective)


def test_a_short_history_is_shown_whole() -> None:
    observed = [observation(n, None if n % 7 == 0 else n / 100) for n in range(200)]
    assert window(observed, 0) == observed


def test_a_long_history_is_shown_by_a_window() -> None:
    rng = random.Random(3)
    observed = [observation(n, None if n % 100 == 0 else rng.random()) for n in range(5_000)]
    shown = window(observed, 11)
    numbers = [each.candidate["number"] for each in shown]
    pending = [each for each in observed if each.objective is None]
    told = [each for each in observed if each.objective is not None]
    assert numbers == sorted(numbers)
    assert all(each in shown for each in pending)
    assert all(each in shown for each in sorted(told, key=lambda each: each.objective)[-BEST:])
    assert all(each in shown for each in told[-LATEST:])
    assert len(pending) + BEST + OTHERS <= len(shown) <= len(pending) + BEST + LATEST + OTHERS
    assert window(observed, 11) == shown
    assert window(observed, 12) != shown


def worth(candidate: Candidate) -> float:
    """A planted objective: one cell, one edge and a learning rate near 0.1 are good."""
    rate = abs(np.log10(float(candidate["train.learning_rate"])) + 1)
    edge = bool(candidate["edges.feedback[IT>V2].include"])
    return 0.5 + 0.2 * (candidate["local"] == "simple") + 0.2 * edge - 0.1 * rate


def test_it_finds_a_planted_optimum(digits: Space) -> None:
    # Under the prior 20 % of draws have the cell and 30 % the edge, so 6 % both: 12 of 40 come by chance once in 10⁵.
    sampler = OptunaSampler(digits)
    observed: list[Observation] = []
    for seed in range(80):
        candidate = sampler.ask(observed, seed).candidate
        observed.append(Observation(candidate, worth(candidate)))
    last = [each.candidate for each in observed[40:]]
    both = [each for each in last if each["local"] == "simple" and each["edges.feedback[IT>V2].include"]]
    assert len(both) >= 12


def test_pending_trials_matter(digits: Space) -> None:
    rng = random.Random(0)
    told = [Observation(candidate, worth(candidate)) for candidate in (digits.sample(rng) for _ in range(30))]
    pending = [Observation(told[0].candidate, None)] * 10
    sampler = OptunaSampler(digits)
    assert any(sampler.ask(told, seed) != sampler.ask([*told, *pending], seed) for seed in range(5))


def test_the_first_asks_are_from_the_prior(digits: Space) -> None:
    proposal = OptunaSampler(digits).ask([], 3)
    assert proposal.candidate == digits.sample(random.Random(3))
    assert proposal.log_propensity == pytest.approx(digits.log_prior(proposal.candidate))
