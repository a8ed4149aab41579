"""The tree-structured Parzen estimator by Optuna: multivariate, grouped by the decisions that are met together.

All options of a categorical parameter of Optuna are as likely. So a choice of unequal weights, such as `bool: 0.3`, is
asked for as a place u in [0, 1] among its cumulative weights, and one that was made is told as the middle of its share.
The cost of an ask grows with the history, so it is shown a window: the best, the latest, and others drawn anew for each
ask. Pending trials are shown as running: they repel.
"""

from __future__ import annotations

import bisect
import itertools
import random
import warnings
from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from search.samplers.random_prior import RandomSampler
from search.samplers.sampler import Observation, Proposal
from space.space import Candidate, Space
from space.tree import Choice, Domain, Hole, Integers, Reals, Value, resolve

STARTUP = 20  # asks from the prior before any is ranked
BEST, LATEST, OTHERS = 100, 100, 100  # of the history that an ask is shown

optuna.logging.set_verbosity(optuna.logging.WARNING)


def suggest(space: Space, trial: Trial) -> Candidate:
    """Ask an Optuna trial for each decision that is met; Optuna's random sampler then draws them from our prior."""
    candidate: Candidate = {}
    resolve(space.tree, lambda hole: _ask(trial, hole), candidate)
    return candidate


class OptunaSampler:
    """Optuna's TPE; the first asks are from the prior."""

    adaptive = True

    def __init__(self, space: Space) -> None:
        self.space = space
        self.prior = RandomSampler(space)

    def ask(self, observed: Sequence[Observation], seed: int) -> Proposal:
        """Propose by TPE, whose propensity cannot be stated; the prior's can."""
        if sum(each.objective is not None for each in observed) < STARTUP:
            return self.prior.ask(observed, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                n_startup_trials=0, multivariate=True, group=True, constant_liar=True, seed=seed
            )
        study = optuna.create_study(sampler=sampler, direction="maximize")
        study.add_trials([self._trial(each) for each in window(observed, seed)])
        return Proposal(suggest(self.space, study.ask()), None)

    def _trial(self, observation: Observation) -> FrozenTrial:
        """An observation as Optuna keeps it."""
        parameters: dict[str, str | int | float | bool] = {}
        distributions: dict[str, BaseDistribution] = {}

        def note(hole: Hole) -> Value:
            value = observation.candidate[hole.path]
            parameters[hole.key] = _told(hole.domain, value)
            distributions[hole.key] = _distribution(hole.domain)
            return value

        resolve(self.space.tree, note, {})
        state = TrialState.RUNNING if observation.objective is None else TrialState.COMPLETE
        return optuna.create_trial(
            state=state, value=observation.objective, params=parameters, distributions=distributions
        )


def window(observed: Sequence[Observation], seed: int) -> list[Observation]:
    """All that is pending, and of what was told the best, the latest and some others, in record order."""
    told = [place for place, each in enumerate(observed) if each.objective is not None]
    shown = {place for place, each in enumerate(observed) if each.objective is None}
    shown.update(sorted(told, key=lambda place: -(observed[place].objective or 0.0))[:BEST])
    shown.update(told[-LATEST:])
    others = [place for place in told if place not in shown]
    shown.update(random.Random(seed).sample(others, min(OTHERS, len(others))))
    return [observed[place] for place in sorted(shown)]


def _is_even(domain: Choice) -> bool:
    return len(set(domain.weights)) == 1


def _shares(domain: Choice) -> list[float]:
    """Where each option's share of [0, 1] ends."""
    total = sum(domain.weights)
    return [weight / total for weight in itertools.accumulate(domain.weights)]


def _distribution(domain: Domain) -> BaseDistribution:
    match domain:
        case Choice(labels=labels) if _is_even(domain):
            return CategoricalDistribution(labels)
        case Choice():
            return FloatDistribution(0, 1)
        case Integers(low, high, log):
            return IntDistribution(low, high, log=log)
        case Reals(points=None):
            return FloatDistribution(domain.low, domain.high, log=domain.log)
        case Reals(points=int(points)):
            return IntDistribution(0, points - 1)
    raise AssertionError(f"there is no distribution of {domain}")


def _ask(trial: Trial, hole: Hole) -> Value:
    match hole.domain:
        case Choice(labels=labels) as domain if _is_even(domain):
            return labels[labels.index(trial.suggest_categorical(hole.key, labels))]
        case Choice(labels=labels) as domain:
            place = bisect.bisect_right(_shares(domain), trial.suggest_float(hole.key, 0, 1))
            return labels[min(place, len(labels) - 1)]
        case Integers(low, high, log):
            return trial.suggest_int(hole.key, low, high, log=log)
        case Reals(points=None) as domain:
            drawn = trial.suggest_float(hole.key, domain.low, domain.high, log=domain.log)
            return min(max(drawn, domain.low), domain.high)
        case Reals(points=int(points)) as domain:
            return domain.point(trial.suggest_int(hole.key, 0, points - 1))
    raise AssertionError(f"there is no suggestion of {hole.domain}")


def _told(domain: Domain, value: Value) -> str | int | float | bool:
    """The value of Optuna's parameter by which a decision is told."""
    match domain:
        case Choice(labels=labels) if not _is_even(domain):
            place = labels.index(value)
            ends = [0.0, *_shares(domain)]
            return (ends[place] + ends[place + 1]) / 2
        case Reals(points=int(), step=float(step)):
            return round((float(value) - domain.low) / step)
        case _:
            return value
