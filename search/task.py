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
        checkpoint: the file of the trial's checkpoint, on a disk that all workers share.
        reported: how many epochs are recorded already.
        chance_after: epochs after which it ends if it is still at chance level; None for never.
        patience: seconds without the end of an epoch after which it hangs.
        alone: whether it gets a whole GPU, or where there is none the whole machine.
        memory: bytes of the machine that it may take; None for as many as there are.

    """

    number: int
    attempt: int
    architecture: str
    data_folder: str | None
    checkpoint: str
    reported: int = 0
    chance_after: int | None = None
    patience: float = 3600.0
    alone: bool = False
    memory: float | None = None
