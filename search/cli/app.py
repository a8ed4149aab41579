"""The command line put together, and how errors leave it."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from search.cli.compare import compare_
from search.cli.describe import describe
from search.cli.export import export
from search.cli.import_json import import_
from search.cli.launch import launch
from search.cli.options import output
from search.cli.replicate import replicate
from search.cli.retry import retry
from search.cli.space import space
from search.cli.status import status
from search.cli.sync import sync
from search.cli.train import train
from search.cli.trials import trials
from search.cli.ui import ui
from space.errors import StriateError

app = typer.Typer(
    name="striate",
    help="Search the architectures of convolutional recurrent networks. Begin with: striate launch digits",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        output().print(f"striate {version('striate')}")
        raise typer.Exit


@app.callback()
def _of_all_commands(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None: ...


app.command()(launch)
app.command()(status)
app.command()(trials)
app.command("compare")(compare_)
app.command()(retry)
app.command()(replicate)
app.command()(sync)
app.command()(ui)
app.command()(export)
app.command()(describe)
app.command("import")(import_)
app.command()(train)
app.add_typer(space, name="space")


def main() -> None:
    """Run the command line; what the user can mend is told in one sentence, without a traceback."""
    try:
        app()
    except StriateError as error:
        Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False).print(f"Error: {error}")
        sys.exit(error.exit_status)
