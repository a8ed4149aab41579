"""How samplers bear noise in large spaces, for which there is no table: an objective that is planted.

    python -m benchmarks.planted [SPACE …]

Every option of a decision, and every pair of options of decisions that follow one another, is worth a normal draw. An
objective is the sum of these, in standard deviations of the prior's draws; a trial sees it with noise. Printed is what
the best trial by what was seen is worth, the mean over seeds with its standard error. Every tenth ask is of the prior.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys
from collections.abc import Callable

from search.asks import PRIOR_EVERY
from search.samplers.registry import SAMPLERS
from search.samplers.sampler import Observation, Observed, SamplerOptions
from space.parse import find, parse_space
from space.space import Candidate, Space
from space.tree import Value

SEEDS = 20
MARKS = 150, 300  # trials
NOISES = 0.0, 0.5, 1.0
DRAWS = 200  # of the prior, by which objectives are scaled
SHOWN = ("random", "evolution", "local")


def planted(space: Space, seed: int) -> Callable[[Candidate], float]:
    """An objective; of a real number what is worth something is its logarithm, in steps of a half."""
    worth: dict[str, float] = {}

    def worth_of(*decisions: tuple[str, Value]) -> float:
        key = f"{seed} {decisions}"
        if key not in worth:
            worth[key] = random.Random(key).gauss(0, 1)
        return worth[key]

    def total(candidate: Candidate) -> float:
        decisions = [
            (path, round(2 * math.log(abs(value) + 1e-9)) if isinstance(value, float) else value)
            for path, value in candidate.items()
        ]
        return sum(map(worth_of, decisions)) + sum(itertools.starmap(worth_of, itertools.pairwise(decisions)))

    rng = random.Random(seed)
    drawn = [total(space.sample(rng)) for _ in range(DRAWS)]
    middle, deviation = statistics.fmean(drawn), statistics.stdev(drawn)
    return lambda candidate: (total(candidate) - middle) / deviation


def searched(space: Space, name: str, noise: float, seed: int) -> list[float]:
    """What the best trial is worth after each of `MARKS`."""
    objective = planted(space, seed)
    rng = random.Random(f"noise {seed}")
    samplers = {each: SAMPLERS[each](space, SamplerOptions()) for each in (name, "random")}
    observed = Observed()
    highest, best, found = -math.inf, 0.0, []
    for number in range(1, MARKS[-1] + 1):
        sampler = samplers["random" if number % PRIOR_EVERY == 0 else name]
        candidate = sampler.ask(observed, rng.getrandbits(32)).candidate
        worth = objective(candidate)
        seen = worth + rng.gauss(0, noise)
        observed.add(Observation(number=number, candidate=candidate, objective=seen))
        if seen > highest:
            highest, best = seen, worth
        if number in MARKS:
            found.append(best)
    return found


def main(spaces: list[str]) -> None:
    """Print a row for each space, noise and sampler."""
    print(f"| space | noise | sampler | {' | '.join(f'@{mark}' for mark in MARKS)} |\n|---|---|---|---|---|")
    for name in spaces or ["fashion", "convrnn-2018"]:
        space = parse_space(*find(name))
        for noise, sampler in itertools.product(NOISES, SHOWN):
            found = zip(*(searched(space, sampler, noise, seed) for seed in range(SEEDS)), strict=True)
            cells = [f"{statistics.fmean(each):.2f} ± {statistics.stdev(each) / SEEDS**0.5:.2f}" for each in found]
            print(f"| {name} | {noise} | `{sampler}` | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
