"""`striate import`: an architecture out of the file of another package."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import output
from search.export import write_text
from space.errors import UsageError
from space.import_json import Wishes, import_json

Unroll = StrEnum("Unroll", ["biological", "sweep"])
CellWord = StrEnum("CellWord", ["lstm", "gru", "ugrnn", "intersection", "simple"])
Pool = StrEnum("Pool", ["mean", "none"])


def import_(
    file: Annotated[Path, typer.Argument(help="JSON file of tnn, convrnns or PyTorchTNN.")],
    to: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.  [default: standard output]")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Steps.  [default: the file's, or until an image is read out]")
    ] = None,
    unroll: Annotated[Unroll, typer.Option(help="How time is unrolled.")] = Unroll.biological,
    cell: Annotated[
        CellWord | None, typer.Option(help="Which cell a memory with a filter_size is, as convrnns' files do not say.")
    ] = None,
    readout: Annotated[
        Pool | None, typer.Option(help="A linear read-out, of means or of the whole map, in the place of the file's.")
    ] = None,
    data: Annotated[str, typer.Option(help="Data set to write under `train`.")] = "imagenet",
) -> None:
    """Import the nodes and edges of a public package for temporal networks as an architecture.

    Example: striate import network.json -o network.yaml
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise UsageError(f"{file} cannot be read: {reason}; give the path of a JSON file") from None
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", file.stem).strip("-")
    wishes = Wishes(steps, unroll.value, cell.value if cell else None, readout.value if readout else None, data)
    written = import_json(text, str(file), name if name[:1].isalpha() else f"imported-{name}".strip("-"), wishes)
    if to is None:
        typer.echo(written, nl=False)
        return
    write_text(to, written)
    comments = [line.removeprefix("# ") for line in written.splitlines() if line.startswith("#")]
    output().print("\n".join([f"Wrote {to}", *comments]))
