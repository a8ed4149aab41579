"""What a sample costs: drawing candidates of a shipped space and filling them in, beside reading the space's own text.

    python benchmarks/sampling.py [SPACE] [SAMPLES]

The peer is `yaml.safe_load` of the
same text, timed in the same rounds, so that the ratio hardly depends on the machine; its spread over rounds is printed.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable

import yaml

from space.count import count
from space.parse import find, parse_space

ROUNDS = 10


def seconds(work: Callable[[], object]) -> float:
    """How long some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main(name: str = "convrnn-2018", samples: int = 1_000) -> None:
    """Print what drawing and filling in cost, and how many readings of the text that is."""
    text, file = find(name)
    space = parse_space(text, file)
    rng = random.Random(0)
    each_round = max(1, samples // ROUNDS)
    drawing: list[float] = []
    filling: list[float] = []
    reading: list[float] = []
    for _ in range(ROUNDS):
        candidates = [space.sample(rng) for _ in range(each_round)]
        drawing.append(seconds(lambda: [space.sample(rng) for _ in range(each_round)]) / each_round)
        filling.append(seconds(lambda given=candidates: [space.fill(each) for each in given]) / each_round)
        reading.append(seconds(lambda: yaml.safe_load(text)))
    whole = [drawn + filled for drawn, filled in zip(drawing, filling, strict=True)]
    ratios = sorted(one / other for one, other in zip(whole, reading, strict=True))
    counted = count(space)
    print(f"{name}: {counted.candidates:,} candidates of {counted.decisions} decisions, {len(text):,} characters")
    print(f"  {each_round * ROUNDS:,} samples and fills take {sum(whole) * each_round:.1f} s")
    for what, times in (("a sample", drawing), ("a fill", filling), ("yaml.safe_load of its text", reading)):
        print(f"  {what}: {statistics.median(times) * 1e3:.2f} ms")
    middle = statistics.median(ratios)
    print(
        f"  a sample and fill costs {middle:.2f} readings (from {ratios[0]:.2f} to {ratios[-1]:.2f} in {ROUNDS} rounds)"
    )
    print(f"  counting takes {seconds(lambda: count(space)) * 1e3:.0f} ms")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
