"""`striate space sample`: what a space holds, by example."""

from __future__ import annotations

import json
import random
from typing import Annotated

import typer

from search.cli.options import JsonOption, output
from space.parse import find, parse_space, to_yaml


def sample(
    file: Annotated[str, typer.Argument(help="File of a space or an architecture, or the name of a shipped one.")],
    number: Annotated[int, typer.Option("-n", "--number", help="How many to draw.", min=1, max=100_000)] = 3,
    seed: Annotated[int, typer.Option("--seed", help="The same seed draws the same ones.", min=0)] = 0,
    json_: JsonOption = False,
) -> None:
    """Draw architectures of a space from its prior, as YAML documents; with --json, their decisions alone.

    Example: striate space sample digits -n 1
    """
    space = parse_space(*find(file))
    rng = random.Random(seed)
    candidates = [space.sample(rng) for _ in range(number)]
    if json_:
        output().print(json.dumps(candidates, indent=2), markup=False)
        return
    for place, candidate in enumerate(candidates, start=1):
        architecture, _ = space.fill(candidate)
        text = to_yaml(architecture, comment=f"sample {place} of {space.name}, seed {seed}")
        output().print(f"---\n{text}" if place > 1 else text, markup=False, end="")
