"""How few trials each sampler needs, beside Hyperopt and Optuna run by themselves.

    python -m benchmarks.samplers [--table cifar100] [--by seen] [--seeds 100] [--only NAME …] [--processes 1]

Tables: `cifar100`, `cifar10`, `imagenet` of NAS-Bench-201; `hpolib`, where seed s searches the (s mod 4)th task. Ours
ask as the service does (`search.asks`): every tenth ask is from the prior, and a trial with a known key costs no query.
The regret of a search is that of its best trial by what it saw, measured by the mean over the table's seeds: how far it
is from the best of the table, in points. With `--by mean` it is that of the best trial by this mean, which no search
knows: what is left of the regret is then the sampler's, and not of the luck of a trial's seed.
Intervals are 95 % bootstraps over seeds.
"""

from __future__ import annotations

import argparse
import functools
import math
import multiprocessing
import random
import warnings
from collections.abc import Callable
from time import process_time

import numpy as np
import optuna

import search.asks
from benchmarks import sampler_peers, tables
from search.appraise import Appraisal, appraise
from search.asks import Asks
from search.samplers.sampler import Observation, Observed
from search.settings import SearchSettings
from space.space import Candidate, Space

MARKS = 150, 300  # queries
HPOLIB = "hpolib"
SEEN, MEAN = "seen", "mean"
OURS = {
    "random": ("random", 1),
    "evolution": ("evolution", 1),
    "evolution, warm-up 30": ("evolution", 30),
    "local": ("local", 1),
    "local, warm-up 30": ("local", 30),
    "optuna": ("optuna", 1),
    "hyperopt": ("hyperopt", 1),
}
PEERS: dict[str, Callable[..., None]] = {
    "random search without keys": sampler_peers.random_search,
    "Hyperopt's fmin": sampler_peers.fmin,
    "Optuna's optimize": sampler_peers.optimize,
    "Optuna's optimize, univariate": functools.partial(sampler_peers.optimize, multivariate=False),
}


class Queries:
    """Answers queries, and keeps the regret after each."""

    def __init__(self, table: tables.Table, seed: int, by: str) -> None:
        self.table = table
        self.by = by
        self.rng = random.Random(f"queries {seed}")
        self.regret = math.inf
        self.regrets: list[float] = []
        self.highest = -math.inf

    def __call__(self, candidate: Candidate) -> float:
        """The accuracy that a trial would have."""
        value, mean = self.table.query(candidate, self.rng), self.table.mean(candidate)
        judged = value if self.by == SEEN else mean
        if judged > self.highest:
            self.highest = judged
            self.regret = self.table.best - mean
        self.regrets.append(self.regret)
        return value


_appraised: dict[tuple[str, tuple[tuple[str, object], ...]], Appraisal] = {}


def appraise_once(space: Space, candidate: Candidate) -> Appraisal:
    """`appraise`, whose answers are kept: the tables are small, and every search meets the same architectures."""
    key = space.name, tuple(candidate.items())
    if key not in _appraised:
        _appraised[key] = appraise(space, candidate)
    return _appraised[key]


def searched(space: Space, queries: Queries, number: int, seed: int, sampler: str, warm_up: int) -> None:
    """A search of ours: one trial at a time, asked as the service asks."""
    asks = Asks(space, SearchSettings(name="benchmark", sampler=sampler, seed=seed, warm_up=warm_up))
    observed, known, objectives = Observed(), {}, {}
    asked = duplicates = 0
    while len(queries.regrets) < number:
        asked += 1
        ask = asks.ask(asked, observed, known, duplicates)
        if ask is None:
            raise RuntimeError("the space is exhausted")
        duplicates = 0 if ask.duplicate_of is None else duplicates + 1
        if ask.duplicate_of is None:
            known[ask.appraisal.key] = asked
            objectives[asked] = queries(ask.proposal.candidate) / 100
        observed.add(
            Observation(
                number=asked,
                candidate=ask.proposal.candidate,
                objective=objectives[ask.duplicate_of or asked],
                duplicate_of=ask.duplicate_of,
                parameters=ask.appraisal.parameters,
                multiply_adds=ask.appraisal.multiply_adds,
            )
        )


@functools.cache
def table_of(name: str, task: int) -> tables.Table:
    """A table; of HPOLib that of a task."""
    return tables.hpolib(tables.TASKS[task]) if name == HPOLIB else tables.nasbench_201(name)


def run(work: tuple[str, str, str, int]) -> list[float]:
    """One search: the query that brings it near the best, its regret at each of `MARKS`, and milliseconds a query."""
    row, name, by, seed = work
    table = table_of(name, seed % len(tables.TASKS) if name == HPOLIB else 0)
    queries = Queries(table, seed, by)
    begun = process_time()
    if row in OURS:
        searched(table.space, queries, MARKS[-1], seed, *OURS[row])
    else:
        PEERS[row](table.space, queries, MARKS[-1], seed)
    spent = process_time() - begun
    near = (query for query, regret in enumerate(queries.regrets, start=1) if regret <= table.near)
    return [next(near, math.inf), *(queries.regrets[mark - 1] for mark in MARKS), 1e3 * spent / MARKS[-1]]


def prepare() -> None:
    """Make a process ready to search."""
    search.asks.appraise = appraise_once
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)


def interval(values: np.ndarray, statistic: Callable[..., np.ndarray]) -> str:
    """A statistic over seeds with its 95 % bootstrap interval."""
    drawn = np.random.default_rng(0).choice(values, (2_000, len(values)))
    low, high = np.percentile(statistic(drawn, axis=1), [2.5, 97.5], method="nearest")
    digits = 1 if statistic is np.median else 2
    shown = [f"{each:.{digits}f}" if math.isfinite(each) else "more" for each in (statistic(values), low, high)]
    return f"{shown[0]} ({shown[1]}–{shown[2]})"


def main() -> None:
    """Print a row for each sampler."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", default="cifar100", choices=["cifar100", "cifar10", "imagenet", HPOLIB])
    parser.add_argument("--by", default=SEEN, choices=[SEEN, MEAN])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[*OURS, *PEERS])
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    print(f"{given.table}, by {given.by}, seeds {seeds[0]} to {seeds[-1]}")
    print(f"| sampler | queries | {' | '.join(f'regret @{mark}' for mark in MARKS)} | ms a query |")
    print("|---|---|---|---|---|")
    with multiprocessing.Pool(given.processes, prepare) as pool:
        for row in given.only:
            found = np.array(pool.map(run, [(row, given.table, given.by, seed) for seed in seeds], chunksize=1))
            cells = [interval(found[:, 0], np.median), *(interval(each, np.mean) for each in found.T[1:-1])]
            print(f"| {row} | {' | '.join(cells)} | {found[:, -1].mean():.1f} |", flush=True)


if __name__ == "__main__":
    main()
