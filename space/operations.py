"""The operations of a lowered architecture, each with the names and shapes of what it learns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

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
class Scale:
    """A product with learnt factors, one for each channel or a single one for all; they begin at zero."""

    path: str
    factors: int

    @property
    def parameters(self) -> Parameters:
        """Name → shape."""
        return {f"{self.path}.weight": (self.factors,)}


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


Operation: TypeAlias = Convolution | Activation | Pooling | Resizing | LayerNorm | Scale


def parameters(operations: tuple[Operation, ...]) -> Parameters:
    """Name → shape, of all that the operations learn."""
    found: Parameters = {}
    for operation in operations:
        if isinstance(operation, Convolution | LayerNorm | Scale):
            found |= operation.parameters
    return found


def count(parameters: Parameters) -> int:
    """How many numbers the parameters hold."""
    return sum(math.prod(shape) for shape in parameters.values())
