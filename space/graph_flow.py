"""From a lowered graph to the dataflow of its biological unroll."""

from __future__ import annotations

from dataclasses import dataclass

from space.cell_equations import add_cell
from space.flow import Builder, Image, Node
from space.graph import Graph


@dataclass(frozen=True, slots=True)
class Flow:
    """The nodes of one step, and where to find what has a name outside.

    Arguments:
        nodes: in an order in which each reads only earlier ones, but for `Previous`.
        emitted: rank → the node that an area emits.
        arriving: position of an edge → the node that enters its port.
        readout: the node of the logits.

    """

    nodes: tuple[Node, ...]
    emitted: tuple[int, ...]
    arriving: tuple[int, ...]
    readout: int


def flow_of(graph: Graph) -> Flow:
    """The dataflow of a graph: all areas read what the others emitted one step before, the first one the image."""
    build = Builder()
    before = []
    for rank, area in enumerate(graph.areas):
        build.owner = rank
        before.append(build.previous("emitted", area.output_shape[1:]))
    build.owner = 0
    image = build.add("image", Image(graph.input_shape[0]), (), graph.input_shape[1:])
    emitted = []
    arriving = [0] * len(graph.feedback)
    for rank, area in enumerate(graph.areas):
        ports: dict[str, tuple[int, ...]] = {}
        build.of_edge = True
        for position, edge in enumerate(graph.feedback):
            if edge.target == rank:
                build.owner = position
                arriving[position] = build.sequence("via", edge.operations, before[edge.source])
                if arriving[position] == before[edge.source]:  # without operations it is still a connection of its own
                    arriving[position] = build.alone("via", arriving[position])
                ports[edge.port] = (*ports.get(edge.port, ()), arriving[position])
        build.of_edge = False
        build.owner = rank
        residual = before[rank - 1] if rank else image
        drive = build.sequence("drive", area.drive, residual)
        emitted.append(build.sequence("post", area.post, add_cell(build, area, residual, drive, ports)))
        build.feed(before[rank], emitted[rank])
    build.owner = len(graph.areas)
    readout = build.add("readout", graph.readout, (before[-1],))
    return Flow(tuple(build.nodes), tuple(emitted), tuple(arriving), readout)
