"""The plan of an unroll: what a network computes, in what order, and what it may forget when.

Its nodes are the operations of areas and edges, and for each cell two: `Project`, which no state enters, and `Update`.
Of these it keeps what an answer depends on (`space.unroll`), by the equations of the cells, so that a batch norm
is evaluated at just the steps that matter: one node for all steps with the same inputs; a node that no image reaches is
computed once for the whole batch; drives that stay the same are projected once. Operations whose outcome depends on the
batch or on chance are never merged, and read the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from space.dataflow import Arrival, Builder, Emitted, Initial, Node, Project, Update
from space.model import Feedforward
from space.nodes import AreaNode, Graph
from space.unroll import unroll


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to compute.

    Arguments:
        node: what.
        place: where the outcome is kept.
        reads: the places of what it reads.
        frees: the places that nothing reads after it.

    """

    node: Node
    place: int
    reads: tuple[int, ...]
    frees: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The tasks in their order, and the places of the logits of each answer."""

    tasks: tuple[Task, ...]
    answers: tuple[int, ...]


def plan(graph: Graph) -> Plan:
    """The plan of a graph."""
    ranks = {area.name: rank for rank, area in enumerate(graph.areas)}

    def cell(build: Builder, area: AreaNode, residual: int, drive: int, ports: dict[str, tuple[int, ...]]) -> int:
        rank = ranks[area.name]
        x = build.sum("x", drive, *ports.pop("input", ()))
        if area.cell == Feedforward():
            return x
        projected = build.add("project", Project(rank), (x, residual), area.shape)
        if isinstance(area.cell, Feedforward):  # which is all that it does
            return build.add("emitted", Emitted(), (projected,))
        before = build.states.get("state")
        if before is None:
            before = build.add("initial", Initial(rank), (), area.shape)
        entering = {port: node for port, (node,) in ports.items() if not build.is_zeros(node)}
        update = Update(rank, tuple(entering))
        after = build.add("update", update, (projected, *entering.values(), before), area.shape)
        build.carry("state", after)
        return build.add("emitted", Emitted(), (after,))

    found = unroll(graph, cell, unroll(graph).silent())
    nodes = found.nodes
    live = [position for position, matters in enumerate(found.live()) if matters]
    stands_for = list(range(len(nodes)))
    for position in live:
        if isinstance(nodes[position].kind, Arrival):
            stands_for[position] = stands_for[nodes[position].inputs[0]]
    answers = tuple(stands_for[each] for each in found.answers)
    computed = [position for position in live if stands_for[position] == position]
    reads = {position: tuple(stands_for[each] for each in nodes[position].inputs) for position in computed}
    last = {read: position for position in computed for read in reads[position]}
    frees: dict[int, list[int]] = {}
    for read, position in last.items():
        if read not in answers:
            frees.setdefault(position, []).append(read)
    places = {position: place for place, position in enumerate(computed)}
    tasks = tuple(
        Task(
            nodes[position],
            places[position],
            tuple(places[each] for each in reads[position]),
            tuple(places[each] for each in frees.get(position, ())),
        )
        for position in computed
    )
    return Plan(tasks, tuple(places[each] for each in answers))
