"""`striate space draw`: a picture of a space or an architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import output
from search.export import write_text
from space.draw import draw as to_svg
from space.parse import find, parse_space


def draw(
    file: Annotated[str, typer.Argument(help="File of a space or an architecture, or the name of a shipped one.")],
    to: Annotated[Path, typer.Option("-o", "--output", help="File to write.")] = Path("space.svg"),
    cell: Annotated[
        str | None,
        typer.Option("--cell", metavar="AREA", help="Area whose cell is drawn; the first with a state if left out."),
    ] = None,
) -> None:
    """Draw a space as one SVG file: areas, edges and a cell, with what is optional dashed.

    Example: striate space draw digits -o digits.svg
    """
    write_text(to, to_svg(parse_space(*find(file)), cell))
    output().print(f"Wrote {to}: open it in a browser; point at a line to read what it is.", markup=False)
