"""Broken documents: 20,000 of them are accepted or refused with places, each within a second.

    python -m benchmarks.fuzz [DOCUMENTS] [SEED]

They are mutants of the shipped files, random documents of every key of the language, and mutants of those. The same
kinds run in the tests at a smaller number. The slowest of them stands beside the slowest shipped file that
was read in the same run, so that the ratio says whether a document can make reading explode.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from test_space_fuzz import TEXTS, broken, parses_or_tells


def seconds_to_read(text: str) -> tuple[float, bool]:
    """How long a text takes, and whether it is a space; what is neither a space nor located sentences raises."""
    begun = time.process_time()  # of this process alone, whatever else the machine does
    accepted = parses_or_tells(text)
    return time.process_time() - begun, accepted


def main(documents: int = 20_000, seed: int = 0) -> None:
    """Print how many documents were accepted and refused, and the slowest."""
    rng = random.Random(seed)
    shipped = max(seconds_to_read(text)[0] for text in TEXTS)
    times = []
    accepted = 0
    for _ in range(documents):
        spent, is_space = seconds_to_read(broken(rng))
        times.append(spent)
        accepted += is_space
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{documents:,} documents: {accepted:,} are spaces, {documents - accepted:,} are refused with places, 0 raise"
    )
    print(
        f"slowest {max(times):.3f} s, {max(times) / shipped:.1f} times the slowest shipped file; peak {memory:.0f} MB"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
