"""How many trials run at once, and what each may take: one size for a whole search.

Ray keeps a worker for the next trial only where that asks for the same resources, so every trial gets the same share;
one that does not fit in it runs alone.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from search.appraise import appraise
from space.errors import UsageError
from space.space import Space

DRAWS = 40
RESERVE = 1.25  # of the predicted memory: libraries' working space, and what lies between blocks
IN_BFLOAT16 = 0.5  # of the predicted memory, which is of 32 bits: maps are most of it; 0.39 to 0.45 were measured
CONTEXT_BYTES = 1 << 30  # of a process on a GPU, before it does anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is to train on.

    Arguments:
        cpus: of all nodes.
        most_cpus: of one node.
        memory: bytes of the smallest node.
        gpus: of all nodes.
        gpu_memory: bytes of a GPU; None where there is none, or it cannot be asked.

    """

    cpus: int
    most_cpus: int
    memory: float
    gpus: int = 0
    gpu_memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The slots of a search.

    Arguments:
        number: how many trials run at once.
        gpu: share of a GPU that each has.
        memory: bytes that a trial in one may take, as they are predicted; None where that is not known.
        alone: how many trials that run alone fit at once.
        cpus_alone: CPUs of a trial that runs alone.
        memory_alone: bytes that such a one may take.

    """

    number: int
    gpu: float
    memory: float | None
    alone: int
    cpus_alone: int
    memory_alone: float | None


def choose(machine: Machine, needed: Sequence[float], wanted: int | None) -> Slots:
    """Divide a machine.

    Arguments:
        machine: what there is.
        needed: predicted bytes of some trials.
        wanted: how many slots one asked for; None for as many as fit nine of ten of those trials, one for each CPU
            where there is no GPU.

    Raises:
        UsageError: there are more slots than CPUs.

    """
    if wanted is not None and wanted > machine.cpus:
        rule = f"a slot has a CPU of its own, but {wanted} slots were given and {machine.cpus} CPUs are there"
        raise UsageError(f"{rule}; give fewer")
    if not machine.gpus:
        number = wanted or machine.cpus
        nodes = max(1, math.ceil(machine.cpus / machine.most_cpus))
        memory = machine.memory / math.ceil(number / nodes)
        cpus = machine.most_cpus
        return Slots(number=number, gpu=0.0, memory=memory, alone=nodes, cpus_alone=cpus, memory_alone=machine.memory)
    share = math.ceil(wanted / machine.gpus) if wanted else _share(machine, needed)
    return Slots(
        number=wanted or share * machine.gpus,
        gpu=1 / share,  # Ray wants a whole number of GPUs, or 1/k of one
        memory=(machine.gpu_memory / share - CONTEXT_BYTES) / IN_BFLOAT16 if machine.gpu_memory else None,
        alone=machine.gpus,
        cpus_alone=1,
        memory_alone=None,
    )


def _share(machine: Machine, needed: Sequence[float]) -> int:
    if machine.gpu_memory is None or len(needed) < 2:
        return 1
    typical = statistics.quantiles(needed, n=10)[-1] * IN_BFLOAT16 * RESERVE + CONTEXT_BYTES
    return max(1, min(int(machine.gpu_memory // typical), machine.cpus // machine.gpus))


def predicted_memory(space: Space) -> list[float]:
    """Bytes that training takes, of some draws from the space."""
    rng = random.Random(0)
    return [appraise(space, space.sample(rng)).memory for _ in range(DRAWS)] if space.holes else []
