"""What an architecture is: frozen dataclasses, each field with the form that it takes in a document.

These classes are the reference of the language. `space.forms` reads the rules for checking, building and writing off
their annotations, so a key exists exactly where a field does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from space.cell_models import (
    ACTIVATIONS,
    CELL_FORM,
    CELLS,
    CHANNELS,
    KERNEL,
    PORTS,
    UGRNN,
    Cell,
    CellInput,
    ConvGRU,
    ConvLSTM,
    Feedforward,
    HiddenAdmitGate,
    HiddenAdmitSources,
    Intersection,
    KeepGate,
    KeepSources,
    Link,
    OutputAdmitGate,
    OutputAdmitSources,
    ReciprocalGated,
    Searched,
    SearchedHidden,
    SearchedOutput,
    SimpleRNN,
    TimeDecay,
    cell_ports,
    port_channels,
)
from space.forms import Flag, Identifier, Integer, Items, Key, Named, Number, Operation, Optional, Record, Word

__all__ = [
    "ACTIVATIONS",
    "CELLS",
    "PORTS",
    "UGRNN",
    "Architecture",
    "Area",
    "Cell",
    "CellInput",
    "Conv",
    "ConvGRU",
    "ConvLSTM",
    "EdgeStep",
    "Edges",
    "FeedbackEdge",
    "Feedforward",
    "HiddenAdmitGate",
    "HiddenAdmitSources",
    "Input",
    "Intersection",
    "KeepGate",
    "KeepSources",
    "Link",
    "MaxPool",
    "OutputAdmitGate",
    "OutputAdmitSources",
    "Readout",
    "ReciprocalGated",
    "Resize",
    "Searched",
    "SearchedHidden",
    "SearchedOutput",
    "SimpleRNN",
    "Step",
    "Time",
    "TimeDecay",
    "Training",
    "cell_ports",
    "port_channels",
]

_STRIDE = Integer(1, 63)
_NO_RECURRENCE = Feedforward()


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """The images: channels, height and width in pixels, and the number of classes to tell apart."""

    channels: Annotated[int, CHANNELS]
    size: Annotated[int, Integer(1, 4_096)]
    classes: Annotated[int, Integer(2, 1_000_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """How the network runs in time.

    `steps: T` evaluates steps 0…T−1. Under the `biological` unroll all areas update together: at step t an area reads
    its predecessors' outputs of step t−1, feedforward and feedback alike, and so does the read-out of the last step.
    """

    steps: Annotated[int, Integer(1, 1_000)]
    unroll: Annotated[str, Word(("biological",))] = "biological"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv:
    """A convolution with a bias and same padding; `separable` makes it depthwise, then pointwise."""

    kernel: Annotated[int, KERNEL]
    channels: Annotated[int, CHANNELS]
    stride: Annotated[int, _STRIDE] = 1
    separable: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool:
    """A maximum over windows, same padding."""

    kernel: Annotated[int, KERNEL]
    stride: Annotated[int, _STRIDE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """Resize to the map of the port that an edge enters."""

    mode: Annotated[str, Word(("bilinear", "nearest"))]


Step: TypeAlias = str | Conv | MaxPool
EdgeStep: TypeAlias = str | Link | Resize

_STEPS = Items(Operation(ACTIVATIONS, (("conv", Record(Conv)), ("max_pool", Record(MaxPool)))))
_EDGE_STEPS = Items(Operation(ACTIVATIONS, (("resize", Record(Resize)), ("conv", Record(Link)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A cortical area: y = post(cell(drive(r))), r being the output of the area below."""

    name: str
    drive: Annotated[tuple[Step, ...], _STEPS]
    cell: Annotated[Cell, CELL_FORM] = _NO_RECURRENCE
    post: Annotated[tuple[Step, ...], _STEPS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackEdge:
    """A long-range connection added at a port of the cell of the area that it enters.

    Feedback runs from an area down to a lower one, a skip up past the area above; both read the last step's output.
    """

    source: Annotated[str, Identifier(), Key("from")]
    target: Annotated[str, Identifier(), Key("to")]
    enters: Annotated[str, Word(PORTS)] = "input"
    via: Annotated[tuple[EdgeStep, ...], _EDGE_STEPS]

    @property
    def name(self) -> str:
        """The edge's name, such as `conv8>conv5`."""
        return f"{self.source}>{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """How areas are joined: `forward: chain` feeds each area from the one before it; all other edges are listed."""

    forward: Annotated[str, Word(("chain",))] = "chain"
    feedback: Annotated[tuple[FeedbackEdge, ...], Items(Record(FeedbackEdge))] = ()
    skip: Annotated[tuple[FeedbackEdge, ...], Items(Record(FeedbackEdge))] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """A linear read-out of the last area at the last step, of its spatial mean or of its whole map."""

    pool: Annotated[str, Word(("mean", "none"))] = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How a network is trained: stochastic gradient descent with Nesterov momentum and a cosine decay of the rate.

    `max_gradient_norm` scales a batch's gradient down to that length, or is `none`. `seed` decides the initial weights
    and the order of the images.
    """

    data: Annotated[str, Identifier()]
    epochs: Annotated[int, Integer(1, 100_000)] = 5
    batch_size: Annotated[int, Integer(1, 65_536)] = 64
    learning_rate: Annotated[float, Number(0, 100, above=True)]
    momentum: Annotated[float, Number(0, 0.9999)] = 0.9
    weight_decay: Annotated[float, Number(0, 1)] = 0.0
    max_gradient_norm: Annotated[float | None, Optional(Number(0, 1e6, above=True))] = 1.0
    seed: Annotated[int, Integer(0, 2**63 - 1)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A whole network and how it is trained; a file of these keys, and without holes, describes exactly one."""

    striate: Annotated[int, Integer(1, 1)]
    name: Annotated[str, Identifier()]
    input: Input
    time: Time
    areas: Annotated[tuple[Area, ...], Named(Area)]
    edges: Edges = Edges()
    readout: Readout = Readout()
    train: Training
