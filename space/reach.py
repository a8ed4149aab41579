"""What can influence the answers of a network within its steps, and what can carry the image to them.

The claims are structural: what is said not to matter has no influence whatever the parameters are; what is said to
matter has some for almost all parameters, where no activation saturates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from space.dataflow import Arrival, Learnt, Node
from space.nodes import Graph
from space.operations import Convolution, LayerNorm, Linear, Normalisation, Scale
from space.unroll import unroll


@dataclass(frozen=True, slots=True)
class EdgeReach:
    """Whether an edge can influence the logits, and whether it can carry the image to them."""

    influences: bool
    carries_image: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """What matters of a graph.

    Arguments:
        areas: rank → the steps at which something that the area leaves can influence the logits.
        edges: name of an edge → whether it matters.
        parameters: names of those that can influence the logits.

    """

    areas: tuple[tuple[int, ...], ...]
    edges: dict[str, EdgeReach]
    parameters: frozenset[str]


def reach(graph: Graph) -> Reach:
    """Work out what matters of a graph."""
    found = unroll(graph)
    live = found.live()
    areas: list[list[int]] = [[] for _ in graph.areas]
    for (rank, step), emitted in found.emitted.items():
        if live[emitted] or any(live[each] for each in found.carried[rank, step]):
            areas[rank].append(step)
    influential: set[int] = set()
    carrying: set[int] = set()
    parameters: set[str] = set()
    alive = [node for node, matters in zip(found.nodes, live, strict=True) if matters]
    for node in learning(alive):
        parameters.update(live_parameters(node))
    for node in alive:
        if isinstance(node.kind, Arrival):
            influential.add(node.kind.edge)
            carrying |= {node.kind.edge} if node.of_image else set()
    edges = {
        edge.name: EdgeReach(position in influential, position in carrying) for position, edge in enumerate(graph.edges)
    }
    return Reach(tuple(map(tuple, areas)), edges, frozenset(parameters))


def learning(nodes: Iterable[Node]) -> Iterator[Node]:
    """Those of nodes that learn; of an operation that learns the same at all its steps, the first alone."""
    met: set[tuple[int, int | None, bool]] = set()
    for node in nodes:
        kind = node.kind
        if isinstance(kind, Learnt):
            is_tied = not isinstance(kind, Normalisation) and (not isinstance(kind, Convolution) or kind.steps is None)
            key = id(kind), None if is_tied else node.step, bool(node.inputs)
            if key not in met:
                met.add(key)
                yield node


def live_parameters(node: Node) -> tuple[str, ...]:
    """The parameters of a node that matter: all, or the bias alone where it reads zeros."""
    match node.kind:
        case Convolution() | Normalisation():
            found = node.kind.parameters_at(node.step)
        case LayerNorm() | Linear() | Scale():
            found = node.kind.parameters
        case _:
            return ()
    return tuple(name for name in found if node.inputs or name.endswith(".bias"))
