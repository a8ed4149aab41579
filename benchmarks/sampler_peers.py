"""Hyperopt and Optuna as their own users run them, on the same tables."""

from __future__ import annotations

import random
from collections.abc import Callable

import hyperopt
import numpy as np
import optuna

from benchmarks.tables import options
from space.space import Candidate, Space

Objective = Callable[[Candidate], float]


def fmin(space: Space, objective: Objective, queries: int, seed: int) -> None:
    """Hyperopt's `fmin` with its TPE."""
    hyperopt.fmin(
        lambda candidate: -objective(candidate),
        {path: hyperopt.hp.choice(path, labels) for path, labels in options(space).items()},
        algo=hyperopt.tpe.suggest,
        max_evals=queries,
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
        verbose=False,
    )


def optimize(space: Space, objective: Objective, queries: int, seed: int, **settings: bool) -> None:
    """Optuna's `study.optimize` with its TPE."""

    def trial_objective(trial: optuna.Trial) -> float:
        return objective({path: trial.suggest_categorical(path, labels) for path, labels in options(space).items()})

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, **settings))
    study.optimize(trial_objective, n_trials=queries)


def random_search(space: Space, objective: Objective, queries: int, seed: int) -> None:
    """Draws from the prior, duplicates and all."""
    rng = random.Random(seed)
    for _ in range(queries):
        objective(space.sample(rng))
