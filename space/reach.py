"""What can influence the read-out within the steps, and what can carry the image to it.

Worked out on the dataflow of one step (`space.flow`), by two numbers for each of its values:

    first   the first step at which it may be anything but zeros. States and the outputs of areas are zeros before step
            0; a convolution without a bias, a sum, a product, most activations keep zeros as they are
    last    the last step at which it influences the logits of the last step: no path leads from later ones, or only
            through a product with zeros

A value matters at step t only where first ≤ t ≤ last, as what is true of a step is true of later ones read later. The
claims are structural: what is said not to matter has no influence whatever the parameters are; what is said to matter
has some for almost all parameters, where no activation saturates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from space.flow import Function, Image, Node, Part, Previous, Product, Sum
from space.graph import Graph
from space.graph_flow import Flow, flow_of
from space.operations import Convolution, LayerNorm, Linear, Pooling, Resizing, Scale

Steps: TypeAlias = list[float]
NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Times:
    """Node → its first and last step; `last` is −1 where the node never matters, `image` when it first tells of it."""

    first: tuple[float, ...]
    image: tuple[float, ...]
    last: tuple[int, ...]

    def reads(self, nodes: tuple[Node, ...], node: int) -> tuple[int, ...]:
        """The inputs of a node that are not zeros whenever it matters."""
        return tuple(
            each for each in nodes[node].inputs if _first_read(nodes[node], each, self.first) <= self.last[node]
        )


@dataclass(frozen=True, slots=True)
class EdgeReach:
    """Whether an edge can influence the logits, and whether it can carry the image to them."""

    influences: bool
    carries_image: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """What matters of a graph.

    Arguments:
        areas: rank → the steps at which the area must be computed, as something of it can influence the logits.
        emitted: rank → those at which what it emits can.
        edges: edge → whether it matters.
        states: (area's name, `h` or `c`) of the states that can pass something on from one step to the next.
        parameters: names of those that can influence the logits.

    """

    areas: tuple[tuple[int, ...], ...]
    emitted: tuple[tuple[int, ...], ...]
    edges: dict[str, EdgeReach]
    states: frozenset[tuple[str, str]]
    parameters: frozenset[str]


def reach(graph: Graph) -> Reach:
    """Work out what matters of a graph."""
    flow = flow_of(graph)
    times = times_of(flow, graph.steps)
    live = _live_steps(flow.nodes, flow.readout, graph.steps, times.first)
    edges = {
        edge.name: EdgeReach(times.last[node] >= times.first[node], times.last[node] >= times.image[node])
        for edge, node in zip(graph.feedback, flow.arriving, strict=True)
    }
    states = frozenset(
        (graph.areas[node.owner].name, node.name)
        for position, node in enumerate(flow.nodes)
        if isinstance(node.kind, Previous) and node.name != "emitted" and times.last[position] >= times.first[position]
    )
    found = {
        name
        for position, node in enumerate(flow.nodes)
        for name in live_parameters(
            node, weight=bool(times.reads(flow.nodes, position)), live=times.last[position] >= 0
        )
    }
    computed: list[set[int]] = [set() for _ in graph.areas]
    for node, at in zip(flow.nodes, live, strict=True):
        if not (node.of_edge or isinstance(node.kind, Previous | Linear)):
            computed[node.owner] |= at
    return Reach(
        tuple(tuple(sorted(at)) for at in computed),
        tuple(tuple(sorted(live[node])) for node in flow.emitted),
        edges,
        states,
        frozenset(found),
    )


def live_parameters(node: Node, *, weight: bool, live: bool) -> tuple[str, ...]:
    """The parameters of a node that matter: none of a dead one, the bias alone of one that reads zeros."""
    if not live or not isinstance(node.kind, Convolution | LayerNorm | Scale | Linear):
        return ()
    return tuple(name for name in node.kind.parameters if weight or name.endswith(".bias"))


def times_of(flow: Flow, steps: int) -> Times:
    """The first and the last step of every node."""
    first = _spread(flow.nodes, _is_nonzero)
    image = _spread(flow.nodes, lambda node, step, past: _tells(node, step, past, first))
    return Times(tuple(first), tuple(image), tuple(_last(flow.nodes, flow.readout, steps, first)))


def _spread(nodes: tuple[Node, ...], fires: Callable[[Node, int, Steps], bool]) -> Steps:
    """Node → the first step at which something is true of it that stays true; never, where it is not by then."""
    found: Steps = [NEVER] * len(nodes)
    pending = list(range(len(nodes)))
    step = 0
    while True:
        still = []
        for position in pending:
            if fires(nodes[position], step, found):
                found[position] = step
            else:
                still.append(position)
        if step > 0 and len(still) == len(pending):
            return found  # nothing changed in a step, so nothing ever will
        pending = still
        step += 1


def _is_nonzero(node: Node, step: int, first: Steps) -> bool:
    match node.kind:
        case Image() | LayerNorm() | Linear():
            return True
        case Previous():
            return all(first[each] < step for each in node.inputs)
        case Product():
            return all(first[each] <= step for each in node.inputs)
        case Convolution(bias=True):
            return True
        case Function(keeps_zero=False):
            return True
        case Sum() | Function() | Convolution() | Scale() | Part() | Pooling() | Resizing():
            return any(first[each] <= step for each in node.inputs)


def _tells(node: Node, step: int, image: Steps, first: Steps) -> bool:
    match node.kind:
        case Image():
            return True
        case Previous():
            return any(image[each] < step for each in node.inputs)
        case Product():
            return all(first[each] <= step for each in node.inputs) and any(image[each] <= step for each in node.inputs)
        case _:
            return any(image[each] <= step for each in node.inputs)


def _first_read(node: Node, read: int, first: Steps | tuple[float, ...]) -> float:
    """The first step at which what a node reads from another may be anything but zeros, and is let through."""
    match node.kind:
        case Previous():
            return first[read] + 1
        case Product():
            return max(first[each] for each in node.inputs)
        case _:
            return first[read]


def _last(nodes: tuple[Node, ...], readout: int, steps: int, first: Steps) -> list[int]:
    """Node → the last step at which it matters; each is met at that step first, as later steps let more through."""
    last = [-1] * len(nodes)

    def meet(node: int, step: int) -> bool:
        if last[node] >= 0:
            return False
        last[node] = step
        return True

    _sweep(nodes, readout, steps, first, meet)
    return last


def _live_steps(nodes: tuple[Node, ...], readout: int, steps: int, first: tuple[float, ...]) -> list[set[int]]:
    """Node → all steps at which it matters."""
    live: list[set[int]] = [set() for _ in nodes]

    def meet(node: int, step: int) -> bool:
        new = step not in live[node]
        live[node].add(step)
        return new

    _sweep(nodes, readout, steps, first, meet)
    return live


def _sweep(
    nodes: tuple[Node, ...],
    readout: int,
    steps: int,
    first: Steps | tuple[float, ...],
    meet: Callable[[int, int], bool],
) -> None:
    """Walk from the read-out backwards through the steps; `meet` says whether to go on from a node at a step."""
    waiting = [readout]
    for step in range(steps - 1, -1, -1):
        earlier: list[int] = []
        while waiting:
            position = waiting.pop()
            if meet(position, step):
                node = nodes[position]
                read = [each for each in node.inputs if _first_read(node, each, first) <= step]
                (earlier if isinstance(node.kind, Previous) else waiting).extend(read)
        waiting = earlier
