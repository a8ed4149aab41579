"""A training on the disk: what it needs to go on exactly, and the numbers of every epoch so far.

A file is a line that names the format, the SHA-256 of the rest, and the rest as `torch.save` writes it. It takes the
place of the one before it when all of it is on the disk, so a process may be killed at any moment. A file that is not
what was written is as good as none.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from trainers.durable import sync
from trainers.loop import EpochResult, Trainer

_FORMAT = b"striate checkpoint 1\n"  # the number changes with what is written
_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A training as it was after an epoch.

    Arguments:
        of: what was trained, as `save` was told.
        results: the numbers of every epoch so far.
        state: for `Trainer.load_state`; on the CPU.

    """

    of: str
    results: tuple[EpochResult, ...]
    state: dict[str, Any]


def save(path: Path, of: str, trainer: Trainer, results: Sequence[EpochResult]) -> None:
    """Write a checkpoint, atomically; folders are made where they are missing.

    Arguments:
        path: of the file.
        of: all that decides the training, such as the text of its architecture.
        trainer: to be continued.
        results: the numbers of the epochs that it has trained.

    """
    payload = io.BytesIO()
    torch.save({"of": of, "results": [asdict(each) for each in results], "state": trainer.state()}, payload)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # a worker may outlive its driver, and meet the next one's
    try:
        with part.open("wb") as file:
            file.write(_FORMAT + hashlib.sha256(payload.getbuffer()).digest())
            file.write(payload.getbuffer())
        sync(part)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)  # it takes room that may just have run out
        raise
    sync(path.parent)


def load(path: Path) -> Checkpoint | None:
    """The checkpoint in a file, or None where there is none, or one that is damaged or of another format."""
    try:
        content = memoryview(path.read_bytes())
    except OSError:
        return None
    start = len(_FORMAT) + _DIGEST
    payload = content[start:]
    if content[:start] != _FORMAT + hashlib.sha256(payload).digest():
        return None
    try:
        written = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # it would run code: nothing that we wrote
        return None
    results = tuple(EpochResult(**each) for each in written["results"])
    return Checkpoint(written["of"], results, written["state"])
