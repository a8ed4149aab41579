"""A trial's architecture as a file."""

from __future__ import annotations

import contextlib
from pathlib import Path

from search.driver import architecture_of, settings_of, space_of
from search.history import History, Trial
from space.errors import RecordError, StriateError, UsageError
from space.parse import to_yaml
from trainers.data.dataset import SEARCH_SPLIT

BEST_FILE = "best.yaml"


def trial_or_best(history: History, number: int | None) -> Trial:
    """A trial by its number, or the best one.

    Raises:
        UsageError: there is no such trial.
        RecordError: no trial is complete yet.

    """
    if number is not None:
        if number not in history.trials:
            raise UsageError(f"this search has the trials 1 to {len(history.trials)}, not {number}; give one of those")
        return history.trials[number]
    if history.best is None:
        name = settings_of(history).name
        raise RecordError(f"no trial of {name} is complete yet; wait for one, or name any with --trial")
    return history.best


def architecture_text(history: History, trial: Trial) -> str:
    """The architecture file of a trial; comments say where it is from and how it did."""
    lines = [f"Trial {trial.number} of the search {settings_of(history).name}, proposed by {trial.sampler}."]
    if trial.reports:
        epoch, report = max(trial.reports.items())
        score = f"validation top-1 {report['top1']:.4f} after epoch {epoch}"
        lines.append(f"{trial.end or 'unfinished'}: {score} (split {SEARCH_SPLIT}); {trial.parameters:,} parameters.")
    return to_yaml(architecture_of(space_of(history), trial), "\n".join(lines))


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; what is no plain file, such as a pipe, is written into.

    Raises:
        StriateError: it cannot be written.

    """
    path = path.resolve()  # a link stays, and what it points to is written
    unfinished = path.with_name(f".{path.name}.unfinished") if path.name else path
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise StriateError(f"{path} cannot be written: {error.strerror}; give another place") from None
