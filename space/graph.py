"""The lowering: an architecture to areas, edges and operations with their shapes and parameters.

Everything that must know what an architecture computes reads this graph: the network is built from it, parameters are
counted on it, `describe` prints it. Shapes are `(C, H, W)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from space.cell_operations import lower_cell
from space.cell_site import CellSite, link_convolution
from space.errors import Mark, Problems, did_you_mean
from space.model import (
    CELLS,
    Architecture,
    Area,
    Cell,
    Conv,
    FeedbackEdge,
    Link,
    MaxPool,
    Resize,
    Step,
    cell_ports,
    port_channels,
)
from space.operations import (
    Activation,
    Convolution,
    LayerNorm,
    Linear,
    Operation,
    Parameters,
    Pooling,
    Resizing,
    count,
    parameters,
)
from space.tree import Mapping, locate

__all__ = [
    "Activation",
    "AreaNode",
    "Convolution",
    "EdgeNode",
    "Graph",
    "LayerNorm",
    "Linear",
    "Operation",
    "Parameters",
    "Pooling",
    "Resizing",
    "Shape",
    "count",
    "lower",
]

Shape: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class AreaNode:
    """An area: its operations, and the shapes of what it reads, of its drive and cell, and of what it emits."""

    name: str
    input_shape: Shape
    drive: tuple[Operation, ...]
    shape: Shape
    cell: Cell
    cell_operations: dict[str, Operation]
    post: tuple[Operation, ...]
    output_shape: Shape

    @property
    def parameters(self) -> Parameters:
        """Name → shape, of all its operations."""
        return parameters((*self.drive, *self.cell_operations.values(), *self.post))


@dataclass(frozen=True, slots=True)
class EdgeNode:
    """A feedback or skip edge between areas, by their ranks: feedback runs downwards, a skip past the area above."""

    name: str
    source: int
    target: int
    port: str
    operations: tuple[Operation, ...]

    @property
    def parameters(self) -> Parameters:
        """Name → shape, of all its operations."""
        return parameters(self.operations)


@dataclass(frozen=True, slots=True)
class Graph:
    """A lowered architecture; areas are in the order of their ranks."""

    name: str
    input_shape: Shape
    steps: int
    areas: tuple[AreaNode, ...]
    feedback: tuple[EdgeNode, ...]
    readout: Linear

    @property
    def parameters(self) -> Parameters:
        """Name → shape of every parameter, named as the network's `state_dict` names them."""
        found: Parameters = {}
        parts: tuple[AreaNode | EdgeNode | Linear, ...] = (*self.areas, *self.feedback, self.readout)
        for part in parts:
            found |= part.parameters
        return found

    @property
    def parameter_count(self) -> int:
        """How many numbers training may change."""
        return count(self.parameters)


def lower(architecture: Architecture, tree: Mapping | None = None) -> Graph:
    """Lower an architecture.

    Arguments:
        architecture: what to lower.
        tree: the document it was built from, so that errors say where they are.

    Raises:
        SpecificationError: with everything that does not fit together.

    """
    return _Lowering(architecture, tree).graph()


