"""`striate space …`: what can be known of a space without training anything."""

from __future__ import annotations

import json
import random
from typing import Annotated

import typer

from search.cli.options import JsonOption, output
from search.cli.space_count import count
from search.cli.space_draw import draw
from search.cli.space_lint import lint
from search.cli.space_list import list_
from search.cli.space_sample import sample
from search.cli.space_schema import schema
from search.launch import check_data
from space.errors import SpecificationError
from space.lint import lint as find_warnings
from space.parse import find, parse_space

CHECKED_DRAWS = 500
RARE = 0.01
space = typer.Typer(help="Look at a space without training anything.", no_args_is_help=True, rich_markup_mode=None)


@space.callback()
def _group() -> None:
    """Look at a space without training anything."""


@space.command()
def check(
    file: Annotated[str, typer.Argument(help="File of a space or an architecture, or the name of a shipped one.")],
    json_: JsonOption = False,
) -> None:
    """Check a space: every rule of the language, that what it describes fits together, and that its data is here.

    Example: striate space check digits
    """
    found = parse_space(*find(file))
    paths = list(dict.fromkeys(hole.path for hole in found.holes))
    feasible = found.feasible_share(random.Random(0), CHECKED_DRAWS) if found.constraints else None
    warnings = list(map(str, find_warnings(found)))
    try:
        check_data(found, None)
    except SpecificationError as error:
        warnings.append(f"`launch` would refuse it here: {error}")
    if feasible and feasible.share < RARE:
        name = max(feasible.rejected, key=lambda each: feasible.rejected[each])
        rule = f"under {RARE:.0%} of draws meet the constraints, so sampling is slow"
        warnings.append(f"{rule}; {name!r} rejects most, {feasible.rejected[name]:.1%}: loosen it.")
    if json_:
        told: dict[str, object] = {"name": found.name, "decisions": paths, "warnings": warnings}
        if feasible:
            told["feasible"] = feasible._asdict()
        output().print(json.dumps(told, indent=2))
        return
    kind = f"a space of {len(paths)} decisions" if paths else "an architecture, without holes"
    output().print(f"{file} is right: {kind}.")
    if feasible:
        interval = f"{feasible.low:.1%} to {feasible.high:.1%}"
        output().print(
            f"{feasible.share:.1%} of {CHECKED_DRAWS} draws meet its constraints (95 % interval {interval})."
        )
    for warning in warnings:
        output().print(f"Warning: {warning}")


space.command("list")(list_)
space.command()(count)
space.command()(sample)
space.command()(schema)
space.command()(lint)
space.command()(draw)
