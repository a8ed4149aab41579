"""What is known of a candidate before it is trained: its sizes, and the key by which it is told from others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from space.cost import live
from space.errors import SpecificationError
from space.hashes import candidate_hash, trial_key
from space.space import Candidate, Space
from trainers.data.dataset import SEARCH_SPLIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """A candidate, appraised.

    Arguments:
        key: hash of what its trial measures.
        edges: names of its feedback edges.
        parameters: how many its architecture has.
        multiply_adds: for one image, of what its answer depends on.
        memory: predicted bytes of its training.
        problem: why its parts do not fit together; None where they do.

    """

    key: str
    edges: tuple[str, ...] = ()
    parameters: int = 0
    multiply_adds: int = 0
    memory: int = 0
    problem: str | None = None

    def plain(self) -> dict[str, Any]:
        """As the record keeps it."""
        return {
            "key": self.key,
            "edges": list(self.edges),
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "memory": self.memory,
        }


def appraise(space: Space, candidate: Candidate, replicate: int = 0) -> Appraisal:
    """Lower a candidate and measure it; `replicate` tells it from others that repeat each other."""
    try:
        architecture, graph = space.fill(candidate)
    except SpecificationError as error:
        return Appraisal(key=f"unfit:{candidate_hash(candidate)}", problem=str(error))
    cost = live(graph)
    return Appraisal(
        key=trial_key(architecture, graph, SEARCH_SPLIT, replicate),
        edges=tuple(edge.name for edge in graph.long_range),
        parameters=graph.parameter_count,
        multiply_adds=cost.multiply_adds,
        memory=cost.memory_bytes(architecture.train.batch_size),
    )
