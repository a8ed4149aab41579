"""The lock of a file, held by the one process that does something; the system lets it go however the process ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_TRIES = 10
_SECONDS_BETWEEN_TRIES = 0.02  # one that only looks whether it is held has it for an instant


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Hold a lock, whose file says which process does.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the file cannot be written.

    """
    with file.open("a+") as lock:
        _take(lock)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _take(lock: IO[str]) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not tries_left:
                raise
            time.sleep(_SECONDS_BETWEEN_TRIES)


def is_held(file: Path) -> bool:
    """Whether a process holds a lock now."""
    try:
        with file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def holder(file: Path) -> str:
    """Number of the process that holds a lock, or held it last."""
    return file.read_text().strip()
