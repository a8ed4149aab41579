"""What made a trial fail: a kind that the search acts on, and a sentence that a person reads.

Ray's and torch's own errors are known by the names of their classes, so that this file needs neither.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from space.errors import SpecificationError, StriateError

FailureKind: TypeAlias = Literal["out_of_memory", "error", "worker_died", "hung", "unfit"]

MAX_REASON = 500
_ROOMS = ("search", "trainers", "cells", "space")
_MEMORY_ERRORS = {"MemoryError", "OutOfMemoryError"}  # torch's and Ray's are both named so
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "STATUS_ALLOC_FAILED")
_DEATHS = {"RayActorError", "WorkerCrashedError", "NodeDiedError"}
_NODE_MEMORY = "low on memory"  # Ray's monitor of a machine's memory killed the worker


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial failed.

    Arguments:
        kind: `out_of_memory`, of a device or of the machine; `unfit`, parts of the architecture do not fit together;
            `worker_died`, its process ended; `hung`, it told nothing for too long; `error`, anything else.
        reason: one line.

    """

    kind: FailureKind
    reason: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """What an exception amounts to; nothing that is raised says that a worker hung."""
        if is_out_of_memory(error):
            return cls("out_of_memory", _line(error))
        if isinstance(error, SpecificationError):
            more = len(error.problems) - 1
            return cls("unfit", _line(error) + (f" (and {more} more)" if more else ""))
        if _DEATHS & _names(error):
            return cls("worker_died", _line(error))
        return cls("error", _line(error) if isinstance(error, StriateError) else _line(error) + _place(error))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory of a device, of the process or of the machine ran out."""
    names = _names(error)
    words = (_NODE_MEMORY,) if _DEATHS & names else _MEMORY_WORDS  # other deaths name a lack of memory as one guess
    ran_out = isinstance(error, RuntimeError) or _DEATHS & names
    return bool(_MEMORY_ERRORS & names or (ran_out and any(each in str(error) for each in words)))


def _names(error: BaseException) -> set[str]:
    return {each.__name__ for each in type(error).__mro__}


def _line(error: BaseException) -> str:
    """The first line of what an error says, after its class unless it is a sentence of ours."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if not isinstance(error, StriateError):
        said = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return said if len(said) <= MAX_REASON else f"{said[:MAX_REASON]}…"


def _place(error: BaseException) -> str:
    """Where in our own code an error came up, the innermost line of it; nothing where that is not known."""
    root = Path(__file__).parents[1]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(root) and (inside := file.relative_to(root)).parts[0] in _ROOMS:
            return f" (at {inside.as_posix()}:{frame.lineno}, {frame.name})"
    return ""