class _Lowering:
    """One lowering of one architecture."""

    def __init__(self, architecture: Architecture, tree: Mapping | None) -> None:
        self.architecture = architecture
        self.tree = tree
        self.problems = Problems()

    def refuse(self, path: str, message: str, named: str = "") -> None:
        """Note that the value at `path` does not fit; `named` is the path to tell, where an edge has a name in it."""
        mark = locate(self.tree, path) if self.tree else Mark(self.architecture.name, 1, 1)
        self.problems.add(mark, named or path, message)

    def graph(self) -> Graph:
        given = self.architecture
        passed = len(given.areas)
        if given.time.steps <= passed:
            rule = f"an image passes {passed} areas and the read-out in {passed + 1} steps"
            rule = f"{rule}, but {given.time.steps} were given; give at least {passed + 1}"
            self.refuse("time.steps", rule)
        image = (given.input.channels, given.input.size, given.input.size)
        areas: list[AreaNode] = []
        for area in given.areas:
            areas.append(self.area(area, areas[-1].output_shape if areas else image))
        feedback = self.feedback(areas)
        channels, height, width = areas[-1].output_shape
        features = channels if given.readout.pool == "mean" else channels * height * width
        readout = Linear("readout", given.readout.pool, features, given.input.classes)
        self.problems.raise_if_any()
        return Graph(given.name, image, given.time.steps, tuple(areas), feedback, readout)

    def area(self, area: Area, shape: Shape) -> AreaNode:
        path = f"areas.{area.name}"
        drive, drive_shape = self.sequence(area.drive, shape, f"{path}.drive")
        post, output_shape = self.sequence(area.post, drive_shape, f"{path}.post")
        cell = lower_cell(area.cell, CellSite(f"{path}.cell", drive_shape, shape, self.refuse))
        return AreaNode(area.name, shape, drive, drive_shape, area.cell, cell, post, output_shape)

    def sequence(self, steps: tuple[Step, ...], shape: Shape, path: str) -> tuple[tuple[Operation, ...], Shape]:
        operations: list[Operation] = []
        for position, step in enumerate(steps):
            channels, height, width = shape
            match step:
                case str():
                    operations.append(Activation(step))
                case Conv(kernel=kernel, channels=outputs, stride=stride, separable=separable):
                    here = f"{path}.{position}"
                    operations.append(
                        Convolution(here, channels, outputs, kernel, stride, separable, bias=True, role="feedforward")
                    )
                    shape = (outputs, _strided(height, stride), _strided(width, stride))
                case MaxPool(kernel=kernel, stride=stride):
                    if max(kernel, stride) > height:
                        rule = f"a pool's kernel and stride fit its map of {height}×{width}"
                        rule = (
                            f"{rule}, but {kernel} and {stride} were given; make them smaller, or pool less before it"
                        )
                        self.refuse(f"{path}[{position}]", rule)
                    operations.append(Pooling(kernel, stride))
                    shape = (channels, _strided(height, stride), _strided(width, stride))
        return tuple(operations), shape

    def feedback(self, areas: list[AreaNode]) -> tuple[EdgeNode, ...]:
        ranks = {area.name: rank for rank, area in enumerate(areas)}
        nodes: dict[str, EdgeNode] = {}
        edges = self.architecture.edges
        listed = [("edges.feedback", number, edge) for number, edge in enumerate(edges.feedback)]
        listed += [("edges.skip", number, edge) for number, edge in enumerate(edges.skip)]
        for section, position, edge in listed:
            path, named = f"{section}[{position}]", f"{section}[{edge.name}]"
            unknown = [(key, name) for key, name in (("from", edge.source), ("to", edge.target)) if name not in ranks]
            for key, name in unknown:
                rule = f"an edge joins two areas, but there is no area {name!r}; {did_you_mean(name, ranks)}"
                self.refuse(f"{path}.{key}", rule, f"{named}.{key}")
            if unknown:
                continue
            source, target = ranks[edge.source], ranks[edge.target]
            if section == "edges.skip" and source + 1 >= target:
                rule = f"a skip runs from an area past the one above it, but {edge.name} does not"
                self.refuse(path, f"{rule}; let it enter a higher area, or take it away", named)
            elif section == "edges.feedback" and source <= target:
                rule = f"feedback runs from a higher area to a lower one, but {edge.name} does not"
                self.refuse(path, f"{rule}; swap its ends or take it away", named)
            elif edge.name in nodes:
                rule = f"two areas are joined by one {section[6:]} edge, but {edge.name} stands twice; take one away"
                self.refuse(path, rule, named)
            else:
                nodes[edge.name] = self.edge(edge, path, named, areas, source, target)
        return tuple(nodes.values())

    def edge(
        self, edge: FeedbackEdge, path: str, named: str, areas: list[AreaNode], source: int, target: int
    ) -> EdgeNode:
        ports = cell_ports(areas[target].cell)
        if edge.enters not in ports:
            kind = next(name for name, cls in CELLS if type(areas[target].cell) is cls)
            rule = f"the {kind} cell of {edge.target} has {_ports(ports)}, but {edge.name} enters at {edge.enters}"
            self.refuse(f"{path}.enters", f"{rule}; enter at {ports[0]}, or use another cell", f"{named}.enters")
        area_channels, wanted, _ = areas[target].shape
        wanted_channels = port_channels(areas[target].cell, edge.enters, area_channels)
        channels, size, _ = areas[source].output_shape
        operations: list[Operation] = []
        for position, step in enumerate(edge.via):
            match step:
                case str():
                    operations.append(Activation(step))
                case Resize(mode=mode):
                    size = wanted
                    operations.append(Resizing(mode, size))
                case Link():
                    here = f"feedback.{edge.name}.{position}"
                    operations.append(link_convolution(step, here, channels, wanted_channels, bias=True))
                    channels = wanted_channels
        if size != wanted:
            rule = f"an edge arrives with its target's map of {wanted}×{wanted}, but {edge.name} brings {size}×{size}"
            self.refuse(f"{path}.via", f"{rule}; add `resize: {{mode: bilinear}}`", f"{named}.via")
        if channels != wanted_channels:
            rule = f"an edge arrives with its port's {wanted_channels} channels, but {edge.name} brings {channels}"
            self.refuse(f"{path}.via", f"{rule}; add `conv: {{kernel: 1}}`", f"{named}.via")
        return EdgeNode(edge.name, source, target, edge.enters, tuple(operations))


def _ports(ports: tuple[str, ...]) -> str:
    return f"the port {ports[0]}" if len(ports) == 1 else f"the ports {', '.join(ports)}"


def _strided(size: int, stride: int) -> int:
    return -(-size // stride)
