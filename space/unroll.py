"""The unroll: from a lowered graph to the dataflow of all its steps.

What cells do is handed in: their equations, term by term (`space.cell_equations`), or whole steps of them
(`space.plan`). Areas are unrolled at the steps at which a read-out may depend on them (`space.wiring`). That no answer
depends on what enters a port at some step is known term by term alone; whole steps are told it (`Silent`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from space.cell_equations import add_cell
from space.dataflow import Arrival, Builder, Image, Node, Zeros
from space.model import DRIVE
from space.nodes import AreaNode, EdgeNode, Graph
from space.operations import Convolution, Normalisation, Operation, Shape, is_pure
from space.wiring import IMAGE, Schedule

Silent: TypeAlias = dict[tuple[int, int], Shape]  # (position of an edge, step) → the shape of what it need not bring
AddCell: TypeAlias = Callable[[Builder, AreaNode, int, int, dict[str, tuple[int, ...]]], int]


@dataclass(frozen=True, slots=True)
class Unrolled:
    """The nodes of all steps, and where to find what has a name outside.

    Arguments:
        nodes: in an order in which each reads only earlier ones.
        answers: the logits of each step that the read-out answers at.
        emitted: (rank, step) → what an area emits.
        carried: (rank, step) → its states after the step.
        arrived: (position of an edge, step) → what it brings.

    """

    nodes: tuple[Node, ...]
    answers: tuple[int, ...]
    emitted: dict[tuple[int, int], int]
    carried: dict[tuple[int, int], tuple[int, ...]]
    arrived: dict[tuple[int, int], int]

    def live(self) -> list[bool]:
        """Which nodes an answer depends on."""
        found = [False] * len(self.nodes)
        for each in self.answers:
            found[each] = True
        for position in range(len(self.nodes) - 1, -1, -1):
            if found[position]:
                for each in self.nodes[position].inputs:
                    found[each] = True
        return found

    def silent(self) -> Silent:
        """What may as well be zeros, if this is the dataflow term by term."""
        live = self.live()
        return {
            key: self.nodes[node].shape
            for key, node in self.arrived.items()
            if not live[node] or isinstance(self.nodes[node].kind, Zeros)
        }


def unroll(graph: Graph, cell: AddCell = add_cell, silent: Silent | None = None) -> Unrolled:
    """The dataflow of a graph, with zeros for what is silent.

    That term by term, which hashes, reach, costs and plans all read, is worked out once.
    """
    if cell is add_cell and not silent:
        return graph.once("unrolled", lambda: _Unrolling(graph, cell, {}).unrolled())
    return _Unrolling(graph, cell, silent or {}).unrolled()


class _Unrolling:
    """One unroll of one graph."""

    def __init__(self, graph: Graph, cell: AddCell, silent: Silent) -> None:
        self.graph = graph
        self.cell = cell
        self.silent = silent
        self.build = Builder()
        self.emitted: dict[tuple[int, int], int] = {}
        self.carried: dict[tuple[int, int], dict[str, int]] = {}
        self.arrived: dict[tuple[int, int], int] = {}
        self.entering: list[list[tuple[int, EdgeNode]]] = [[] for _ in graph.areas]
        for position, edge in enumerate(graph.edges):
            self.entering[edge.target].append((position, edge))
        self.differs = [_differs((*area.drive, *area.post)) for area in graph.areas]
        self.known: dict[tuple[object, ...], tuple[int, dict[str, int]]] = {}

    def unrolled(self) -> Unrolled:
        graph, timing = self.graph, self.graph.schedule()
        for step in range(graph.steps):
            self.build.step = step
            for rank in timing.order:
                if timing.live[rank] >> step & 1:
                    self.area(rank, step, timing)
        self.build.owner, self.build.of_edge = len(graph.areas), False
        answers = []
        for step in graph.answer.steps:
            self.build.step = step
            read = self.emitted[len(graph.areas) - 1, step - graph.answer.delay]
            inputs = () if self.build.is_zeros(read) else (read,)
            answers.append(self.build.add("readout", graph.readout, inputs, (graph.readout.outputs, 1, 1)))
        carried = {key: tuple(states.values()) for key, states in self.carried.items()}
        return Unrolled(tuple(self.build.nodes), tuple(answers), self.emitted, carried, self.arrived)

    def area(self, rank: int, step: int, timing: Schedule) -> None:
        """One step of one area, unless it has been met with the same inputs before."""
        build, area = self.build, self.graph.areas[rank]
        terms: dict[str, list[int]] = {}
        for position, edge in self.entering[rank]:
            if edge.wire.is_active(step):
                arrived = self.arrival(position, edge, area, step)
                if arrived is not None:
                    self.arrived[position, step] = arrived
                    terms.setdefault(edge.port, []).append(arrived)
        states = self.carried.get((rank, step - 1), {})
        key = (
            rank,
            step if self.differs[rank] else None,
            tuple((port, *found) for port, found in terms.items()),
            *states.values(),
        )
        if key not in self.known:
            build.owner, build.of_edge = rank, False
            build.states, build.carried = states, {}
            ports: dict[str, tuple[int, ...]] = {
                port: (self.joined(area, port, found),) for port, found in terms.items()
            }
            if DRIVE in ports or area.absent == "zeros":
                residual = ports.pop(DRIVE)[0] if DRIVE in ports else build.zeros(area.input_shape)
                drive = build.sequence("drive", area.drive, residual)
            else:
                residual, drive = build.zeros(area.input_shape), build.zeros(area.shape)
            out = build.sequence("post", area.post, self.cell(build, area, residual, drive, ports))
            self.known[key] = out, build.carried
        self.emitted[rank, step], self.carried[rank, step] = self.known[key]

    def arrival(self, position: int, edge: EdgeNode, area: AreaNode, step: int) -> int | None:
        """What an edge brings at a step, or None where it brings nothing."""
        build = self.build
        if silent := self.silent.get((position, step)):
            return build.zeros(silent)
        at = step - edge.wire.delay
        build.owner, build.of_edge = position, True
        source: int | None
        if edge.source == IMAGE:
            shape = self.graph.input_shape
            source = self.image(at)
        else:
            shape = self.graph.areas[edge.source].output_shape
            source = self.emitted.get((edge.source, at))
        if source is None:
            if area.absent != "zeros":
                return None
            source = build.zeros(shape)
        found = build.sequence("via", edge.operations, source)
        if build.is_zeros(found) or build.nodes[found].kind == Arrival(position):  # a value that an edge holds
            return found
        return build.add("via", Arrival(position), (found,))

    def image(self, step: int) -> int | None:
        clock = self.graph.clock
        if step >= 0 and clock.lit >> step & 1:
            kind = Image(step if clock.frames else 0)
        elif step >= 0 and clock.after is not None:
            kind = Image(value=clock.after)
        else:
            return None
        return self.build.add("image", kind, (), self.graph.input_shape)

    def joined(self, area: AreaNode, port: str, terms: list[int]) -> int:
        match getattr(area.joins, port):
            case "concat":
                return self.build.concatenation(port, *terms)
            case "multiply":
                return self.build.product(port, *terms)
            case _:
                return self.build.sum(port, *terms)


def _differs(operations: tuple[Operation, ...]) -> bool:
    """Whether what operations do with the same input may differ from step to step."""
    return any(
        not is_pure(each) or (isinstance(each, Convolution | Normalisation) and each.steps is not None)
        for each in operations
    )
