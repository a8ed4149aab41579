"""Asks: the prior's share, constraints, and who may be asked."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from played_search import Play

from search import launch
from search.asks import DUPLICATES_IN_A_ROW, Ask, Asks
from search.budget import Budget
from search.home import Home
from search.samplers.registry import SAMPLERS
from search.samplers.sampler import Observation, Observed
from search.samplers.warm_up import WarmUp
from search.settings import SearchSettings
from space.errors import UsageError
from space.parse import find, parse_space

CONSTRAINED = """
striate: 1
name: constrained
input: {channels: 1, size: 8, classes: 10}
time: {steps: 3}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}]}
  V2:
    drive:
      - conv: {kernel: 3, channels: 4, weights: one}
      - conv: {kernel: {choice: [3, 5], weights: [1000000, 1]}, channels: 4, weights: one}
train: {data: digits, learning_rate: {float: [0.01, 0.1]}}
constraints: [{name: small, require: "params() < 1e6"}]
"""
UNFIT = {"areas.V2.drive[1].conv.kernel": 5}  # weights of two shapes are no shared ones
EQUAL = """
striate: 1
name: equal
input: {channels: 1, size: 8, classes: 10}
time: {steps: 3}
areas:
  V1: {drive: [conv: {kernel: 3, channels: {int: [1, 40]}}]}
  V2: {drive: [conv: {kernel: 3, channels: {int: [1, 40]}}]}
train: {data: digits, learning_rate: 0.1}
constraints: [{name: equal, require: "areas.V1.drive[0].conv.channels == areas.V2.drive[0].conv.channels"}]
"""


def followed(text: str, sampler: str, trials: int) -> list[Ask]:
    """What a search asks, if every trial that fits ends better than those before; and again from nothing, the same."""
    space = parse_space(text, "space.yaml")
    asks = Asks(space, SearchSettings(name="s", sampler=sampler, seed=3))
    observed = Observed()
    found = []
    for number in range(1, trials + 1):
        ask = asks.ask(number, observed, {}, 0)
        anew = Asks(space, asks.settings).ask(number, observed, {}, 0)
        assert ask is not None and ask == anew, "an ask hangs on nothing that a kill would lose"
        found.append(ask)
        if ask.appraisal.problem is None:
            objective = number / trials
            observed.add(Observation(number=number, candidate=ask.proposal.candidate, objective=objective))
    return found


@pytest.mark.parametrize("name", ["evolution", "local"])
def test_what_does_not_fit_is_asked_and_known_as_unfit_under_constraints_too(name: str) -> None:
    # Half of the mutations turn the kernel, which so few draws do that no sample is of that kind when it is read.
    found = followed(CONSTRAINED, name, 30)
    unfit = [ask for ask in found if ask.appraisal.problem is not None]
    assert 0 < len(unfit) < 30
    for ask in unfit:
        assert UNFIT.items() <= ask.proposal.candidate.items()
        assert "one" in str(ask.appraisal.problem)


def test_a_search_begins_where_some_draws_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "CHECKED_SAMPLES", 2000)
    text = CONSTRAINED.replace("1000000", "1000")
    space, settings = parse_space(text, "space.yaml"), SearchSettings(name="s", sampler="random", seed=0)
    rng = random.Random(0)
    assert any(UNFIT.items() <= space.sample(rng).items() for _ in range(2000))
    launch.create(Home(tmp_path), space, settings, Budget(max_trials=1))


def test_a_search_goes_on_after_what_does_not_fit(tmp_path: Path) -> None:
    play = Play(tmp_path / "s", lambda candidate: [0.2, 0.3], text=CONSTRAINED, sampler="evolution", trials=25)
    play.create()
    history = play.run()
    assert len(history.ended) == 25
    assert {(trial.end, trial.kind) for trial in history.ended} == {("complete", ""), ("failed", "unfit")}


@pytest.mark.parametrize("name", ["evolution", "local"])
def test_where_no_mutation_meets_the_constraints_the_prior_is_asked(name: str) -> None:
    for ask in followed(EQUAL, name, 14):
        assert len(set(ask.proposal.candidate.values())) == 1


def test_a_warm_up_measures_only_what_fits() -> None:
    space = parse_space(CONSTRAINED.replace("1000000, 1", "300, 1"), "space.yaml")
    warm_up = WarmUp(space, 30)
    for seed in range(40):  # one of 55 million such asks draws nothing that does not fit
        assert not UNFIT.items() <= warm_up.ask(Observed(), seed).candidate.items()


def test_where_no_draw_meets_the_constraints_nothing_is_left() -> None:
    apart, _ = EQUAL.replace("[1, 40]", "[1, 2]", 1).replace("[1, 40]", "[3, 4]").split("constraints:")
    space = replace(parse_space(apart, "apart.yaml"), constraints=parse_space(EQUAL, "equal.yaml").constraints)
    asks = Asks(space, SearchSettings(name="s", sampler="random", seed=3))
    assert asks.ask(51, Observed(), {}, DUPLICATES_IN_A_ROW) is None


def test_every_tenth_ask_is_from_the_prior() -> None:
    space = parse_space(*find("digits"))
    asks = Asks(space, SearchSettings(name="s", sampler="hyperopt", seed=3))
    made = [asks.ask(number, Observed(), {}, 0) for number in range(1, 31)]
    assert [number for number, ask in enumerate(made, start=1) if ask and ask.sampler == "prior"] == [10, 20, 30]
    for ask in made:
        assert ask is not None
        assert ask.log_prior == pytest.approx(space.log_prior(ask.proposal.candidate))
        assert ask.proposal.log_propensity == (ask.log_prior if ask.sampler == "prior" else None)


@pytest.mark.parametrize("name", SAMPLERS)
def test_asks_meet_the_constraints(name: str) -> None:
    # The prior meets them in about a third of draws: that 25 asks would by chance happens once in 10¹¹.
    text, file = find("digits")
    rules = ["local != feedforward", "count(feedback) <= 1"]
    constraints = "".join(f"  - {{name: rule{place}, require: '{rule}'}}\n" for place, rule in enumerate(rules))
    space = parse_space(f"{text}constraints:\n{constraints}", file)
    asks = Asks(space, SearchSettings(name="s", sampler=name, seed=3))
    observed = Observed()
    for number in range(1, 26):
        ask = asks.ask(number, observed, {}, 0)
        assert ask is not None
        candidate = ask.proposal.candidate
        assert space.reject(candidate) is None
        observed.add(Observation(number=number, candidate=candidate, objective=1 / number, parameters=number))


def test_an_unknown_sampler_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'hyperopt'"):
        Asks(parse_space(*find("digits")), SearchSettings(name="s", sampler="hyperop", seed=0))
