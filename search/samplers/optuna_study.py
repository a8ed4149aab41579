"""Spaces and trials as Optuna knows them, and the samplers of Optuna.

All options of a categorical parameter of Optuna are as likely. So a choice of unequal weights, such as `bool: 0.3`, is
asked for as a place u in [0, 1] among its cumulative weights, and one that was made is told as the middle of its share.
"""

from __future__ import annotations

import bisect
import itertools
import warnings
from typing import Any, Literal, TypeAlias

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial as FrozenTrial
from optuna.trial import Trial, TrialState

from search.samplers.sampler import Observation
from space.space import Candidate, Space
from space.tree import Choice, Domain, Hole, Integers, Reals, Value, resolve

optuna.logging.set_verbosity(optuna.logging.WARNING)

Direction: TypeAlias = Literal["minimize", "maximize"]
Decisions: TypeAlias = dict[str, tuple[Hole, Value]]
_GENERATION = "NSGAIISampler:generation"  # where Optuna keeps which generation a trial is of


def tpe(seed: int) -> TPESampler:
    """The tree-structured Parzen estimator, of decisions that are met together at once; what is running repels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(n_startup_trials=0, multivariate=True, group=True, constant_liar=True, seed=seed)


def nsga2(seed: int, population: int) -> NSGAIISampler:
    """NSGA-II of populations of a size."""
    return NSGAIISampler(population_size=population, seed=seed)


def study(sampler: BaseSampler, trials: list[FrozenTrial], *directions: Direction) -> Study:
    """A study in memory of which some trials are known."""
    made = optuna.create_study(sampler=sampler, directions=directions)
    made.add_trials(trials)
    return made


def suggest(space: Space, trial: Trial) -> Candidate:
    """Ask an Optuna trial for each decision that is met; Optuna's random sampler then draws them from our prior."""
    candidate: Candidate = {}
    resolve(space.tree, lambda hole: _ask(trial, hole), candidate)
    return candidate


def told(space: Space, observation: Observation) -> FrozenTrial:
    """An observation as Optuna keeps it: complete, running, or pruned.

    Optuna ranks pruned trials by their last step, below all that are complete. So a trial that learnt nothing is told
    as one pruned at step 0.
    """
    decisions = decided(space, observation.candidate)
    epochs = 0 if observation.is_lost else observation.stopped_after
    if observation.objective is None:
        return _trial(decisions, state=TrialState.RUNNING)
    if epochs is None:
        return _trial(decisions, value=observation.objective)
    return _trial(decisions, state=TrialState.PRUNED, intermediate_values={epochs: observation.objective})


def individual(decisions: Decisions, values: tuple[float, float]) -> FrozenTrial:
    """One of a finished generation, with its two objectives."""
    return _trial(decisions, values=values, system_attrs={_GENERATION: 0})


def decided(space: Space, candidate: Candidate) -> Decisions:
    """Key → hole and its value, of each hole that a candidate decides."""
    met: Decisions = {}

    def note(hole: Hole) -> Value:
        value = candidate[hole.path]
        met[hole.key] = hole, value
        return value

    resolve(space.tree, note, {})
    return met


class _Fixed(dict[str, BaseDistribution]):
    """Distributions, which nobody changes. A study copies its trials; copying these too took most of an ask's time."""

    def __deepcopy__(self, memo: dict[int, object]) -> _Fixed:
        return self


def _trial(decisions: Decisions, **known: Any) -> FrozenTrial:
    parameters = {key: _told(hole.domain, value) for key, (hole, value) in decisions.items()}
    distributions = {key: _distribution(hole.domain) for key, (hole, _) in decisions.items()}
    trial = optuna.create_trial(params=parameters, distributions=distributions, **known)
    trial.distributions = _Fixed(distributions)
    return trial


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
