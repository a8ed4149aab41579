"""What an ask costs after 100, 1,000 and 10,000 told trials, in milliseconds of processor time.

    python -m benchmarks.ask_cost [SPACE [SAMPLER …]]

Each ask comes after its forerunner's trial was told, as in a search. The trials before are draws from the prior with
objectives drawn at random; every third was stopped by a scheduler. The median of some asks is printed.
"""

from __future__ import annotations

import random
import statistics
import sys
import time

from search.samplers.registry import SAMPLERS
from search.samplers.sampler import Observation, Observed, SamplerOptions
from space.parse import find, parse_space
from space.space import Candidate

SIZES = (100, 1_000, 10_000)
ASKS = 9
DISTINCT = 500  # candidates; more would only take longer to draw


def cost(name: str, space: str, size: int) -> float:
    """The median ask, in milliseconds."""
    parsed = parse_space(*find(space))
    rng = random.Random(0)
    candidates = [parsed.sample(rng) for _ in range(min(size + ASKS, DISTINCT))]

    def trial(number: int, candidate: Candidate) -> Observation:
        stopped = 1 + number % 4 if number % 3 == 0 else None
        return Observation(
            number=number, candidate=candidate, objective=rng.random(), stopped_after=stopped, parameters=number
        )

    observed = Observed(trial(number, candidates[number % len(candidates)]) for number in range(size))
    sampler = SAMPLERS[name](parsed, SamplerOptions())
    proposed = sampler.ask(observed, 0)
    times = []
    for ask in range(ASKS):
        observed.add(trial(size + ask, proposed.candidate))
        begun = time.process_time()
        proposed = sampler.ask(observed, ask)
        times.append(time.process_time() - begun)
    return statistics.median(times) * 1e3


def main(spaces: list[str], names: list[str]) -> None:
    """Print a row for each sampler and space."""
    print(f"| sampler | space | {' | '.join(f'{size:,}' for size in SIZES)} |\n|---|---|---|---|---|")
    for space in spaces or ["fashion", "convrnn-2018"]:
        for name in names:
            cells = [f"{cost(name, space, size):.2f}" for size in SIZES]
            print(f"| {name} | {space} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:2], sys.argv[2:] or list(SAMPLERS))
