"""How many samples of a space repeat an architecture that was drawn before, and what it costs to know.

    python benchmarks/duplicates.py [SPACE] [SAMPLES]

Beside the share of functional duplicates (equal architecture hash) stands what a tool finds that compares decisions
alone: samples whose decisions about the architecture, training apart, are the same. The time is that of hashing 1,000
graphs beside that of drawing and lowering them, in the same run.
"""

from __future__ import annotations

import random
import sys
import time

from space.hashes import architecture_hash, candidate_hash
from space.parse import find, parse_space


def main(name: str = "convrnn-2018", samples: int = 1000) -> None:
    """Print both shares, and what hashing costs beside drawing and lowering."""
    space = parse_space(*find(name))
    rng = random.Random(0)
    begun = time.perf_counter()
    candidates = [space.sample(rng) for _ in range(samples)]
    graphs = [space.fill(candidate)[1] for candidate in candidates]
    drawn = time.perf_counter()
    hashes = [architecture_hash(graph) for graph in graphs]
    hashed = time.perf_counter()
    decisions = [
        candidate_hash({path: value for path, value in each.items() if not path.startswith("train.")})
        for each in candidates
    ]
    functional, literal = samples - len(set(hashes)), samples - len(set(decisions))
    print(f"{name}: {samples} samples")
    print(f"  functional duplicates        {functional:5d}  {functional / samples:6.1%}")
    print(f"  equal decisions (the peer)   {literal:5d}  {literal / samples:6.1%}")
    print(f"  drawing and lowering         {drawn - begun:8.2f} s")
    print(f"  normal forms and hashes      {hashed - drawn:8.2f} s  {(hashed - drawn) / (drawn - begun):.2f} of that")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
