"""`striate space …`: what can be known of a space without training anything."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from search.cli.options import JsonOption, output
from search.cli.space_count import count
from search.cli.space_draw import draw
from search.cli.space_lint import lint
from search.cli.space_sample import sample
from search.cli.space_schema import schema
from space.parse import find, parse_space

space = typer.Typer(help="Look at a space without training anything.", no_args_is_help=True, rich_markup_mode=None)


@space.callback()
def _group() -> None:
    """Look at a space without training anything."""


@space.command()
def check(
    file: Annotated[str, typer.Argument(help="File of a space or an architecture, or the name of a shipped one.")],
    json_: JsonOption = False,
) -> None:
    """Check a space: every rule of the language, and that what it describes fits together.

    Example: striate space check digits
    """
    found = parse_space(*find(file))
    paths = list(dict.fromkeys(hole.path for hole in found.holes))
    if json_:
        output().print(json.dumps({"name": found.name, "decisions": paths}, indent=2))
        return
    kind = f"a space of {len(paths)} decisions" if paths else "an architecture, without holes"
    output().print(f"{file} is right: {kind}.")


space.command()(count)
space.command()(sample)
space.command()(schema)
space.command()(lint)
space.command()(draw)
