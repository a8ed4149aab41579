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
        checkpoint: the trial's own file, that of earlier attempts too; None to keep none.
        reported: how many epochs the record has.
        chance_after: from this epoch on, a trial that is at chance ends; None to let it go on.
        proxies: whether to measure the untrained network.

    """

    number: int
    attempt: int
    architecture: str
    data_folder: str | None
    checkpoint: str | None = None
    reported: int = 0
    chance_after: int | None = None
    proxies: bool = False
