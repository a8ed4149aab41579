"""`striate replicate`: a trial is repeated with other seeds."""

from __future__ import annotations

from typing import Annotated

import typer

from search.cli.going_on import go_on
from search.cli.options import DEFAULT_HOME, HomeOption, SearchArgument
from search.export import trial_or_best
from search.history import History, Trial
from search.home import Home
from search.launch import Given
from search.record import refuse_driven
from space.errors import UsageError


def replicate(
    name: SearchArgument = None,
    trial: Annotated[int | None, typer.Option(min=1, help="Number of a trial.  [default: the best one]")] = None,
    times: Annotated[int, typer.Option(min=1, max=1000, help="How many times.")] = 5,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Repeat a trial of a search with other seeds, to know how much of its top-1 was luck; samplers are not told.

    Example: striate replicate digits-1 --times 5
    """
    searches = Home(home)
    folder = searches.existing(name)
    refuse_driven(folder)
    chosen = trial_or_best(History.read(folder), trial)
    _refuse_what_cannot_be_repeated(chosen)
    go_on(searches, folder, Given(), before=lambda driver: driver.replicate(chosen.number, times))


def _refuse_what_cannot_be_repeated(trial: Trial) -> None:
    for original, is_what in ((trial.duplicate_of, "a duplicate"), (trial.replicate_of, "itself a replicate")):
        if original is not None:
            raise UsageError(f"trial {trial.number} is {is_what} of trial {original}; give --trial {original}")
    if trial.end != "complete":
        rule = "only a complete trial is repeated"
        raise UsageError(f"{rule}, but trial {trial.number} is {trial.end or 'unfinished'}; give another one")
