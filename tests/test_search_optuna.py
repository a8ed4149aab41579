"""Optuna's samplers: the prior of the conversion, how trials are told, the window, and generations of NSGA-II."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from scipy import stats

from search.samplers.nsga2 import POPULATION, Generations, NSGA2Sampler
from search.samplers.optuna_study import suggest, told
from search.samplers.optuna_tpe import OptunaSampler
from search.samplers.sampler import Observation, Observed, SamplerOptions
from search.samplers.window import BEST, LATEST, OTHERS, Window
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


def history(objectives: list[float]) -> Observed:
    return Observed(
        Observation(number=place, candidate={"number": place}, objective=objective)
        for place, objective in enumerate(objectives)
    )


def test_a_short_history_is_shown_whole() -> None:
    observed = history([place / 100 for place in range(BEST + LATEST + OTHERS)])
    assert Window().shown(observed, 0) == observed.told


def test_a_long_history_is_shown_by_a_window() -> None:
    rng = random.Random(3)
    observed = history([rng.random() for _ in range(5_000)])
    window = Window()
    shown = window.shown(observed, 11)
    numbers = [each.number for each in shown]
    assert numbers == sorted(set(numbers))
    best = sorted(observed.told, key=lambda each: each.standing)[-BEST:]
    assert {each.number for each in [*best, *observed.told[-LATEST:]]} <= set(numbers)
    expected = len({each.number for each in [*best, *observed.told[-LATEST:]]}) + OTHERS
    assert len(shown) == expected
    assert window.shown(observed, 11) == shown
    assert window.shown(observed, 12) != shown


def test_trials_are_told_as_what_they_are(digits: Space) -> None:
    ended = Observation(number=1, candidate=digits.sample(random.Random(0)), objective=0.4)
    states = [
        (ended, TrialState.COMPLETE, 0.4, {}),
        (replace(ended, objective=None), TrialState.RUNNING, None, {}),
        (replace(ended, stopped_after=3), TrialState.PRUNED, None, {3: 0.4}),
        (replace(ended, is_lost=True), TrialState.PRUNED, None, {0: 0.4}),
        (replace(ended, is_lost=True, stopped_after=3), TrialState.PRUNED, None, {0: 0.4}),
    ]
    for observation, state, value, steps in states:
        trial = told(digits, observation)
        assert trial.state == state
        assert (None if trial.values is None else trial.value) == value
        assert trial.intermediate_values == steps


def test_the_first_asks_are_from_the_prior(digits: Space) -> None:
    proposal = OptunaSampler(digits, SamplerOptions()).ask(Observed(), 3)
    assert proposal.candidate == digits.sample(random.Random(3))
    assert proposal.log_propensity == pytest.approx(digits.log_prior(proposal.candidate))


def planted(candidate: Candidate) -> tuple[float, int]:
    """An objective and a size that pull apart: every edge adds to both, and each cell of another kind to the size."""
    edges = sum(bool(value) for path, value in candidate.items() if path.endswith(".include"))
    waste = {"simple": 0, "feedforward": 1, "lstm": 2, "reciprocal_gated": 3}[str(candidate["local"])]
    return float(edges), 10 * edges + waste


def test_generations_of_nsga2_near_the_front(digits: Space) -> None:
    # The front: no waste, whatever the edges. 20 % of the prior has none; that half of the last 40 have none happens
    # by chance once in 10⁵.
    sampler = NSGA2Sampler(digits, SamplerOptions())
    observed = Observed()
    for number in range(1, 241):
        candidate = sampler.ask(observed, number).candidate
        objective, size = planted(candidate)
        observed.add(Observation(number=number, candidate=candidate, objective=objective, parameters=size))
    last = [each.candidate for each in observed.told[-40:]]
    assert sum(each["local"] == "simple" for each in last) >= 20
    edges = {planted(each)[0] for each in last}
    assert max(edges) - min(edges) >= 3, "the population spreads along the front"


def test_nsga2_compares_with_the_size_that_is_asked_for(digits: Space) -> None:
    rng = random.Random(1)
    observed = Observed(
        Observation(
            number=number, candidate=digits.sample(rng), objective=0.5, parameters=number, multiply_adds=1_000 - number
        )
        for number in range(1, 61)
    )
    parents = {}
    for against in ("parameters", "multiply_adds"):
        generations = Generations(digits, against)
        generations.follow(observed)
        generations.follow(Observed([*observed.told, *observed.told[:POPULATION]]))
        parents[against] = {each.number for each in generations.eligible[:POPULATION]}
    assert parents == {"parameters": set(range(1, 31)), "multiply_adds": set(range(31, 61))}
