"""Initial weights, each parameter from a generator of its own.

A parameter's generator is seeded by (seed, its name), so adding or removing an edge moves no other weight: pairs of
networks that differ in one part start equal everywhere else.

After the public code of Nayebi et al. 2018: feedforward kernels by variance scaling (a normal of variance 1 / fan-in),
recurrent and feedback kernels Glorot-uniform, the read-out a normal of standard deviation 0.01, biases and decays zero,
the affine of norms one and zero. A depthwise kernel's fans are counted as TensorFlow counts them: k² in and k² out for
a feedforward one (so variance 1 / k²), k²·C in and k² out for a recurrent one. Departures: the normal is not truncated,
the two halves of a kernel over [x, h] have their fans counted apart, and peepholes begin at zero.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor, nn

from space.graph import AreaNode, Convolution, EdgeNode, Graph, LayerNorm
from space.operations import Scale

READOUT_DEVIATION = 0.01


def initialise(network: nn.Module, graph: Graph, seed: int) -> None:
    """Set every parameter of a network in place."""
    roles = _roles(graph)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            generator = torch.Generator().manual_seed(parameter_seed(seed, name))
            parameter.copy_(_initial(parameter.shape, roles[name], generator))


def parameter_seed(seed: int, name: str) -> int:
    """The seed of one parameter's generator, in [0, 2⁶³)."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _roles(graph: Graph) -> dict[str, str]:
    """Parameter name → the rule that sets it."""
    roles = {"readout.weight": "readout", "readout.bias": "zero"}
    parts: tuple[AreaNode | EdgeNode, ...] = (*graph.areas, *graph.feedback)
    for part in parts:
        for operation in _operations(part):
            for name in operation.parameters:
                if name.endswith(".bias") or isinstance(operation, Scale):
                    roles[name] = "zero"
                else:
                    roles[name] = "one" if isinstance(operation, LayerNorm) else operation.role
    return roles


def _operations(part: AreaNode | EdgeNode) -> list[Convolution | LayerNorm | Scale]:
    match part:
        case AreaNode():
            found = (*part.drive, *part.cell_operations.values(), *part.post)
        case EdgeNode():
            found = part.operations
    return [operation for operation in found if isinstance(operation, Convolution | LayerNorm | Scale)]


def _initial(shape: torch.Size, role: str, generator: torch.Generator) -> Tensor:
    values = torch.zeros(shape)
    match role:
        case "one":
            values.fill_(1.0)
        case "readout":
            values.normal_(0.0, READOUT_DEVIATION, generator=generator)
        case "feedforward":
            values.normal_(0.0, math.sqrt(1.0 / math.prod(shape[1:])), generator=generator)
        case "recurrent":
            taps = math.prod(shape[2:])
            bound = math.sqrt(6.0 / (taps * (shape[0] + shape[1])))
            values.uniform_(-bound, bound, generator=generator)
    return values
