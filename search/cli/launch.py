"""`striate launch`: begin a search, or go on with one."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from search.asks import SAMPLERS
from search.cli.options import DEFAULT_HOME, DataDirOption, HomeOption, invocation, output
from search.history import ENDS, History
from search.home import Home
from search.launch import Outcome, create, drive
from search.progress import ProgressDisplay
from search.settings import SearchSettings
from space.errors import StriateError, UsageError
from space.lint import lint
from space.parse import find, parse_space

DEFAULT_TRIALS = 40
DEFAULT_SAMPLER = "hyperopt"
SAMPLER_NAMES = f"{', '.join(SAMPLERS)}.  [default: {DEFAULT_SAMPLER}]"


def launch(
    space: Annotated[str | None, typer.Argument(help="File of a space, or the name of a shipped one.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the search; the space's with a number if left out.")] = None,
    sampler: Annotated[str | None, typer.Option(help=f"Who proposes trials: {SAMPLER_NAMES}")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help=f"Trials in all.  [default: {DEFAULT_TRIALS}]")] = None,
    slots: Annotated[int | None, typer.Option(min=1, help="Trials at once.  [default: one a GPU, or a CPU]")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Decides every draw.  [default: 0]")] = None,
    data_dir: DataDirOption = None,
    mlflow: Annotated[str | None, typer.Option(help="MLflow server to mirror to.  [default: a store in HOME]")] = None,
    resume: Annotated[str | None, typer.Option(help="Go on with the search of this name instead.")] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Begin a search on a space, or go on with one.

    Example: striate launch digits --trials 40
    """
    searches = Home(home)
    if space is None and resume is None:
        rule = "a search begins on a space, or goes on with --resume NAME, but neither was given"
        raise UsageError(f"{rule}; begin with `striate launch digits`")
    if resume is not None:
        if space is not None:
            rule = f"a search that goes on keeps its space, but {space} was given beside --resume {resume}"
            raise UsageError(f"{rule}; take one of them away")
        _refuse_with_resume(name=name, sampler=sampler, seed=seed, data_dir=data_dir, mlflow=mlflow)
        folder = searches.existing(resume)
        asked = len(History.read(folder).trials)
        if trials is not None and trials < asked:
            rule = f"{resume} has {asked} trials already, but --trials {trials} was given for all of them"
            raise UsageError(f"{rule}; give more, or leave it out")
    else:
        assert space is not None
        read = parse_space(*find(space))
        settings = SearchSettings(
            name=name or searches.free_name(read.name),
            sampler=sampler or DEFAULT_SAMPLER,
            seed=seed or 0,
            data_folder=str(data_dir.resolve()) if data_dir else None,
            tracking_uri=mlflow,
        )
        _refuse_address(mlflow)
        folder = create(searches, read, settings, trials or DEFAULT_TRIALS)
        if warnings := lint(read):
            output().print(f"Warning: {warnings[0]}")
            output().print(f"`striate space lint {shlex.quote(space)}` tells all {len(warnings)} warnings.")
        if not read.holes:
            output().print(f"{read.name} leaves nothing open, so its trials differ by their seeds alone.")
    console = output()
    console.print(f"Search {folder.name}, record {folder / 'record.sqlite'}; Ctrl-C stops it, and it can go on later.")
    with ProgressDisplay(console) as display:
        outcome = drive(searches, folder, max_trials=trials, slots=slots, on_event=display.update)
    for line in _closing_lines(outcome, home):
        console.print(line)
    if outcome.why == "interrupted":
        raise typer.Exit(130)
    if outcome.best is None:
        raise StriateError(f"no trial of {folder.name} is complete; `striate status` tells why they failed")


def _refuse_with_resume(**given: object) -> None:
    """What was decided when a search began stays so."""
    for option, value in given.items():
        if value is not None:
            flag = "--" + option.replace("_", "-")
            raise UsageError(f"a search that goes on keeps what it began with, but {flag} was given; take it away")


def _refuse_address(mlflow: str | None) -> None:
    if mlflow is not None and (not mlflow.startswith(("http://", "https://")) or "@" in mlflow):
        rule = "--mlflow is the address of a server, http://… or https://…, without a password in it"
        raise UsageError(f"{rule}, but {mlflow!r} was given; MLFLOW_TRACKING_USERNAME and _PASSWORD hold credentials")


def _closing_lines(outcome: Outcome, home: Path) -> list[str]:
    history = outcome.history
    striate = invocation()
    where = "" if home == DEFAULT_HOME else f" --home {shlex.quote(str(home))}"
    ends = ", ".join(f"{history.count(end)} {end}" for end in ENDS)
    done = f"{len(history.ended)} of {history.max_trials} trials ended ({ends})"
    lines = [f"Search {outcome.folder.name} {outcome.why}: {done}."]
    if outcome.best is not None and history.best is not None:
        best = history.best
        lines.append(
            f"Best: trial {best.number}, validation top-1 {best.objective:.4f}, {best.parameters:,} parameters."
        )
        lines.append(f"Best architecture: {outcome.best}  ({striate} describe {outcome.best})")
    lines.append(f"Record: {outcome.folder / 'record.sqlite'}  ({striate} status {outcome.folder.name}{where})")
    lines.append(f"MLflow UI: {striate} ui {outcome.folder.name}{where}")
    if outcome.behind:
        lines.append(f"MLflow is behind ({outcome.behind}); `striate launch --resume` brings it up to date.")
    if outcome.why == "interrupted":
        lines.append(f"Go on: {striate} launch --resume {outcome.folder.name}{where}")
    return lines
