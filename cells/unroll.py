"""The biological unroll of a network, step by step.

All areas update together: at step t each reads its predecessors' outputs of step t−1, along feedforward and feedback
edges alike; only the first area reads the image. Before a signal arrives, an area reads zeros and still computes (so
that its biases act). The read-out of the last step T−1 reads the last area's output of step T−2.

This one evaluates every area at every step that exists; it is the definition that a faster unroll must equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from torch import Tensor

if TYPE_CHECKING:
    from cells.cell import State
    from cells.network import Area, Network


def unroll(network: Network, images_NCHW: Tensor) -> Tensor:
    """Logits `(N, classes)` of the last step, the image being shown at every step."""
    graph = network.graph
    areas = cast("list[Area]", list(network.areas.children()))
    outputs = [images_NCHW.new_zeros(len(images_NCHW), *node.output_shape) for node in graph.areas]
    states: list[State | None] = [None] * len(areas)
    for _ in range(graph.steps - 1):
        updated = []
        for rank, area in enumerate(areas):
            below = images_NCHW if rank == 0 else outputs[rank - 1]
            y_NCHW, states[rank] = _step(area, below, _feedback(network, rank, outputs), states[rank])
            updated.append(y_NCHW)
        outputs = updated
    logits: Tensor = network.readout(outputs[-1])
    return logits


def _feedback(network: Network, rank: int, outputs: list[Tensor]) -> dict[str, Tensor]:
    """What enters each port of an area: the sum of its edges, each from its source's last output."""
    ports: dict[str, Tensor] = {}
    for edge in network.graph.feedback:
        if edge.target == rank:
            arriving = network.feedback[edge.name](outputs[edge.source])
            ports[edge.port] = ports[edge.port] + arriving if edge.port in ports else arriving
    return ports


def _step(area: Area, r_NCHW: Tensor, feedback: dict[str, Tensor], state: State | None) -> tuple[Tensor, State]:
    """One area at one step."""
    x_NCHW = area.drive(r_NCHW)
    if "input" in feedback:
        x_NCHW = x_NCHW + feedback["input"]
    if state is None:
        state = area.cell.initial(x_NCHW)
    h_NCHW, state = area.cell.update(area.cell.project(x_NCHW, r_NCHW), feedback, state)
    return area.post(h_NCHW), state
