"""The dataflow of an unrolled network: small nodes, each one map made of others, and one node for what is the same.

A node stands for a value at all the steps that have it: two of one kind that read the same nodes are one node, be they
of different steps, areas or edges. Zeros are followed: states and outputs are zeros before step 0, and what a
convolution without a bias, a product or most activations make of zeros is zeros again. So what is left is what the
network must compute, whatever its parameters are; what no read-out depends on, no walk from the read-outs meets.

Nodes stand in an order in which each reads only earlier ones.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from space.operations import (
    Activation,
    Convolution,
    Dropout,
    LayerNorm,
    Linear,
    Normalisation,
    Operation,
    Pooling,
    Resizing,
    Scale,
    Shape,
    given,
    is_pure,
)

_AT: dict[str, float] = {"elu": 0.0, "relu": 0.0, "tanh": 0.0, "identity": 0.0}


@dataclass(frozen=True, slots=True)
class Zeros:
    """A map of zeros."""


@dataclass(frozen=True, slots=True)
class Image:
    """What is shown: the image, or one frame of a sequence of them, or after them a map of one `value`."""

    frame: int = 0
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """Its input, as what an edge brings: told apart from the others of that input."""

    edge: int


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of its inputs, in whatever order."""


@dataclass(frozen=True, slots=True)
class Product:
    """The elementwise product of its inputs, in whatever order."""


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Its inputs, channels after channels."""


@dataclass(frozen=True, slots=True)
class Function:
    """`offset + scale · name(input + added)`, elementwise."""

    name: str
    added: float = 0.0
    scale: float = 1.0
    offset: float = 0.0

    @property
    def keeps_zero(self) -> bool:
        """Whether a map of zeros becomes a map of zeros, exactly."""
        if self.added:
            return False
        at_zero = _AT.get(self.name)
        return at_zero is not None and self.offset + self.scale * at_zero == 0


@dataclass(frozen=True, slots=True)
class Part:
    """The part `index` of its input's channels cut into `parts` equal ones."""

    index: int
    parts: int


@dataclass(frozen=True, slots=True)
class Project:
    """What a step of an area's cell computes without its state: of its drive with what enters its input, and of r."""

    area: int


@dataclass(frozen=True, slots=True)
class Update:
    """A step of an area's cell: of what `Project` gave, of what enters at each of the `ports`, and of the last step.

    A first step begins with a state of zeros; a step that does not carry its state on only emits.
    """

    area: int
    ports: tuple[str, ...]
    begins: bool
    carries: bool = True


@dataclass(frozen=True, slots=True)
class Emitted:
    """What a step of a cell gives to the operations after it."""


ZEROS, SUM, PRODUCT, CONCATENATION = Zeros(), Sum(), Product(), Concatenation()
Learnt: TypeAlias = Convolution | LayerNorm | Scale | Normalisation | Linear
Kind: TypeAlias = (
    Zeros
    | Image
    | Arrival
    | Sum
    | Product
    | Concatenation
    | Function
    | Part
    | Convolution
    | LayerNorm
    | Scale
    | Normalisation
    | Dropout
    | Pooling
    | Resizing
    | Linear
    | Project
    | Update
    | Emitted
)


class Node(NamedTuple):
    """One value.

    Arguments:
        owner: the rank of the area, or the position of the edge, that computes it first.
        of_edge: whether `owner` is an edge.
        name: of the value within its owner; those of a sequence of operations share the name of the sequence.
        kind: how it is computed.
        step: the first step that has it.
        inputs: the nodes that it reads; none where a convolution or a norm reads zeros, so that its bias alone is left.
        shape: `(C, H, W)`.
        of_image: whether it depends on the image.
        is_positive: whether it is never negative, and where it is 0 passes on no gradient.

    """

    owner: int
    of_edge: bool
    name: str
    kind: Kind
    step: int
    inputs: tuple[int, ...]
    shape: Shape
    of_image: bool
    is_positive: bool


