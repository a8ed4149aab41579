"""What a worker must know to run a trial."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """A trial to run.

    Arguments:
        number: of the trial.
        attempt: at it, from 1.
        architecture: its file's text, with the trial's own seed.
        data_folder: where the data set's files lie, or None for where they usually do.

    """

    number: int
    attempt: int
    architecture: str
    data_folder: str | None
