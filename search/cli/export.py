"""`striate export`: an architecture out of a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import DEFAULT_HOME, HomeOption, SearchArgument, output
from search.driver import settings_of
from search.export import architecture_text, trial_or_best, write_text
from search.history import History
from search.home import Home


def export(
    name: SearchArgument = None,
    trial: Annotated[int | None, typer.Option(help="Number of a trial.  [default: the best one]")] = None,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.  [default: standard output]")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Export an architecture of a search, by default the best, as a YAML file that trains anywhere.

    Example: striate export digits-1 -o best.yaml
    """
    history = History.read(Home(home).existing(name))
    chosen = trial_or_best(history, trial)
    text = architecture_text(history, chosen)
    if file is None:
        typer.echo(text, nl=False)
        return
    write_text(file, text)
    output().print(f"Trial {chosen.number} of {settings_of(history).name} written to {file}")
