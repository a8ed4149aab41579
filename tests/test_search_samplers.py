"""Samplers: one contract for all, and Hyperopt's prior against ours."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from search.asks import SAMPLERS, Asks
from search.history import History
from search.record import Event
from search.samplers.sampler import Observation, Sampler
from search.settings import SearchSettings
from space.errors import UsageError
from space.parse import find, parse_space
from space.space import Candidate, Space


@pytest.fixture(scope="module")
def digits() -> Space:
    return parse_space(*find("digits"))


@pytest.fixture(params=SAMPLERS)
def sampler(request: pytest.FixtureRequest, digits: Space) -> Sampler:
    return SAMPLERS[request.param](digits)


def worth(candidate: Candidate) -> float:
    """A planted objective: a cell, an edge and a learning rate near 0.1 are good."""
    rate = abs(np.log10(float(candidate["train.learning_rate"])) + 1)
    return (
        0.5
        + 0.2 * (candidate["local"] == "simple")
        + 0.2 * bool(candidate["edges.feedback[IT>V2].include"])
        - 0.1 * rate
    )


def observations(space: Space, sampler: Sampler, number: int, pending: int = 0) -> list[Observation]:
    observed: list[Observation] = []
    for ask in range(number):
        candidate = sampler.ask(observed, ask).candidate
        observed.append(Observation(candidate, None if ask >= number - pending else worth(candidate)))
    return observed


def test_an_ask_is_a_pure_function(digits: Space, sampler: Sampler) -> None:
    observed = observations(digits, sampler, 30, pending=2)
    first = sampler.ask(observed, 5)
    sampler.ask(observed[:10], 7)
    assert sampler.ask(observed, 5) == first
    copied = [Observation(json.loads(json.dumps(each.candidate)), each.objective) for each in observed]
    assert type(sampler)(digits).ask(copied, 5) == first, "a new sampler on a record read back asks the same"
    assert sampler.ask(observed, 6) != first


def test_proposals_are_of_the_space(digits: Space, sampler: Sampler) -> None:
    for observation in observations(digits, sampler, 40):
        digits.fill(observation.candidate)  # raises where it is not


def test_what_is_observed_matters_exactly_to_adaptive_samplers(digits: Space, sampler: Sampler) -> None:
    observed = observations(digits, sampler, 40)
    turned = [Observation(each.candidate, 1 - (each.objective or 0)) for each in observed]
    asks = [(sampler.ask(observed, seed), sampler.ask(turned, seed)) for seed in range(5)]
    assert any(one != other for one, other in asks) == sampler.adaptive


def test_tpe_finds_a_planted_optimum(digits: Space) -> None:
    # Under the prior 20 % of draws have the cell and 30 % the edge, so 6 % both: 12 of 40 come by chance once in 10⁵.
    last = observations(digits, SAMPLERS["hyperopt"](digits), 80)[40:]
    both = [
        each for each in last if each.candidate["local"] == "simple" and each.candidate["edges.feedback[IT>V2].include"]
    ]
    assert len(both) >= 12


def test_hyperopt_draws_from_our_prior(digits: Space) -> None:
    # Before 20 observations Hyperopt draws from its prior. A chi-squared or Kolmogorov–Smirnov test at 1e-4 for each
    # of five decisions: one false failure in 2,000 changes of the code (the seeds are fixed).
    sampler = SAMPLERS["hyperopt"](digits)
    drawn = [sampler.ask([], seed).candidate for seed in range(600)]
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


def test_every_tenth_ask_is_from_the_prior(digits: Space) -> None:
    settings = SearchSettings(name="s", sampler="hyperopt", seed=3)
    asks = Asks(digits, settings)
    made = [asks.ask(number, History()) for number in range(1, 31)]
    assert [number for number, ask in enumerate(made, start=1) if ask.sampler == "prior"] == [10, 20, 30]
    for ask in made:
        assert ask.log_prior == pytest.approx(digits.log_prior(ask.proposal.candidate))
        assert ask.proposal.log_propensity == (ask.log_prior if ask.sampler == "prior" else None)


def test_failed_trials_are_not_told(digits: Space) -> None:
    settings = SearchSettings(name="s", sampler="hyperopt", seed=3)
    asks = Asks(digits, settings)
    rng_candidates = [asks.prior.ask([], seed).candidate for seed in range(40)]

    def history(*, failures: bool) -> History:
        folded = History()
        for number, candidate in enumerate(rng_candidates, start=1):
            asked = {"candidate": candidate, "sampler": "prior", "seed": 0, "edges": [], "parameters": 1}
            end = {"end": "complete", "objective": worth(candidate)}
            if number % 2:
                if not failures:
                    continue
                end = {"end": "failed", "objective": None}
            folded.add(Event(0, 0.0, "asked", number, 0, asked))
            folded.add(Event(0, 0.0, "ended", number, 1, end))
        return folded

    assert asks.ask(41, history(failures=True)).proposal == asks.ask(41, history(failures=False)).proposal


@pytest.mark.parametrize("name", SAMPLERS)
def test_asks_meet_the_constraints(name: str) -> None:
    # The prior meets them in about a third of draws: that 25 asks would by chance happens once in 10¹¹.
    text, file = find("digits")
    rules = ["local != feedforward", "count(feedback) <= 1"]
    constraints = "".join(f"  - {{name: rule{place}, require: '{rule}'}}\n" for place, rule in enumerate(rules))
    space = parse_space(f"{text}constraints:\n{constraints}", file)
    asks = Asks(space, SearchSettings(name="s", sampler=name, seed=3))
    history = History()
    for number in range(1, 26):
        candidate = asks.ask(number, history).proposal.candidate
        assert space.reject(candidate) is None
        asked = {"candidate": candidate, "sampler": name, "seed": 0, "edges": [], "parameters": 1}
        history.add(Event(0, 0.0, "asked", number, 0, asked))
        history.add(Event(0, 0.0, "ended", number, 1, {"end": "complete", "objective": worth(candidate)}))


def test_an_unknown_sampler_is_refused(digits: Space) -> None:
    with pytest.raises(UsageError, match="did you mean 'hyperopt'"):
        Asks(digits, SearchSettings(name="s", sampler="hyperop", seed=0))
