"""What a lowered architecture costs: as declared, every operation at every step; and live, what an answer depends on.

What is live counts once where steps, areas or edges share it (`space.unroll`), and it is what the network computes; but
a searched cell projects its drive whole: at its first step also to gates of what is zero, at its last to the state.

Costs are of one image, in multiply-adds: one multiplication and one addition of a convolution or of the read-out, the
padding counted like any pixel. Elementwise functions, gates, norms, pools and resizes are not counted, as is usual:
the convolutions of these networks outweigh them by two to three orders of magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from space.cell_equations import add_cell
from space.dataflow import Builder, Image, Node
from space.memory import kept
from space.nodes import AreaNode, EdgeNode, Graph
from space.operations import Convolution, Linear, Shape
from space.reach import learning, live_parameters
from space.unroll import unroll
from space.wiring import IMAGE, active_steps

FLOAT_BYTES = 4
PARAMETER_COPIES = 3  # the weight, its gradient and its momentum


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs.

    Arguments:
        parameters: how many numbers it learns.
        multiply_adds: of each image, over all steps and answers.
        batch_multiply_adds: once for the batch, for what no image has reached.
        image_bytes: kept of one image until its gradient has passed, in 32-bit floats. A library's own working space
            is not counted, nor what recomputing would spare.
        batch_bytes: kept once for the batch; of each parameter the value, the gradient and the momentum among them.

    """

    parameters: int
    multiply_adds: int
    batch_multiply_adds: int
    image_bytes: int
    batch_bytes: int

    def memory_bytes(self, batch: int) -> int:
        """An estimate of the memory that training with batches of so many images takes."""
        return batch * self.image_bytes + self.batch_bytes


def declared(graph: Graph) -> Cost:
    """The cost of every operation at every step up to the last that a read-out may read."""
    timing = graph.schedule()
    read = (1 << graph.steps - graph.answer.delay) - 1
    spent = len(graph.answer.steps) * _linear(graph.readout)
    kept_numbers = math.prod(graph.input_shape)
    for rank, area in enumerate(graph.areas):
        times = (timing.computed[rank] & read).bit_count()
        nodes = _one_step_of_area(area)
        spent += times * _spent(nodes)
        kept_numbers += times * sum(kept(nodes, range(len(nodes))))
    for edge in graph.edges:
        times = (active_steps(edge.wire, graph.clock) & timing.computed[edge.target] & read).bit_count()
        nodes = _one_step_of_edge(edge, graph)
        spent += times * _spent(nodes)
        kept_numbers += times * sum(kept(nodes, range(len(nodes))))
    return _cost(graph.parameter_count, (spent, 0), (kept_numbers, 0))


def live(graph: Graph) -> Cost:
    """The cost of what an answer depends on."""
    found = unroll(graph)
    matters = [position for position, is_live in enumerate(found.live()) if is_live]
    nodes = [found.nodes[position] for position in matters]
    shapes = graph.parameters
    parameters = sum(
        math.prod(shapes[name]) for name in {name for node in learning(nodes) for name in live_parameters(node)}
    )
    dear = [node for node in nodes if isinstance(node.kind, Convolution | Linear)]
    spent = _spent(node for node in dear if node.of_image), _spent(node for node in dear if not node.of_image)
    return _cost(parameters, spent, kept(found.nodes, matters))


def area_multiply_adds(area: AreaNode) -> int:
    """An area's multiply-adds at one step for one image, without the edges that enter it."""
    return _spent(_one_step_of_area(area))


def edge_multiply_adds(edge: EdgeNode, graph: Graph) -> int:
    """An edge's multiply-adds at one step for one image."""
    return _spent(_one_step_of_edge(edge, graph))


class _AnyStep(Builder):
    """One step at which everything that is read is there, and none of it twice."""

    def state(self, name: str, shape: Shape) -> int:
        """A state of the step before."""
        return self.something(name, shape)

    def something(self, name: str, shape: Shape) -> int:
        """A map that is not zeros."""
        return self.add(name, Image(), (), shape, name)


def _one_step_of_area(area: AreaNode) -> list[Node]:
    build = _AnyStep()
    residual = build.something("r", area.input_shape)
    drive = build.sequence("drive", area.drive, residual)
    out = add_cell(build, area, residual, drive, {})
    build.sequence("post", area.post, out)
    return build.nodes


def _one_step_of_edge(edge: EdgeNode, graph: Graph) -> list[Node]:
    build = _AnyStep()
    shape = graph.input_shape if edge.source == IMAGE else graph.areas[edge.source].output_shape
    build.sequence("via", edge.operations, build.something("source", shape))
    return build.nodes


def _cost(parameters: int, spent: tuple[int, int], numbers: tuple[int, int]) -> Cost:
    of_image, of_batch = numbers
    fixed = of_batch + PARAMETER_COPIES * parameters
    return Cost(parameters, *spent, FLOAT_BYTES * of_image, FLOAT_BYTES * fixed)


def _spent(nodes: Iterable[Node]) -> int:
    return sum(_multiply_adds(node) for node in nodes)


def _multiply_adds(node: Node) -> int:
    kind = node.kind
    if isinstance(kind, Linear) and node.inputs:
        return _linear(kind)
    if not (isinstance(kind, Convolution) and node.inputs):
        return 0
    _, height, width = node.shape
    taps = kind.kernel**2
    if kind.transposed:  # each pixel that it reads is spread over the taps
        return height * width // kind.stride**2 * kind.inputs * taps * kind.outputs
    if kind.separable:
        return height * width * kind.inputs * (taps + kind.outputs)
    return height * width * kind.inputs * taps * kind.outputs


def _linear(readout: Linear) -> int:
    return readout.inputs * readout.outputs
