"""The lowering: an architecture to areas, edges and operations with their shapes and parameters.

Everything that must know what an architecture computes reads this graph: the network is built from it, parameters are
counted on it, `describe` prints it. Shapes are `(C, H, W)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from space.errors import Mark, Problems, did_you_mean
from space.model import (
    CELL_PORTS,
    CELLS,
    Architecture,
    Area,
    Cell,
    Conv,
    ConvLSTM,
    FeedbackEdge,
    Feedforward,
    Link,
    MaxPool,
    ReciprocalGated,
    Resize,
    SimpleRNN,
    Step,
)
from space.tree import Mapping, locate

Shape: TypeAlias = tuple[int, int, int]
Parameters: TypeAlias = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with same padding; `role` (`feedforward` or `recurrent`) decides its initial weights."""

    path: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    separable: bool
    bias: bool
    role: str

    @property
    def parameters(self) -> Parameters:
        """Name → shape, as a torch module of the same path names them."""
        square = (self.kernel, self.kernel)
        found: Parameters
        if self.separable:
            found = {
                f"{self.path}.depthwise.weight": (self.inputs, 1, *square),
                f"{self.path}.pointwise.weight": (self.outputs, self.inputs, 1, 1),
            }
            last = f"{self.path}.pointwise"
        else:
            found = {f"{self.path}.weight": (self.outputs, self.inputs, *square)}
            last = self.path
        if self.bias:
            found[f"{last}.bias"] = (self.outputs,)
        return found


@dataclass(frozen=True, slots=True)
class Activation:
    """An elementwise function."""

    function: str


@dataclass(frozen=True, slots=True)
class Pooling:
    """A maximum over windows, same padding."""

    kernel: int
    stride: int


@dataclass(frozen=True, slots=True)
class Resizing:
    """A resize to `size` × `size` pixels."""

    mode: str
    size: int


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Statistics over channels and pixels together, in `groups` equal parts of the channels, affine per channel."""

    path: str
    channels: int
    groups: int

    @property
    def parameters(self) -> Parameters:
        """Name → shape."""
        return {f"{self.path}.weight": (self.channels,), f"{self.path}.bias": (self.channels,)}


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear map of `pool`ed features to classes, with a bias."""

    path: str
    pool: str
    inputs: int
    outputs: int

    @property
    def parameters(self) -> Parameters:
        """Name → shape."""
        return {f"{self.path}.weight": (self.outputs, self.inputs), f"{self.path}.bias": (self.outputs,)}


Operation: TypeAlias = Convolution | Activation | Pooling | Resizing | LayerNorm


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
        return _parameters((*self.drive, *self.cell_operations.values(), *self.post))


@dataclass(frozen=True, slots=True)
class EdgeNode:
    """A feedback edge between areas, by their ranks."""

    name: str
    source: int
    target: int
    port: str
    operations: tuple[Operation, ...]

    @property
    def parameters(self) -> Parameters:
        """Name → shape, of all its operations."""
        return _parameters(self.operations)


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
        for part in (*self.areas, *self.feedback, self.readout):
            found |= part.parameters
        return found

    @property
    def parameter_count(self) -> int:
        """How many numbers training may change."""
        return count(self.parameters)


def count(parameters: Parameters) -> int:
    """How many numbers the parameters hold."""
    return sum(math.prod(shape) for shape in parameters.values())


def lower(architecture: Architecture, tree: Mapping | None = None) -> Graph:
    """Lower an architecture.

    Arguments:
        architecture: what to lower.
        tree: the document it was built from, so that errors say where they are.

    Raises:
        SpecificationError: with everything that does not fit together.

    """
    return _Lowering(architecture, tree).graph()


def _parameters(operations: tuple[Operation, ...]) -> Parameters:
    found: Parameters = {}
    for operation in operations:
        if isinstance(operation, Convolution | LayerNorm):
            found |= operation.parameters
    return found


