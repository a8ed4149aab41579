"""Asks: the prior's share, constraints, and who may be asked."""

from __future__ import annotations

import pytest

from search.asks import Asks
from search.samplers.registry import SAMPLERS
from search.samplers.sampler import Observation, Observed
from search.settings import SearchSettings
from space.errors import UsageError
from space.parse import find, parse_space


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