class Builder:
    """Collects the nodes of one owner after the other; every method returns the position of its node.

    Before an owner's nodes are made, `owner`, `of_edge`, `step` and, for an area, `states` say whose they are.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.owner = 0
        self.of_edge = False
        self.step = 0
        self.states: dict[str, int] = {}
        self.carried: dict[str, int] = {}
        self._found: dict[Hashable, int] = {}

    def add(
        self, name: str, kind: Kind, inputs: Sequence[int], shape: Shape | None = None, key: Hashable = None
    ) -> int:
        """A node of any kind; `key` tells its kind apart from others; its shape is its first input's, if not given."""
        known = (key if key is not None else kind, *inputs)
        position = self._found.get(known)
        if position is not None:
            return position
        nodes = self.nodes
        if shape is None:
            shape = nodes[inputs[0]].shape
            if isinstance(kind, Part):
                shape = (shape[0] // kind.parts, *shape[1:])
                if nodes[inputs[0]].kind is ZEROS:
                    return self.zeros(shape)
        of_image = isinstance(kind, Image) and kind.value is None
        for each in inputs:
            of_image = of_image or nodes[each].of_image
        position = self._found[known] = len(nodes)
        is_positive = _is_positive(kind, nodes, inputs)
        nodes.append(Node(self.owner, self.of_edge, name, kind, self.step, tuple(inputs), shape, of_image, is_positive))
        return position

    def zeros(self, shape: Shape) -> int:
        """A map of zeros."""
        return self.add("zeros", ZEROS, (), shape, ("zeros", shape))

    def is_zeros(self, node: int) -> bool:
        """Whether a node is a map of zeros."""
        return self.nodes[node].kind is ZEROS

    def state(self, name: str, shape: Shape) -> int:
        """A state of the area as the step before left it, zeros before the first."""
        found = self.states.get(name)
        return self.zeros(shape) if found is None else found

    def carry(self, name: str, node: int) -> None:
        """Say what a state is after this step."""
        self.carried[name] = node

    def sum(self, name: str, *terms: int) -> int:
        """A sum; zeros add nothing, and a sum of one term is the term."""
        left = [each for each in terms if self.nodes[each].kind is not ZEROS]
        if not left:
            return terms[0]
        return left[0] if len(left) == 1 else self.add(name, SUM, sorted(left), None, "sum")

    def product(self, name: str, *factors: int) -> int:
        """A product; zeros if a factor is."""
        if len(factors) == 1:
            return factors[0]
        for each in factors:
            if self.nodes[each].kind is ZEROS:
                return each
        return self.add(name, PRODUCT, sorted(factors), None, "product")

    def concatenation(self, name: str, *parts: int) -> int:
        """Maps, channels after channels."""
        if len(parts) == 1:
            return parts[0]
        shapes = [self.nodes[each].shape for each in parts]
        return self.add(name, CONCATENATION, parts, (sum(shape[0] for shape in shapes), *shapes[0][1:]))

    def function(
        self, name: str, function: str, node: int, *, added: float = 0.0, scale: float = 1.0, offset: float = 0.0
    ) -> int:
        """`offset + scale · function(node + added)`; what changes nothing is left out."""
        read = self.nodes[node]
        if (added, scale, offset) == (0.0, 1.0, 0.0) and (
            function == "identity" or (read.is_positive and function in ("elu", "relu"))
        ):
            return node
        kind = _function(function, added, scale, offset)
        if read.kind is ZEROS and kind.keeps_zero:
            return node
        return self.add(name, kind, (node,), None, ("function", function, added, scale, offset))

    def operation(self, name: str, operation: Operation, node: int) -> int:
        """An operation of the lowered graph at this step; what changes nothing is left out."""
        read = self.nodes[node]
        shape = given(operation, read.shape)
        key: Hashable = operation
        inputs: tuple[int, ...] = (node,)
        match operation:
            case Activation(function):
                return self.function(name, function, node)
            case Pooling(kernel=1, stride=1):
                return node
            case Resizing() if shape == read.shape:
                return node
            case Dropout(rate=0.0):
                return node
            case Convolution(path=path, steps=steps, bias=bias):
                key = (
                    "convolution",
                    path,
                    operation.stride,
                    operation.transposed,
                    self.step if steps is not None else None,
                )
                if read.kind is ZEROS:
                    if not bias:
                        return self.zeros(shape)
                    inputs, key = (), (*key, shape)
            case LayerNorm(path=path):
                key = ("norm", path)
                if read.kind is ZEROS:
                    inputs, key = (), (*key, shape)
            case Normalisation(path=path, affine=affine):
                own = self.step if operation.affine_steps is not None else None
                # What a batch norm keeps is a mean over its occurrences, so each is one of its own.
                place = () if is_pure(operation) else (self.owner, self.of_edge, name, self.step)
                key = ("norm", path, own, *place)
                if read.kind is ZEROS and is_pure(operation):
                    if not affine:
                        return node
                    inputs, key = (), (*key, shape)
            case Dropout():
                if read.kind is ZEROS:
                    return node
                key = ("dropout", self.owner, self.of_edge, self.step)
            case Scale(path=path) if read.kind is not ZEROS:
                key = ("scale", path)
            case _ if read.kind is ZEROS:
                return self.zeros(shape)
        return self.add(name, operation, inputs, shape, key)

    def sequence(self, name: str, operations: Sequence[Operation], node: int) -> int:
        """Operations that follow one another."""
        for operation in operations:
            node = self.operation(name, operation, node)
        return node


_function = functools.cache(Function)  # one object for all that are alike


def _is_positive(kind: Kind, nodes: list[Node], inputs: Sequence[int]) -> bool:
    match kind:
        case Function("relu" | "sigmoid", _, 1.0, 0.0):
            return True
        case Function("elu", 0.0, 1.0, 0.0) | Pooling() | Resizing() | Arrival():
            return nodes[inputs[0]].is_positive
        case _:
            return False
