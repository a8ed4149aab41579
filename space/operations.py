"""The operations of a lowered architecture, each with the names and shapes of what it learns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

Parameters: TypeAlias = dict[str, tuple[int, ...]]
Shape: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with same padding, or the transpose of one; `role` decides its initial weights.

    Arguments:
        path: names what it learns; operations of one path share it.
        steps: the steps at which it has weights of its own, or None where all steps share them.

    """

    path: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    separable: bool
    bias: bool
    role: str
    transposed: bool = False
    steps: tuple[int, ...] | None = None

    @property
    def parameters(self) -> Parameters:
        """Name → shape, as a torch module of the same path names them."""
        return _of_all_steps(self)

    def parameters_at(self, step: int) -> Parameters:
        """What it learns that it reads at one step."""
        path = _path_at(self.path, self.steps, step)
        square = (self.kernel, self.kernel)
        found: Parameters
        if self.separable:
            found = {
                f"{path}.depthwise.weight": (self.inputs, 1, *square),
                f"{path}.pointwise.weight": (self.outputs, self.inputs, 1, 1),
            }
            last = f"{path}.pointwise"
        else:
            joins = (self.inputs, self.outputs) if self.transposed else (self.outputs, self.inputs)
            found = {f"{path}.weight": (*joins, *square)}
            last = path
        if self.bias:
            found[f"{last}.bias"] = (self.outputs,)
        return found


@dataclass(frozen=True, slots=True)
class Activation:
    """An elementwise function."""

    function: str


@dataclass(frozen=True, slots=True)
class Pooling:
    """The maximum or mean over windows, same padding."""

    kernel: int
    stride: int
    mean: bool = False


@dataclass(frozen=True, slots=True)
class Dropout:
    """Zeroes a share of the numbers at random while training; no two evaluations are the same."""

    rate: float


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
class Normalisation:
    """A normalisation in a sequence of operations.

    Arguments:
        path: names what it learns and the statistics that it keeps.
        channels: of its map.
        groups: that share statistics, each over its channels and all pixels of an image; 0 for a batch norm, whose
            statistics are of each channel over all images of the batch.
        affine: whether it has a scale, at first `scale`, and a shift.
        affine_steps: the steps at which these are its own, or None where all steps share them.
        statistics_steps: as `affine_steps`, for the running statistics of a batch norm.

    """

    path: str
    channels: int
    groups: int
    affine: bool
    scale: float
    affine_steps: tuple[int, ...] | None = None
    statistics_steps: tuple[int, ...] | None = None

    @property
    def parameters(self) -> Parameters:
        """Name → shape."""
        return _of_all_steps(self)

    @property
    def steps(self) -> tuple[int, ...] | None:
        """The steps at which what it learns is its own."""
        return self.affine_steps

    def parameters_at(self, step: int) -> Parameters:
        """What it learns that it reads at one step."""
        if not self.affine:
            return {}
        path = _path_at(self.path, self.affine_steps, step)
        return {f"{path}.weight": (self.channels,), f"{path}.bias": (self.channels,)}


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


Operation: TypeAlias = Convolution | Activation | Pooling | Resizing | LayerNorm | Scale | Normalisation | Dropout


def is_pure(operation: Operation) -> bool:
    """Whether what it gives is a function of what it reads, image by image; of a batch norm and a dropout it is not."""
    return not isinstance(operation, Dropout) and not (isinstance(operation, Normalisation) and not operation.groups)


def bias_of(operation: Convolution | Normalisation | Linear, step: int) -> str:
    """The name of the bias that an operation reads at a step."""
    found = operation.parameters if isinstance(operation, Linear) else operation.parameters_at(step)
    return next(name for name in found if name.endswith(".bias"))


def given(operation: Operation, shape: Shape) -> Shape:
    """The shape `(C, H, W)` of what an operation gives when it reads a map of a shape."""
    channels, height, width = shape
    match operation:
        case Convolution(outputs=outputs, stride=stride, transposed=True):
            return outputs, height * stride, width * stride
        case Convolution(outputs=outputs, stride=stride):
            return outputs, -(-height // stride), -(-width // stride)
        case Pooling(stride=stride):
            return channels, -(-height // stride), -(-width // stride)
        case Resizing(size=size):
            return channels, size, size
        case _:
            return shape


def parameters(operations: tuple[Operation, ...]) -> Parameters:
    """Name → shape, of all that the operations learn."""
    found: Parameters = {}
    for operation in operations:
        if isinstance(operation, Convolution | LayerNorm | Scale | Normalisation):
            found |= operation.parameters
    return found


def count(parameters: Parameters) -> int:
    """How many numbers the parameters hold."""
    return sum(math.prod(shape) for shape in parameters.values())


def own_step(steps: tuple[int, ...], step: int) -> int:
    """The step whose own is used at a step: itself, or of those that are there the last before it, else the first."""
    return max((each for each in steps if each <= step), default=min(steps, default=step))


def _path_at(path: str, steps: tuple[int, ...] | None, step: int) -> str:
    return path if steps is None else f"{path}.{own_step(steps, step)}"


def _of_all_steps(operation: Convolution | Normalisation) -> Parameters:
    found: Parameters = {}
    for step in operation.steps if operation.steps is not None else (0,):
        found |= operation.parameters_at(step)
    return found
