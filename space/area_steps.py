"""What areas do at which steps of an unroll (compute, repeat an earlier step, serve the whole batch, or nothing), and
when edges matter.
"""

from __future__ import annotations

from dataclasses import dataclass

from space.dataflow import Zeros
from space.nodes import Graph
from space.unroll import Unrolled, unroll

COMPUTED, BATCH, SAME, DEAD = ("computed", "batch", "same", "dead")


@dataclass(frozen=True, slots=True)
class AreaStep:
    """What an area does at one step.

    Arguments:
        kind: `computed` for each image; for the whole `batch` once, since no image has reached it; the `same` as an
            earlier step, so that nothing is computed; or `dead`: no answer depends on it.
        same_as: that earlier step, else its own.

    """

    kind: str
    same_as: int

    @property
    def is_live(self) -> bool:
        """Whether an answer depends on it."""
        return self.kind != DEAD


def area_steps(graph: Graph) -> tuple[tuple[AreaStep, ...], ...]:
    """Rank → step → what the area does there."""
    found = unroll(graph)
    live = found.live()
    return tuple(_of_area(found, live, rank, graph.steps) for rank in range(len(graph.areas)))


def edge_steps(graph: Graph) -> tuple[tuple[int, ...], ...]:
    """Position of an edge → the steps at which an answer depends on what it brings; zeros are nothing."""
    found = unroll(graph)
    live = found.live()
    steps: list[list[int]] = [[] for _ in graph.edges]
    for (position, step), node in sorted(found.arrived.items()):
        if live[node] and not isinstance(found.nodes[node].kind, Zeros):
            steps[position].append(step)
    return tuple(map(tuple, steps))


def _of_area(found: Unrolled, live: list[bool], rank: int, steps: int) -> tuple[AreaStep, ...]:
    known: dict[int, frozenset[int]] = {}  # step → all that the area leaves, for the steps with something new
    done = []
    for step in range(steps):
        emitted = found.emitted.get((rank, step))
        left = frozenset() if emitted is None else frozenset((emitted, *found.carried[rank, step]))
        wanted = {node for node in left if live[node]}
        earlier = next((other for other, nodes in known.items() if wanted <= nodes), None)
        if not wanted:
            done.append(AreaStep(DEAD, step))
        elif earlier is not None:
            done.append(AreaStep(SAME, earlier))
        else:
            known[step] = left
            done.append(AreaStep(COMPUTED if any(found.nodes[node].of_image for node in wanted) else BATCH, step))
    return tuple(done)
