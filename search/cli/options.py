"""Options that several commands have."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console

from trainers.data import registry

DATA_SETS = ", ".join(registry.READERS)

HomeOption: TypeAlias = Annotated[
    Path, typer.Option("--home", envvar="STRIATE_HOME", help="Folder of all searches.", show_default=True)
]
DataDirOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--data-dir", help=f"Folder of the files of the data set ({DATA_SETS}), if not the usual one."),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
SearchArgument: TypeAlias = Annotated[str | None, typer.Argument(help="Name of a search; the latest one if left out.")]

DEFAULT_HOME = Path("searches")
UNBOUND = 1_000  # characters of a line that no terminal cuts


class _Output(Console):
    """Standard output; when nobody reads it any more, as after `| head`, the command goes on in silence."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def output() -> Console:
    """Where results go."""
    return _Output(highlight=False, soft_wrap=True, markup=False, emoji=False)


def invocation() -> str:
    """How the user can call this program again from where they are."""
    program = Path(sys.argv[0])
    on_path = shutil.which(program.name)
    if on_path and Path(on_path).resolve() == program.resolve():
        return program.name
    near = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    return shlex.quote(str(near))
