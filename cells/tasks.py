"""How the tasks of a plan are computed: each by a function of the images and of what the task reads.

The functions are partial ones of this file and not closures, so that a network can be copied.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from cells.beginning import beginning
from cells.cell import Cell, State
from cells.layout import laid_out
from cells.operations import ACTIVATIONS, module, sharing
from space import dataflow, operations
from space.plan import Join, Split, Task

if TYPE_CHECKING:
    from cells.network import Network

Run: TypeAlias = Callable[..., tuple[object, ...]]  # of the images and what is read; gives what goes to each place


def run_of(network: Network, task: Task) -> Run:
    """What does a task with the images and what it reads, on the modules of a network."""
    match task.work:
        case Join():
            return _joined
        case Split():
            return functools.partial(_split, parts=len(task.gives))
        case nodes:
            return functools.partial(_computed, compute=_compute(network, nodes[0], task.gives[0]))


def _compute(network: Network, node: dataflow.Node, place: int) -> Callable[..., object]:
    match node.kind:
        case dataflow.Image(frame, value):
            if value is not None:
                return functools.partial(_constant, shape=node.shape, value=value)
            return functools.partial(_frame, frame=frame if network.graph.clock.frames else None)
        case dataflow.Zeros():
            return functools.partial(_constant, shape=node.shape, value=0.0)
        case dataflow.Sum():
            return _sum
        case dataflow.Product():
            return _product
        case dataflow.Concatenation():
            return _concatenated
        case dataflow.Function(name):
            return functools.partial(_applied, function=ACTIVATIONS[name])
        case dataflow.Project(rank):
            return functools.partial(_projected, cell=network.cell(rank))
        case dataflow.Update(rank):
            area, cell = network.graph.areas[rank], network.cell(rank)
            cell = beginning(cell, area) if node.kind.begins else cell
            return functools.partial(_updated, cell=cell, update=node.kind, channels=area.shape[0])
        case dataflow.Emitted():
            return _emitted
        case operations.Linear() | operations.Convolution() | operations.Normalisation() if not node.inputs:
            bias = dict(network.named_parameters())[operations.bias_of(node.kind, node.step)]
            axes = 1 if isinstance(node.kind, operations.Linear) else 3
            return functools.partial(_bias, bias=bias, shape=node.shape[:axes])
        case operations.Linear():
            return functools.partial(_applied, function=network["readout"])
        case operations.Normalisation(path=path):
            run, norm = _normalised if node.kind.groups else _normalised_by_batch, network.norms[path]
            affine, statistics = norm.at(node.step)
            return functools.partial(run, norm=norm, affine=affine, statistics=statistics, occurrence=place)
        case operations.Dropout(rate):
            return functools.partial(_dropped, rate=rate, network=network)
        case operations.Convolution(path=path, steps=steps):
            operation, first = network.convolutions[path if steps is None else f"{path}.{node.step}"]
            alike = (operation.stride, operation.transposed) == (node.kind.stride, node.kind.transposed)
            return functools.partial(_applied, function=first if alike else sharing(first, node.kind))
        case _:
            assert isinstance(node.kind, operations.Operation), node.kind
            return functools.partial(_applied, function=module(node.kind))


def _computed(images: Tensor, *read: object, compute: Callable[..., object]) -> tuple[object]:
    return (compute(images, *read),)


def _joined(_: Tensor, *parts: Tensor) -> tuple[Tensor]:
    return (torch.cat(parts),)


def _split(_: Tensor, read: Tensor | tuple[Tensor, ...], parts: int) -> tuple[object, ...]:
    """Equal parts; of several maps at once, tuples of their parts."""
    if isinstance(read, Tensor):
        return tuple(read.chunk(parts))
    return tuple(zip(*(each.chunk(parts) for each in read), strict=True))


def _frame(images: Tensor, frame: int | None) -> Tensor:
    return images if frame is None else images[:, frame]


def _constant(images: Tensor, shape: tuple[int, ...], value: float) -> Tensor:
    return laid_out(images.new_full((1, *shape), value), images)


def _bias(images: Tensor, bias: Tensor, shape: tuple[int, ...]) -> Tensor:
    """What is left where zeros are read, alike for all images and pixels."""
    bias = bias.to(images.dtype).view(1, -1, *(1 for _ in shape[1:]))
    return laid_out(bias.expand(1, *shape), images)


def _sum(_: Tensor, *terms: Tensor) -> Tensor:
    return functools.reduce(torch.add, terms)


def _product(_: Tensor, *factors: Tensor) -> Tensor:
    return functools.reduce(torch.mul, factors)


def _concatenated(_: Tensor, *parts: Tensor) -> Tensor:
    images = max(len(part) for part in parts)
    return torch.cat([part.expand(images, -1, -1, -1) for part in parts], dim=1)


def _applied(_: Tensor, read: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    return function(read)


def _dropped(images: Tensor, read: Tensor, rate: float, network: Network) -> Tensor:
    """Each image of the batch on its own, even where all read the same."""
    return nn.functional.dropout(read.expand(len(images), -1, -1, -1), rate, network.training)


def _normalised(_: Tensor, read: Tensor, norm: nn.Module, **at: str | int) -> Tensor:
    found: Tensor = norm(read, **at)
    return found


def _normalised_by_batch(images: Tensor, read: Tensor, norm: nn.Module, **at: str | int) -> Tensor:
    """Over the whole batch, even where all images read the same: the unbiased variance depends on its size."""
    return _normalised(images, read.expand(len(images), -1, -1, -1), norm, **at)


def _projected(_: Tensor, x_NCHW: Tensor, r_NCHW: Tensor, cell: Cell) -> tuple[Tensor, ...]:
    return cell.project(x_NCHW, r_NCHW)


def _updated(
    images: Tensor, projections: tuple[Tensor, ...], *read: Any, cell: Cell, update: dataflow.Update, channels: int
) -> tuple[Tensor, State | None]:
    feedback = dict(zip(update.ports, read, strict=False))
    # Zeros are alike for all images and pixels.
    state = cell.initial(images.new_zeros(1, channels, 1, 1)) if update.begins else read[-1][1]
    if not update.carries:
        return cell.emit(projections, feedback, state), None
    return cell.update(projections, feedback, state)


def _emitted(_: Tensor, step: tuple[Tensor, State | None]) -> Tensor:
    """What `update` returns first."""
    return step[0]
