"""Hyperopt and Optuna as their own users run them, on the same tables."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import hyperopt
import numpy as np
import optuna

from space.space import Candidate, Space
from space.tree import Choice, Integers

Objective = Callable[[Candidate], float]


def fmin(space: Space, objective: Objective, queries: int, seed: int) -> None:
    """Hyperopt's `fmin` with its TPE."""
    expression = {}
    for hole in space.holes:
        match hole.domain:
            case Choice(labels=labels):
                expression[hole.path] = hyperopt.hp.choice(hole.path, labels)
            case Integers(low, high):
                logs = math.log(low - 0.5), math.log(high + 0.5)
                expression[hole.path] = hyperopt.pyll.scope.int(hyperopt.hp.qloguniform(hole.path, *logs, 1))
            case domain:
                expression[hole.path] = hyperopt.hp.loguniform(hole.path, math.log(domain.low), math.log(domain.high))
    hyperopt.fmin(
        lambda candidate: -objective(candidate),
        expression,
        algo=hyperopt.tpe.suggest,
        max_evals=queries,
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
        verbose=False,
    )


def optimize(space: Space, objective: Objective, queries: int, seed: int, **settings: bool) -> None:
    """Optuna's `study.optimize` with its TPE."""

    def trial_objective(trial: optuna.Trial) -> float:
        candidate: Candidate = {}
        for hole in space.holes:
            match hole.domain:
                case Choice(labels=labels):
                    candidate[hole.path] = trial.suggest_categorical(hole.path, labels)
                case Integers(low, high):
                    candidate[hole.path] = trial.suggest_int(hole.path, low, high, log=True)
                case domain:
                    candidate[hole.path] = trial.suggest_float(hole.path, domain.low, domain.high, log=True)
        return objective(candidate)

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, **settings))
    study.optimize(trial_objective, n_trials=queries)


def random_search(space: Space, objective: Objective, queries: int, seed: int) -> None:
    """Draws from the prior, duplicates and all."""
    rng = random.Random(seed)
    for _ in range(queries):
        objective(space.sample(rng))
