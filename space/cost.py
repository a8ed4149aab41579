"""What a lowered architecture costs as declared: every operation at every step, whether or not anything reads it.

Under the biological unroll all areas and edges are evaluated at T − 1 steps, and the read-out reads the last of them.
Costs are of one image, in multiply-adds: one multiplication and one addition of a convolution or of the read-out, the
padding counted like any pixel. Elementwise functions, gates, norms, pools and resizes are not counted, as is usual:
the convolutions of these networks outweigh them by two to three orders of magnitude.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from space.cell_equations import add_cell
from space.flow import Builder, Function, Image, Product, Sum
from space.graph import AreaNode, EdgeNode, Graph, Shape
from space.operations import Activation, Convolution, LayerNorm, Linear, Operation, Pooling, Resizing, Scale, count

FLOAT_BYTES = 4
PARAMETER_COPIES = 3  # the weight, its gradient and its momentum


@dataclass(frozen=True, slots=True)
class AreaCost:
    """An area's parameters, and its multiply-adds at one step for one image; edges count towards their target."""

    name: str
    parameters: int
    multiply_adds: int


def multiply_adds(graph: Graph) -> int:
    """Multiply-adds of one image over all steps, with the read-out."""
    step = sum(each.multiply_adds for each in area_costs(graph))
    return (graph.steps - 1) * step + _linear(graph.readout)


def area_costs(graph: Graph) -> tuple[AreaCost, ...]:
    """What each area costs, in the order of the ranks, with the edges that enter it."""
    found = []
    for rank, area in enumerate(graph.areas):
        edges = [edge for edge in graph.feedback if edge.target == rank]
        parameters = count(area.parameters) + sum(count(edge.parameters) for edge in edges)
        spent = sum(_multiply_adds(operation, shape) for operation, shape in area_maps(area))
        spent += sum(_multiply_adds(operation, shape) for edge in edges for operation, shape in edge_maps(edge, graph))
        found.append(AreaCost(area.name, parameters, spent))
    return tuple(found)


def memory_bytes(graph: Graph, batch: int) -> int:
    """An estimate of the memory that training takes, in bytes, all in 32-bit floats.

    Counted are the images; for every step what each operation gives (a separable convolution two maps) and what each
    elementwise point of a cell gives (its sums, gates and states), all kept until the gradient has passed; and for
    every parameter its value, gradient and momentum. Not counted are a library's own working space, and what fusing or
    recomputing would spare.
    """
    step = sum(_elements(operation, shape) for area in graph.areas for operation, shape in area_maps(area))
    step += sum(_cell_points(area) for area in graph.areas)
    step += sum(_elements(operation, shape) for edge in graph.feedback for operation, shape in edge_maps(edge, graph))
    activations = math.prod(graph.input_shape) + (graph.steps - 1) * step
    return FLOAT_BYTES * (batch * activations + PARAMETER_COPIES * graph.parameter_count)


def area_maps(area: AreaNode) -> tuple[tuple[Operation, Shape], ...]:
    """Every operation of an area with the shape of what it reads."""
    cell: list[tuple[Operation, Shape]] = []
    for operation in area.cell_operations.values():
        if isinstance(operation, Resizing):
            cell.append((operation, area.input_shape))
        elif isinstance(operation, Convolution):
            cell.append((operation, (operation.inputs, *area.shape[1:])))
        else:
            channels = operation.channels if isinstance(operation, LayerNorm) else area.shape[0]
            cell.append((operation, (channels, *area.shape[1:])))
    return (*_maps(area.drive, area.input_shape), *cell, *_maps(area.post, area.shape))


def edge_maps(edge: EdgeNode, graph: Graph) -> tuple[tuple[Operation, Shape], ...]:
    """Every operation of an edge with the shape of what it reads."""
    return _maps(edge.operations, graph.areas[edge.source].output_shape)


def _maps(operations: tuple[Operation, ...], shape: Shape) -> tuple[tuple[Operation, Shape], ...]:
    found = []
    for operation in operations:
        found.append((operation, shape))
        shape = given(operation, shape)
    return tuple(found)


def given(operation: Operation, shape: Shape) -> Shape:
    """The shape of what an operation gives when it reads a map of a shape."""
    channels, height, width = shape
    match operation:
        case Convolution(outputs=outputs, stride=stride):
            return outputs, -(-height // stride), -(-width // stride)
        case Pooling(stride=stride):
            return channels, -(-height // stride), -(-width // stride)
        case Resizing(size=size):
            return channels, size, size
        case Activation() | LayerNorm() | Scale():
            return shape


def _multiply_adds(operation: Operation, shape: Shape) -> int:
    if not isinstance(operation, Convolution):
        return 0
    _, height, width = given(operation, shape)
    taps = operation.kernel**2
    if operation.separable:
        return height * width * operation.inputs * (taps + operation.outputs)
    return height * width * operation.inputs * taps * operation.outputs


def _linear(readout: Linear) -> int:
    return readout.inputs * readout.outputs


def _elements(operation: Operation, shape: Shape) -> int:
    """How many numbers an operation gives."""
    between = 0
    if isinstance(operation, Convolution) and operation.separable:
        between = operation.inputs * math.prod(given(operation, shape)[1:])
    return between + math.prod(given(operation, shape))


def _cell_points(area: AreaNode) -> int:
    """How many numbers the elementwise points of a cell hold, each as wide as the area: its sums, gates and states."""
    build = Builder()
    residual = build.add("r", Image(area.input_shape[0]), (), area.input_shape[1:])
    drive = build.add("drive", Image(area.shape[0]), (), area.shape[1:])
    add_cell(build, area, residual, drive, {})
    return sum(isinstance(node.kind, Sum | Product | Function) for node in build.nodes) * math.prod(area.shape)
