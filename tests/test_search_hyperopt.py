"""Hyperopt's TPE: its prior is ours, and what it is told is what it was always told."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import hyperopt
import numpy as np
import pytest
from scipy import stats

from search.samplers.hyperopt_tpe import HyperoptSampler
from search.samplers.sampler import Observation, Observed
from space.parse import find, parse_space
from space.space import Space


@pytest.fixture(scope="module")
def digits() -> Space:
    return parse_space(*find("digits"))


def test_hyperopt_draws_from_our_prior(digits: Space) -> None:
    # Before 20 observations Hyperopt draws from its prior. A chi-squared or Kolmogorov–Smirnov test at 1e-4 for each
    # of five decisions: one false failure in 2,000 changes of the code (the seeds are fixed).
    sampler = HyperoptSampler(digits)
    drawn = [sampler.ask(Observed(), seed).candidate for seed in range(600)]
    cells = Counter(candidate["local"] for candidate in drawn)
    assert (
        stats.chisquare(
            [cells[c] for c in ("feedforward", "simple", "lstm", "reciprocal_gated")], [120, 120, 120, 240]
        ).pvalue
        > 1e-4
    )
    steps = Counter(candidate["time.steps"] for candidate in drawn)
    assert set(steps) == {9, 10}
    kernels = Counter(candidate["local.keep.kernel"] for candidate in drawn if candidate["local"] == "reciprocal_gated")
    third = kernels.total() / 3
    assert stats.chisquare([kernels[1], kernels[2], kernels[3]], [third] * 3).pvalue > 1e-4
    assert stats.chisquare([steps[9], steps[10]], [300, 300]).pvalue > 1e-4
    edge = sum(bool(candidate["edges.feedback[IT>V1].include"]) for candidate in drawn)
    assert stats.binomtest(edge, 600, 0.3).pvalue > 1e-4
    rates = np.log([float(candidate["train.learning_rate"]) for candidate in drawn])
    assert stats.kstest(rates, stats.uniform(np.log(0.01), np.log(30)).cdf).pvalue > 1e-4


def test_ranks_say_what_losses_said(digits: Space) -> None:
    # Hyperopt splits by the order of the losses alone: told as they are, the same objectives make it ask the same.
    rng = random.Random(4)
    observed = Observed(
        Observation(number=number, candidate=digits.sample(rng), objective=round(rng.random(), 1))
        for number in range(1, 61)
    )
    sampler = HyperoptSampler(digits)
    plain = sampler._trials(observed, 0)
    for document, each in zip(plain._dynamic_trials, observed.told, strict=True):
        document["result"]["loss"] = -each.objective
    plain.refresh()
    for seed in range(5):
        (asked,) = hyperopt.tpe.suggest([60], sampler.domain, plain, seed, verbose=False)
        drawn = {key: values[0] for key, values in asked["misc"]["vals"].items() if values}
        candidate = sampler.ask(observed, seed).candidate
        assert drawn["train.learning_rate"] == candidate["train.learning_rate"]
        assert drawn["train.weight_decay"] == candidate["train.weight_decay"]


def test_a_stopped_trial_is_not_among_the_good(digits: Space) -> None:
    rng = random.Random(4)
    told = [Observation(number=number, candidate=digits.sample(rng), objective=number / 100) for number in range(1, 41)]
    told[0] = replace(told[0], objective=9.0, stopped_after=1)
    told[1] = replace(told[1], objective=9.0, is_lost=True)
    losses = [each["result"]["loss"] for each in HyperoptSampler(digits)._trials(Observed(told), 0).trials]
    assert losses[2:] == sorted(losses[2:], reverse=True)
    assert losses[1] > losses[0] > max(losses[2:])
