"""The plan of an unroll: what a network computes, in what order, and what it may forget when.

Its nodes are the operations of areas and edges, and for each cell two: `Project`, which no state enters, and `Update`.
Of these it keeps what an answer depends on (`space.unroll`), by the equations of the cells, so that a batch norm
is evaluated at just the steps that matter: one node for all steps with the same inputs; a node that no image reaches is
computed once for the whole batch; drives that stay the same are projected once. Operations whose outcome depends on the
batch or on chance are never merged, and read the whole batch. Nodes that do the same at several steps are computed as
one (`space.together`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from space.dataflow import Arrival, Builder, Emitted, Node, Project, Update
from space.model import Feedforward
from space.nodes import AreaNode, Graph
from space.operations import Dropout, Normalisation
from space.together import together
from space.unroll import Unrolled, unroll


@dataclass(frozen=True, slots=True)
class Join:
    """The values of several nodes as one, image after image."""


@dataclass(frozen=True, slots=True)
class Split:
    """Each node's own value of what was computed for several as one."""


Work: TypeAlias = tuple[Node, ...] | Join | Split


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do.

    Arguments:
        work: the nodes to compute as one, or how to put together or to part what is computed.
        reads: the places of what it reads.
        gives: the places where the outcome is kept: as many as the parts of a `Split`, else one.
        frees: the places that nothing reads after it.

    """

    work: Work
    reads: tuple[int, ...]
    gives: tuple[int, ...]
    frees: tuple[int, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What it computes."""
        return self.work if isinstance(self.work, tuple) else ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The tasks in their order, stretch by stretch, and the places of the logits of each answer."""

    stretches: tuple[tuple[Task, ...], ...]
    answers: tuple[int, ...]

    @property
    def nodes(self) -> list[Node]:
        """All that is computed, in its order."""
        return [node for stretch in self.stretches for task in stretch for node in task.nodes]


def plan(graph: Graph, steps: int | None = None) -> Plan:
    """The plan of a graph, in stretches of a number of steps; with None it is a single one."""
    return _Planning(_whole_steps(graph)).planned(steps)


def _whole_steps(graph: Graph) -> Unrolled:
    """The dataflow with the steps of cells whole."""
    ranks = {area.name: rank for rank, area in enumerate(graph.areas)}

    def cell(build: Builder, area: AreaNode, residual: int, drive: int, ports: dict[str, tuple[int, ...]]) -> int:
        rank = ranks[area.name]
        x = build.sum("x", drive, *ports.pop("input", ()))
        if isinstance(area.cell, Feedforward):
            return build.function("emitted", area.cell.input.activation, x)
        projected = build.add("project", Project(rank), (x, residual), area.shape)
        before = build.states.values()
        entering = {port: node for port, (node,) in ports.items() if not build.is_zeros(node)}
        update = Update(rank, tuple(entering), begins=not before)
        after = build.add("update", update, (projected, *entering.values(), *before), area.shape)
        build.carry("state", after)
        return build.add("emitted", Emitted(), (after,))

    return unroll(graph, cell, unroll(graph).silent())


class _Planning:
    """One plan of one dataflow."""

    def __init__(self, found: Unrolled) -> None:
        self.nodes = list(found.nodes)
        self.reads: dict[int, tuple[int, ...]] = {}
        self.whole: list[bool] = []
        stands_for = list(range(len(found.nodes)))
        for position, (node, matters) in enumerate(zip(found.nodes, found.live(), strict=True)):
            read = tuple(stands_for[each] for each in node.inputs)
            batch = isinstance(node.kind, Dropout) or (isinstance(node.kind, Normalisation) and not node.kind.groups)
            self.whole.append(node.of_image or batch or any(self.whole[each] for each in read))
            if isinstance(node.kind, Arrival):
                stands_for[position] = read[0]
            elif matters:
                self.reads[position] = read
        self.answers = [stands_for[each] for each in found.answers]
        updates = {position: node.kind for position, node in enumerate(self.nodes) if isinstance(node.kind, Update)}
        carried = {each for position in updates.keys() & self.reads.keys() for each in self.reads[position]}
        for position in updates.keys() - carried:
            self.nodes[position] = self.nodes[position]._replace(kind=replace(updates[position], carries=False))
        self.tasks: list[tuple[Work, tuple[int, ...], tuple[int, ...]]] = []
        self.group_of: dict[int, tuple[int, ...]] = {}
        self.place_of: dict[tuple[int, ...], int] = {}

    def planned(self, steps: int | None) -> Plan:
        stretches: dict[int, dict[int, tuple[int, ...]]] = {}
        for position, read in self.reads.items():
            stretch = self.nodes[position].step // steps if steps else 0
            stretches.setdefault(stretch, {})[position] = read
        ends = []
        for stretch in sorted(stretches):
            for group in together(self.nodes, stretches[stretch], self.whole):
                self.compute(group)
            ends.append(len(self.tasks))
        answers = tuple(self.place((each,)) for each in self.answers)
        ends[-1] = len(self.tasks)
        tasks = self.freeing(answers)
        return Plan(tuple(tuple(tasks[a:b]) for a, b in zip([0, *ends], ends, strict=False)), answers)

    def compute(self, group: tuple[int, ...]) -> None:
        """Compute nodes as one."""
        operands = zip(*(self.reads[each] for each in group), strict=True)
        reads = tuple(self.place(operand) for operand in operands)
        for each in group:
            self.group_of[each] = group
        self.do(tuple(self.nodes[each] for each in group), reads, [group])

    def place(self, nodes: tuple[int, ...]) -> int:
        """Where the values of computed nodes are, as one."""
        if nodes not in self.place_of:
            group = self.group_of[nodes[0]]
            if len(nodes) == 1:
                self.do(Split(), (self.place_of[group],), [(each,) for each in group])
            else:
                self.do(Join(), tuple(self.place(part) for part in self.parts(nodes)), [nodes])
        return self.place_of[nodes]

    def parts(self, nodes: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Nodes in groups that were computed as one, where these stand one after the other; else one by one."""
        found = []
        while nodes:
            group = self.group_of[nodes[0]]
            found.append(group if nodes[: len(group)] == group else nodes[:1])
            nodes = nodes[len(found[-1]) :]
        return found

    def do(self, work: Work, reads: tuple[int, ...], given: Sequence[tuple[int, ...]]) -> None:
        first = len(self.place_of)
        self.place_of |= {nodes: first + number for number, nodes in enumerate(given)}
        self.tasks.append((work, reads, tuple(self.place_of[each] for each in given)))

    def freeing(self, answers: tuple[int, ...]) -> list[Task]:
        """The tasks, each with the places that it is the last to use."""
        frees: dict[int, list[int]] = {}
        for place, at in {place: at for at, (_, *used) in enumerate(self.tasks) for place in sum(used, ())}.items():
            if place not in answers:
                frees.setdefault(at, []).append(place)
        return [Task(*task, tuple(frees.get(at, ()))) for at, task in enumerate(self.tasks)]