class _Lowering:
    """One lowering of one architecture."""

    def __init__(self, architecture: Architecture, tree: Mapping | None) -> None:
        self.architecture = architecture
        self.tree = tree
        self.problems = Problems()

    def refuse(self, path: str, message: str) -> None:
        mark = locate(self.tree, path) if self.tree else Mark(self.architecture.name, 1, 1)
        self.problems.add(mark, path, message)

    def graph(self) -> Graph:
        given = self.architecture
        needed = len(given.areas) + 1
        if given.time.steps < needed:
            areas = len(given.areas)
            rule = (
                f"an image passes {areas} areas and the read-out in {needed} steps, but {given.time.steps} were given"
            )
            self.refuse("time.steps", f"{rule}; give at least {needed}")
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
        cell_operations = _cell_operations(area.cell, drive_shape[0], f"{path}.cell")
        return AreaNode(area.name, shape, drive, drive_shape, area.cell, cell_operations, post, output_shape)

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
                    if min(kernel, stride) > height:
                        rule = f"a pool's window and stride fit its map, but {kernel}/{stride} meets a {height}×{width} map"
                        self.refuse(f"{path}[{position}]", f"{rule}; make it smaller, or pool less before it")
                    operations.append(Pooling(kernel, stride))
                    shape = (channels, _strided(height, stride), _strided(width, stride))
        return tuple(operations), shape

    def feedback(self, areas: list[AreaNode]) -> tuple[EdgeNode, ...]:
        ranks = {area.name: rank for rank, area in enumerate(areas)}
        nodes: dict[str, EdgeNode] = {}
        for position, edge in enumerate(self.architecture.edges.feedback):
            path = f"edges.feedback[{position}]"
            unknown = [(key, name) for key, name in (("from", edge.source), ("to", edge.target)) if name not in ranks]
            for key, name in unknown:
                rule = f"an edge joins two areas, but there is no area {name!r}; {did_you_mean(name, ranks)}"
                self.refuse(f"{path}.{key}", rule)
            if unknown:
                continue
            if ranks[edge.source] <= ranks[edge.target]:
                rule = f"feedback runs from a higher area to a lower one, but {edge.name} does not"
                self.refuse(path, f"{rule}; swap its ends or take it away")
            elif edge.name in nodes:
                self.refuse(
                    path, f"two areas are joined by one feedback edge, but {edge.name} stands twice; take one away"
                )
            else:
                source, target = ranks[edge.source], ranks[edge.target]
                nodes[edge.name] = self.edge(edge, path, source, target, areas)
        return tuple(nodes.values())

    def edge(self, edge: FeedbackEdge, path: str, source: int, target: int, areas: list[AreaNode]) -> EdgeNode:
        cell = areas[target].cell
        ports = CELL_PORTS[type(cell)]
        if edge.enters not in ports:
            kind = next(name for name, cls in CELLS if type(cell) is cls)
            rule = f"a {kind} cell, which {edge.target} has, has the ports {', '.join(ports)}, not {edge.enters}"
            self.refuse(f"{path}.enters", f"{rule}; enter at one of those, or give the area another cell")
        wanted_channels, wanted, _ = areas[target].shape
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
                    operations.append(_link(step, here, channels, wanted_channels, bias=True))
                    channels = wanted_channels
        if size != wanted:
            rule = f"an edge arrives with its port's map of {wanted}×{wanted}, but {edge.name} brings {size}×{size}"
            self.refuse(f"{path}.via", f"{rule}; add `resize: {{mode: bilinear}}`")
        if channels != wanted_channels:
            rule = f"an edge arrives with its port's {wanted_channels} channels, but {edge.name} brings {channels}"
            self.refuse(f"{path}.via", f"{rule}; add `conv: {{kernel: 1}}`")
        return EdgeNode(edge.name, source, target, edge.enters, tuple(operations))


def _strided(size: int, stride: int) -> int:
    return -(-size // stride)


def _link(link: Link, path: str, inputs: int, outputs: int, *, bias: bool) -> Convolution:
    return Convolution(path, inputs, outputs, link.kernel, 1, link.separable, bias, role="recurrent")


def _cell_operations(cell: Cell, channels: int, path: str) -> dict[str, Operation]:
    """The parametrised operations of a cell by the names that its equation in `cells/` uses."""
    match cell:
        case Feedforward():
            return {}
        case SimpleRNN(hidden=hidden, norm=norm):
            operations: dict[str, Operation] = {
                "hidden": _link(hidden, f"{path}.hidden", channels, channels, bias=True)
            }
            if norm == "layer":
                operations["norm"] = LayerNorm(f"{path}.norm", channels, groups=1)
            return operations
        case ConvLSTM(gates=gates, norm=norm):
            operations = {
                "gates_input": _link(gates, f"{path}.gates_input", channels, 4 * channels, bias=True),
                "gates_hidden": _link(gates, f"{path}.gates_hidden", channels, 4 * channels, bias=False),
            }
            if norm == "layer":
                operations["norm_gates"] = LayerNorm(f"{path}.norm_gates", 4 * channels, groups=4)
                operations["norm_state"] = LayerNorm(f"{path}.norm_state", channels, groups=1)
            return operations
        case ReciprocalGated(keep=keep, admit=admit):
            links = {"keep_output": keep, "keep_hidden": keep, "admit_output": admit, "admit_hidden": admit}
            return {name: _link(link, f"{path}.{name}", channels, channels, bias=False) for name, link in links.items()}
