"""What every command does that drives a search: show it, and say in the end what was found and how to go on."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import typer

from search.budget import Budget
from search.cli.options import DEFAULT_HOME, invocation, output
from search.driver import Driver
from search.history import ENDS
from search.home import Home
from search.launch import Given, Outcome, drive
from search.progress import ProgressDisplay
from search.standing import replicates
from space.errors import StriateError


def go_on(home: Home, folder: Path, given: Given, before: Callable[[Driver], object] = lambda driver: None) -> None:
    """Drive a search; arguments as `drive` has them.

    Raises:
        StriateError: no trial is complete.
        typer.Exit: it was interrupted.

    """
    console = output()
    console.print(f"Search {folder.name}, record {folder / 'record.sqlite'}; Ctrl-C stops it, and it can go on later.")
    try:
        with ProgressDisplay(console) as display:
            outcome = drive(home, folder, given=given, on_event=display.update, before=before)
    except KeyboardInterrupt:  # a second one, which does not wait for what the first has to do
        console.print(_way_on(folder, home.path))
        raise typer.Exit(130) from None
    for line in _closing_lines(outcome, home.path):
        console.print(line)
    if outcome.status == "interrupted":
        raise typer.Exit(130)
    if outcome.best is None:
        way_out = "`striate status` tells of those that ended, and `striate launch --resume` takes a larger budget"
        raise StriateError(f"no trial of {folder.name} is complete; {way_out}")


def _closing_lines(outcome: Outcome, home: Path) -> list[str]:
    history = outcome.history
    striate, where = invocation(), _where(home)
    ends = ", ".join(f"{number} {end}" for end in ENDS if (number := history.count(end)))
    done = f"{history.ended_counted} of {Budget.of(history).max_trials} trials ended ({ends or 'none'})"
    why = f" ({history.why})" if history.why else ""
    lines = [f"Search {outcome.folder.name} {outcome.status}{why}: {done}."]
    if outcome.best is not None and history.best is not None:
        best = history.best
        lines.append(
            f"Best: trial {best.number}, validation top-1 {best.objective:.4f}, {best.parameters:,} parameters."
        )
        if again := replicates(history, best.number):
            lines.append(f"Its replicates: {', '.join(f'{value:.4f}' for value in again)}; mean {fmean(again):.4f}.")
        lines.append(f"Best architecture: {outcome.best}  ({striate} describe {outcome.best})")
    lines.append(f"Record: {outcome.folder / 'record.sqlite'}  ({striate} status {outcome.folder.name}{where})")
    lines.append(f"MLflow UI: {striate} ui {outcome.folder.name}{where}")
    if outcome.behind:
        lines.append(
            f"MLflow is behind ({outcome.behind}); {striate} sync {outcome.folder.name}{where} brings it up to date."
        )
    if outcome.status == "interrupted":
        lines.append(_way_on(outcome.folder, home))
    return lines


def _way_on(folder: Path, home: Path) -> str:
    return f"Go on: {invocation()} launch --resume {folder.name}{_where(home)}"


def _where(home: Path) -> str:
    return "" if home == DEFAULT_HOME else f" --home {shlex.quote(str(home))}"
