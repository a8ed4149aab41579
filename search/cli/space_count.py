"""`striate space count`: how many candidates a space has."""

from __future__ import annotations

import json
import random
from typing import Annotated

import typer

from search.cli.options import JsonOption, output
from space.count import count as count_candidates
from space.parse import find, parse_space

DRAWS = 1_000


def count(
    file: Annotated[str, typer.Argument(help="File of a space or an architecture, or the name of a shipped one.")],
    json_: JsonOption = False,
) -> None:
    """Count the candidates of a space exactly, before constraints; estimate the share that meets those.

    Example: striate space count digits
    """
    space = parse_space(*find(file))
    counted = count_candidates(space)
    feasible = space.feasible_share(random.Random(0), DRAWS) if space.constraints else None
    console = output()
    if json_:
        share = None if feasible is None else feasible._asdict() | {"draws": DRAWS}
        facts = {
            "name": space.name,
            "candidates": counted.candidates,
            "exact": counted.exact,
            "decisions": counted.decisions,
            "continuous": counted.continuous,
            "feasible": share,
        }
        console.print(json.dumps(facts, indent=2), markup=False)
        return
    number = f"{counted.candidates:,}" if counted.exact else f"at most {counted.candidates:,}"
    kind = "discrete candidates" if counted.continuous else "candidates"
    if counted.candidates == 1:
        kind = kind.removesuffix("s")
    console.print(f"{file}: {number} {kind}, of {counted.decisions} decisions.", markup=False)
    if counted.continuous:
        console.print(f"Continuous decisions, apart: {', '.join(counted.continuous)}.", markup=False)
    if feasible is not None:
        interval = f"95 % interval {feasible.low:.1%} to {feasible.high:.1%}"
        console.print(
            f"Of {DRAWS:,} draws from the prior {feasible.share:.1%} meet the constraints ({interval}).", markup=False
        )
        for name, rejected in sorted(feasible.rejected.items(), key=lambda each: -each[1]):
            console.print(f"  {name} rejects {rejected:.1%}", markup=False)
