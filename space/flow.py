"""The dataflow of one step of a lowered graph: small nodes, each one map, and what each reads.

This is what reachability and the normal form are worked out on. All that is carried from one step to the next passes a
`Previous` node, which is zero at step 0; everything else reads values of its own step. Nodes stand in an order in which
each reads only earlier ones, but for `Previous`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from space.operations import Activation, Convolution, LayerNorm, Linear, Operation, Pooling, Resizing, Scale

Size: TypeAlias = tuple[int, int]
_AT: dict[str, float] = {"elu": 0.0, "relu": 0.0, "tanh": 0.0, "identity": 0.0}


@dataclass(frozen=True, slots=True)
class Image:
    """The image, which is shown at every step."""

    channels: int


@dataclass(frozen=True, slots=True)
class Previous:
    """What its input was one step before; zero at step 0."""


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of its inputs, in whatever order."""


@dataclass(frozen=True, slots=True)
class Product:
    """The elementwise product of its inputs, in whatever order."""


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


Kind: TypeAlias = (
    Image | Previous | Sum | Product | Function | Part | Convolution | LayerNorm | Scale | Pooling | Resizing | Linear
)


@dataclass(frozen=True, slots=True)
class Node:
    """One value per step.

    Arguments:
        owner: the rank of the area, or the position of the edge, that computes it.
        of_edge: whether `owner` is an edge.
        name: of the value within its owner; those of a sequence of operations share the name of the sequence.
        kind: how it is computed.
        inputs: the nodes that it reads.
        size: pixels of the map.

    """

    owner: int
    of_edge: bool
    name: str
    kind: Kind
    inputs: tuple[int, ...]
    size: Size


class Builder:
    """Collects the nodes of one owner after the other; every method returns the position of its node."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.owner = 0
        self.of_edge = False

    def add(self, name: str, kind: Kind, inputs: Sequence[int], size: Size | None = None) -> int:
        """A node of any kind; its map has the size of its first input's where none is given."""
        found = size or self.nodes[inputs[0]].size
        self.nodes.append(Node(self.owner, self.of_edge, name, kind, tuple(inputs), found))
        return len(self.nodes) - 1

    def previous(self, name: str, size: Size) -> int:
        """A value of the step before, of which only `feed` says what it is."""
        return self.add(name, Previous(), (), size)

    def feed(self, previous: int, node: int) -> None:
        """Say what a previous value is of."""
        self.nodes[previous] = replace(self.nodes[previous], inputs=(node,))

    def sum(self, name: str, *terms: int) -> int:
        """A sum; of one term it is the term."""
        return terms[0] if len(terms) == 1 else self.add(name, Sum(), terms)

    def alone(self, name: str, term: int) -> int:
        """A sum of one term, which tells its reader apart from the others of that term."""
        return self.add(name, Sum(), (term,))

    def product(self, name: str, *factors: int) -> int:
        """A product."""
        return self.add(name, Product(), factors)

    def function(
        self, name: str, function: str, node: int, *, added: float = 0.0, scale: float = 1.0, offset: float = 0.0
    ) -> int:
        """`offset + scale · function(node + added)`; nothing is added for an identity."""
        kind = Function(function, added, scale, offset)
        return node if kind == Function("identity") else self.add(name, kind, (node,))

    def operation(self, name: str, operation: Operation, node: int) -> int:
        """An operation of the lowered graph; what changes nothing is left out."""
        height, width = size = self.nodes[node].size
        match operation:
            case Activation(function):
                return self.function(name, function, node)
            case Convolution(stride=stride):
                size = (-(-height // stride), -(-width // stride))
            case Pooling(kernel, stride):
                if kernel == stride == 1:
                    return node
                size = (-(-height // stride), -(-width // stride))
            case Resizing(size=wanted):
                if size == (wanted, wanted):
                    return node
                size = (wanted, wanted)
        return self.add(name, operation, (node,), size)

    def sequence(self, name: str, operations: Sequence[Operation], node: int) -> int:
        """Operations that follow one another."""
        for operation in operations:
            node = self.operation(name, operation, node)
        return node
