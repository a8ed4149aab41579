"""The ways in which a trial fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["out_of_memory", "worker_died", "hung", "unfit", "error"]

OUT_OF_MEMORY: Final = "out_of_memory"
WORKER_DIED: Final = "worker_died"
HUNG: Final = "hung"
UNFIT: Final = "unfit"  # the parts of the candidate do not fit together
ERROR: Final = "error"
KINDS: tuple[Kind, ...] = (OUT_OF_MEMORY, WORKER_DIED, HUNG, UNFIT, ERROR)


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt at a trial failed: its kind, and the reason in one sentence."""

    kind: Kind
    reason: str


def failure_of(error: BaseException) -> Failure:
    """tmp"""
    return Failure(ERROR, f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
