"""Initial weights, each parameter from a generator of its own.

A parameter's generator is seeded by (seed, its place): areas count by rank and edges by the ranks that they join. So
adding or removing an edge moves no other weight: pairs of networks that differ in one part start equal everywhere else,
and a network whose areas have other names starts the same.

After the public code of Nayebi et al. 2018: feedforward kernels by variance scaling (a normal of variance 1 / fan-in),
recurrent and feedback kernels Glorot-uniform, the read-out a normal of standard deviation 0.01, biases and decays zero,
the affine of norms one and zero. A depthwise kernel's fans are counted as TensorFlow counts them: k² in and k² out for
a feedforward one (so variance 1 / k²), k²·C in and k² out for a recurrent one. Departures: the normal is not truncated,
the two halves of a kernel over [x, h] have their fans counted apart, and peepholes begin at zero.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import TypeAlias

import torch
from torch import Tensor, nn

from space.nodes import AreaNode, EdgeNode, Graph
from space.operations import Convolution, LayerNorm, Linear, Normalisation, Operation, Scale

READOUT_DEVIATION = 0.01
NAMED = "weights."
Role: TypeAlias = str | float
Learnt: TypeAlias = Convolution | LayerNorm | Scale | Normalisation


def initialise(network: nn.Module, graph: Graph, seed: int) -> None:
    """Set every parameter of a network in place."""
    places = _places(graph)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            place, role = places[name]
            generator = torch.Generator().manual_seed(parameter_seed(seed, place))
            parameter.copy_(_initial(parameter.shape, role, generator))


def parameter_seed(seed: int, name: str) -> int:
    """The seed of one parameter's generator, in [0, 2⁶³)."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _places(graph: Graph) -> dict[str, tuple[str, Role]]:
    """Parameter name → its place, which says where it is read by ranks, and the rule that sets it.

    What is shared by name has the place of that name, whichever edges are there to share it, and the rule of its first
    use.
    """
    places: dict[str, tuple[str, Role]] = {}
    for place, part in graph.parts():
        if isinstance(part, Linear):
            places |= {f"{part.path}.weight": (f"{place}.weight", "readout"), f"{part.path}.bias": (place, 0.0)}
            continue
        for stem, operation in _operations(part):
            for name in operation.parameters:
                ending = name.removeprefix(operation.path)
                own = name if operation.path.startswith(NAMED) else f"{place}.{stem}{ending}"
                places.setdefault(name, (own, _role(operation, name)))
    return places


def _operations(part: AreaNode | EdgeNode) -> Iterator[tuple[str, Learnt]]:
    """What learns in an area or on an edge, each named by its position."""
    named: list[tuple[str, Operation]] = []
    if isinstance(part, AreaNode):
        named += [(f"drive.{position}", each) for position, each in enumerate(part.drive)]
        named += [(f"cell.{name}", each) for name, each in part.cell_operations.items()]
        named += [(f"post.{position}", each) for position, each in enumerate(part.post)]
    else:
        named += [(f"{position}", each) for position, each in enumerate(part.operations)]
    yield from ((stem, each) for stem, each in named if isinstance(each, Learnt))


def _role(operation: Learnt, name: str) -> Role:
    """A number that all of it is, or the name of a distribution."""
    if name.endswith(".bias") or isinstance(operation, Scale):
        return 0.0
    match operation:
        case LayerNorm():
            return 1.0
        case Normalisation(scale=scale):
            return scale
        case Convolution(transposed=True):
            return "transposed"
        case Convolution(role=role):
            return role


def _initial(shape: torch.Size, role: Role, generator: torch.Generator) -> Tensor:
    values = torch.zeros(shape)
    match role:
        case float():
            values.fill_(role)
        case "readout":
            values.normal_(0.0, READOUT_DEVIATION, generator=generator)
        case "feedforward":
            values.normal_(0.0, math.sqrt(1.0 / math.prod(shape[1:])), generator=generator)
        case "recurrent" | "transposed":
            taps = math.prod(shape[2:])
            bound = math.sqrt(6.0 / (taps * (shape[0] + shape[1])))
            values.uniform_(-bound, bound, generator=generator)
    return values
