"""`striate retry`: failed trials are tried again."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from search.cli.going_on import go_on
from search.cli.options import DEFAULT_HOME, HomeOption, SearchArgument
from search.failures import FailureKind
from search.history import History
from search.home import Home
from search.launch import Given
from search.record import refuse_driven
from space.errors import UsageError, did_you_mean

UNFIT = "unfit"
RETRIED = [kind for kind in get_args(FailureKind) if kind != UNFIT]


def retry(
    name: SearchArgument = None,
    failed: Annotated[bool, typer.Option("--failed", help="Try every failed trial again.")] = False,
    kind: Annotated[str | None, typer.Option(help=f"Only those that failed so: {', '.join(RETRIED)}.")] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Try a search's failed trials again, under their own numbers, and go on with the search.

    Example: striate retry digits-1 --failed
    """
    if not failed and kind is None:
        raise UsageError("a search is told which trials to try again, but nothing was given; give --failed")
    if kind == UNFIT:
        raise UsageError(
            f"trials fail as {UNFIT} when their parts do not fit together, and always will; mend the space"
        )
    if kind is not None and kind not in RETRIED:
        raise UsageError(
            f"a trial fails as one of {', '.join(RETRIED)}, but {kind!r} was given; {did_you_mean(kind, RETRIED)}"
        )
    searches = Home(home)
    folder = searches.existing(name)
    refuse_driven(folder)
    kinds = [kind] if kind else RETRIED
    if not any(trial.end == "failed" and trial.kind in kinds for trial in History.read(folder).ended):
        what = f"no trial of {folder.name} failed" + (f" as {kind}" if kind else " that could be tried again")
        raise UsageError(f"{what}; `striate status {folder.name}` tells how they ended")
    go_on(searches, folder, Given(), before=lambda driver: driver.retry_failed(kinds))
