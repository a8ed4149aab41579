"""`striate space draw`: a picture of a space or an architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import output
from space.draw import draw as to_svg
from space.errors import UsageError
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
    drawing = to_svg(parse_space(*find(file)), cell)
    try:
        to.write_text(drawing, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{to} cannot be written: {error.strerror}; name another file with `-o`") from None
    output().print(f"Wrote {to}: open it in a browser; point at a line to read what it is.", markup=False)
