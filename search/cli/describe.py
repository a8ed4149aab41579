"""`striate describe`: what an architecture is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from search.cli.describe_tables import print_facts
from search.cli.options import JsonOption, output
from search.export import write_text
from space.description import description
from space.draw_plan import draw_plan
from space.parse import find, parse_architecture


def describe(
    file: Annotated[str, typer.Argument(help="File of an architecture, or the name of a shipped one.")],
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Draw what is computed at which step, as an SVG file.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Print an architecture's areas, cells and edges, when each matters and what it costs.

    Example: striate describe digits-rgc --plan digits-rgc.svg
    """
    architecture, graph = parse_architecture(*find(file))
    if plan is not None:
        write_text(plan, draw_plan(architecture, graph))
    facts = description(architecture, graph)
    console = output()
    if json_:
        console.print(json.dumps(facts, indent=2))
        return
    print_facts(facts, console)
    if plan is not None:
        console.print(f"Wrote {plan}: open it in a browser; point at a cell to read what it is.")
