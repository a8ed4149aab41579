"""What training keeps of a dataflow until the gradient has passed.

Kept are the maps that the gradients of nodes need: what convolutions, norms and products read, and of most elementwise
functions what they give. Sums, resizes and joins need nothing. This is of a GPU, where memory is scarce; a CPU keeps
wide 3 × 3 weights transformed too, each four times as large as it is (`cells.winograd`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from space.dataflow import Arrival, Function, Node, Product, Zeros
from space.operations import Convolution, Dropout, LayerNorm, Normalisation, Pooling, Scale

_INDEX = 2  # a maximum remembers where it was, in numbers of eight bytes


def kept(nodes: Sequence[Node], live: Iterable[int]) -> tuple[int, int]:
    """How many numbers of four bytes are kept: of each image, and once for the batch."""
    maps: dict[tuple[int, str], int] = {}
    for position in live:
        node = nodes[position]
        size = math.prod(node.shape)
        match node.kind:
            case Convolution(separable=separable):
                maps |= _read(nodes, position, node.kind.kernel, node.kind.stride)
                if separable and node.inputs:
                    maps[position, "between"] = node.kind.inputs * math.prod(node.shape[1:])
            case Product():
                maps |= _inputs(nodes, node)
            case LayerNorm() | Normalisation() | Scale():
                maps |= _inputs(nodes, node)
            case Function(function, _, scale, offset):
                if (scale, offset) != (1.0, 0.0) and function != "identity":
                    maps[position, "before scaling"] = size
                if function in ("elu", "relu"):
                    maps |= _inputs(nodes, node)
                elif function != "identity":
                    maps[position, ""] = size
            case Pooling(kernel, stride, mean):
                maps |= _read(nodes, position, kernel, stride)
                maps[position, "indices"] = 0 if mean else _INDEX * size
            case Dropout():
                maps[position, "mask"] = size
    images = sum(size for (position, _), size in maps.items() if nodes[position].of_image)
    return images, sum(maps.values()) - images


def _read(nodes: Sequence[Node], position: int, kernel: int, stride: int) -> dict[tuple[int, str], int]:
    """What windows read: the map, or a copy of it where its padding is not the same on both sides."""
    node = nodes[position]
    if not node.inputs:
        return {}
    channels, height, width = nodes[node.inputs[0]].shape
    more = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in (height, width)]
    if all(each % 2 == 0 for each in more):
        return _inputs(nodes, node)
    return {(position, "padded"): channels * (height + more[0]) * (width + more[1])}


def _inputs(nodes: Sequence[Node], node: Node) -> dict[tuple[int, str], int]:
    found = {}
    for position in node.inputs:
        while isinstance(nodes[position].kind, Arrival):
            position = nodes[position].inputs[0]
        if not isinstance(nodes[position].kind, Zeros):
            found[position, ""] = math.prod(nodes[position].shape)
    return found
