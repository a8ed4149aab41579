"""`striate launch`: begin a search, or go on with one."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Annotated, Any, get_args

import typer

from search.budget import Budget
from search.cli.going_on import go_on
from search.cli.options import DEFAULT_HOME, DataDirOption, HomeOption, output
from search.cluster_address import refuse_unreachable
from search.history import History
from search.home import Home
from search.launch import Given, create
from search.samplers.registry import SAMPLERS
from search.samplers.sampler import Size
from search.settings import CHANCE_AFTER, PATIENCE_MINUTES, SearchSettings
from space.errors import UsageError, did_you_mean
from space.lint import lint
from space.parse import find, parse_space

SIZES = get_args(Size)
DEFAULT_TRIALS = 40
DEFAULT_SAMPLER = "evolution"
SAMPLER_NAMES = f"{', '.join(SAMPLERS)}.  [default: {DEFAULT_SAMPLER}]"


def launch(
    space: Annotated[str | None, typer.Argument(help="File of a space, or the name of a shipped one.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the search; the space's with a number if left out.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help=f"Trials in all.  [default: {DEFAULT_TRIALS}]")] = None,
    max_hours: Annotated[float | None, typer.Option(min=0, help="Begin no trial after so many hours.")] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="Nor after so many worker-hours of training.")] = None,
    target: Annotated[float | None, typer.Option(min=0, max=1, help="Nor once this top-1 is reached.")] = None,
    sampler: Annotated[str | None, typer.Option(help=f"Who proposes trials: {SAMPLER_NAMES}")] = None,
    warm_up: Annotated[
        int | None, typer.Option(min=1, help="First candidates are the largest of so many draws.  [default: 1]")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help=f"What nsga2 makes small: {', '.join(SIZES)}.  [default: parameters]")
    ] = None,
    asha: Annotated[bool | None, typer.Option("--asha", help="Stop trials early by successive halving.")] = None,
    grace: Annotated[int | None, typer.Option(min=1, help="Epochs before the first halving.  [default: 1]")] = None,
    reduction: Annotated[
        int | None, typer.Option(min=2, help="Of a rung, the best 1/REDUCTION go on.  [default: 3]")
    ] = None,
    chance_after: Annotated[
        int | None,
        typer.Option(min=0, help=f"End a trial at chance after so many epochs; 0: never.  [default: {CHANCE_AFTER}]"),
    ] = None,
    patience: Annotated[
        float | None,
        typer.Option(min=0.01, help=f"Minutes an epoch may take before it hangs.  [default: {PATIENCE_MINUTES:g}]"),
    ] = None,
    slots: Annotated[int | None, typer.Option(min=1, help="Trials at once.  [default: what fits]")] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs of this machine to use.  [default: all]")] = None,
    address: Annotated[str | None, typer.Option(help="HOST:PORT of a Ray cluster.  [default: this machine]")] = None,
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
    if address is not None:
        refuse_unreachable(address)
    elif gpus:
        _refuse_missing(gpus)
    if space is None and resume is None:
        rule = "a search begins on a space, or goes on with --resume NAME, but neither was given"
        raise UsageError(f"{rule}; begin with `striate launch digits`")
    kept: dict[str, Any] = {
        "name": name,
        "sampler": sampler,
        "warm_up": warm_up,
        "against": against,
        "scheduler": "asha" if asha else None,
        "grace": grace,
        "reduction": reduction,
        "chance_after": chance_after,
        "patience": patience,
        "seed": seed,
        "data_folder": str(data_dir.resolve()) if data_dir else None,
        "tracking_uri": mlflow,
    }
    if resume is not None:
        if space is not None:
            rule = f"a search that goes on keeps its space, but {space} was given beside --resume {resume}"
            raise UsageError(f"{rule}; take one of them away")
        _refuse_with_resume(kept)
        folder = searches.existing(resume)
        asked = History.read(folder).counted
        if trials is not None and trials < asked:
            rule = f"{resume} has {asked} trials already, but --trials {trials} was given for all of them"
            raise UsageError(f"{rule}; give more, or leave it out")
    else:
        assert space is not None
        read = parse_space(*find(space))
        _refuse_address(mlflow)
        if against is not None and against not in SIZES:
            rule = f"--against is one of {', '.join(SIZES)}, but {against!r} was given"
            raise UsageError(f"{rule}; {did_you_mean(against, SIZES)}")
        known = {key: value for key, value in kept.items() if value is not None}
        named = {"name": searches.free_name(read.name), "sampler": DEFAULT_SAMPLER, "seed": 0}
        settings = SearchSettings(**{**named, **known})
        if settings.chance_after == 0:
            settings = replace(settings, chance_after=None)
        folder = create(searches, read, settings, Budget(max_trials=trials or DEFAULT_TRIALS))
        if warnings := lint(read):
            output().print(f"Warning: {warnings[0]}")
            output().print(f"`striate space lint {shlex.quote(space)}` tells all {len(warnings)} warnings.")
        if not read.holes:
            output().print(f"{read.name} leaves nothing open, so it is one trial; `striate replicate` repeats it.")
    budget = {"max_trials": trials, "max_hours": max_hours, "max_cost": max_cost, "target": target}
    go_on(searches, folder, Given(budget=budget, slots=slots, gpus=gpus, address=address))


def _refuse_missing(gpus: int) -> None:
    """Refuse more GPUs than this machine has."""
    import torch  # slow to import, and no other check needs it

    there = torch.cuda.device_count()
    if gpus > there:
        way_out = "leave --gpus out, which takes all" if there else "leave it out, and trials run on CPUs"
        rule = f"a search uses GPUs that torch sees on this machine, but --gpus {gpus} was given and there are {there}"
        raise UsageError(f"{rule}; {way_out}")


def _refuse_with_resume(given: dict[str, Any]) -> None:
    """What was decided when a search began stays so."""
    flags = {"scheduler": "--asha", "data_folder": "--data-dir", "tracking_uri": "--mlflow"}
    for option, value in given.items():
        if value is not None:
            flag = flags.get(option, "--" + option.replace("_", "-"))
            raise UsageError(f"a search that goes on keeps what it began with, but {flag} was given; take it away")


def _refuse_address(mlflow: str | None) -> None:
    if mlflow is not None and (not mlflow.startswith(("http://", "https://")) or "@" in mlflow):
        rule = "--mlflow is the address of a server, http://… or https://…, without a password in it"
        raise UsageError(f"{rule}, but {mlflow!r} was given; MLFLOW_TRACKING_USERNAME and _PASSWORD hold credentials")
