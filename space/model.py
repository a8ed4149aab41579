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
    "ABSENCES",
    "ACTIVATIONS",
    "CELLS",
    "DRIVE",
    "IMAGE",
    "PORTS",
    "UGRNN",
    "Active",
    "Architecture",
    "Area",
    "AvgPool",
    "Cell",
    "CellInput",
    "Conv",
    "ConvGRU",
    "ConvLSTM",
    "Dropout",
    "EdgeConv",
    "EdgeStep",
    "Edges",
    "FeedbackEdge",
    "Feedforward",
    "ForwardEdge",
    "HiddenAdmitGate",
    "HiddenAdmitSources",
    "Input",
    "Intersection",
    "Joins",
    "KeepGate",
    "KeepSources",
    "Link",
    "MaxPool",
    "Norm",
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
    "Stimulus",
    "Time",
    "TimeDecay",
    "Training",
    "TransposedConv",
    "cell_ports",
    "port_channels",
]

DRIVE = "drive"
IMAGE = "image"
ABSENCES = ("zeros", "zero_drive", "undefined")
_STRIDE = Integer(1, 63)
_DELAY = Integer(0, 999)
_VALUE = Number(-1e6, 1e6)
_JOIN = Word(("sum", "concat", "multiply"))
_NO_RECURRENCE = Feedforward()


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """The images: channels, height and width in pixels, and the number of classes to tell apart."""

    channels: Annotated[int, CHANNELS]
    size: Annotated[int, Integer(1, 4_096)]
    classes: Annotated[int, Integer(2, 1_000_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stimulus:
    """When the image is shown: at steps 0…`shown` − 1, or always; then nothing, or a map of one value, `after`.

    With `frames`, what is shown at step t is frame t of a sequence of images.
    """

    shown: Annotated[int | None, Optional(Integer(1, 1_000))] = None
    after: Annotated[float | None, Optional(_VALUE)] = None
    frames: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """How the network runs in time.

    `steps: T` evaluates steps 0…T−1. Under the `biological` unroll all areas update together: at step t an area reads
    its predecessors' outputs of step t−1, feedforward and feedback alike, and so does the read-out. Under the `sweep`
    unroll an image passes all areas and the read-out within each step, and only feedback and lateral edges read t−1.
    """

    steps: Annotated[int, Integer(1, 1_000)]
    unroll: Annotated[str, Word(("biological", "sweep"))] = "biological"
    stimulus: Stimulus = Stimulus()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv:
    """A convolution with same padding; `separable` makes it depthwise, then pointwise.

    What has the same `weights` shares its weights; `untied` weights are others at every step.
    """

    kernel: Annotated[int, KERNEL]
    channels: Annotated[int, CHANNELS]
    stride: Annotated[int, _STRIDE] = 1
    separable: Annotated[bool, Flag()] = False
    bias: Annotated[bool, Flag()] = True
    weights: Annotated[str | None, Optional(Identifier())] = None
    untied: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeConv:
    """A convolution on an edge, as `Conv`; without `channels` it gives as many as what it is added to has."""

    kernel: Annotated[int, KERNEL]
    channels: Annotated[int | None, Optional(CHANNELS)] = None
    stride: Annotated[int, _STRIDE] = 1
    separable: Annotated[bool, Flag()] = False
    bias: Annotated[bool, Flag()] = True
    weights: Annotated[str | None, Optional(Identifier())] = None
    untied: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TransposedConv:
    """The transpose of a convolution with same padding: it makes a map `stride` times as high and wide.

    Without `channels` it gives as many as what it is added to has.
    """

    kernel: Annotated[int, KERNEL]
    channels: Annotated[int | None, Optional(CHANNELS)] = None
    stride: Annotated[int, _STRIDE] = 1
    bias: Annotated[bool, Flag()] = True
    weights: Annotated[str | None, Optional(Identifier())] = None
    untied: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool:
    """A maximum over windows, same padding."""

    kernel: Annotated[int, KERNEL]
    stride: Annotated[int, _STRIDE]


@dataclass(frozen=True, slots=True, kw_only=True)
class AvgPool:
    """A mean over windows, same padding; what lies outside the map is not counted."""

    kernel: Annotated[int, KERNEL]
    stride: Annotated[int, _STRIDE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """A normalisation: over a `batch`, over `groups` of channels, over the whole `layer` or over each channel alone.

    Its `affine` (a scale that starts at `scale`, and a shift) is `shared` by all steps, apart for each `step`, or
    there is `none`; so are the running `statistics` of a batch norm.
    """

    kind: Annotated[str, Word(("batch", "group", "layer", "instance"))]
    groups: Annotated[int, Integer(1, 65_536)] = 1
    affine: Annotated[str, Word(("shared", "step", "none"))] = "shared"
    statistics: Annotated[str, Word(("shared", "step"))] = "shared"
    scale: Annotated[float, _VALUE] = 1.0
    weights: Annotated[str | None, Optional(Identifier())] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout:
    """Sets a share `rate` of the numbers to zero while training, at random at every step, and scales the others."""

    rate: Annotated[float, Number(0, 0.99)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """Resize to the map of the port that an edge enters."""

    mode: Annotated[str, Word(("bilinear", "nearest"))]


Step: TypeAlias = str | Conv | MaxPool | AvgPool | Norm | Dropout
EdgeStep: TypeAlias = str | EdgeConv | TransposedConv | Resize | MaxPool | AvgPool | Norm | Dropout

_BOTH = (("max_pool", Record(MaxPool)), ("avg_pool", Record(AvgPool)), ("norm", Record(Norm)))
_STEPS = Items(Operation(ACTIVATIONS, (("conv", Record(Conv)), *_BOTH, ("dropout", Record(Dropout)))))
_ON_EDGES = (("resize", Record(Resize)), ("conv", Record(EdgeConv)), ("transposed_conv", Record(TransposedConv)))
_EDGE_STEPS = Items(Operation(ACTIVATIONS, (*_ON_EDGES, *_BOTH, ("dropout", Record(Dropout)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Joins:
    """How the edges that enter a port are joined, in file order, the forward edges first."""

    drive: Annotated[str, _JOIN] = "sum"
    input: Annotated[str, _JOIN] = "sum"
    hidden: Annotated[str, _JOIN] = "sum"
    output: Annotated[str, _JOIN] = "sum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A cortical area: y = post(cell(drive(r))), r being what enters at its `drive`: the output of the area below.

    `absent` says what it does before a signal reaches it: reads `zeros`; takes zeros for its drive (`zero_drive`); or
    is `undefined`, not computed and not read.
    """

    name: str
    drive: Annotated[tuple[Step, ...], _STEPS]
    cell: Annotated[Cell, CELL_FORM] = _NO_RECURRENCE
    post: Annotated[tuple[Step, ...], _STEPS] = ()
    absent: Annotated[str, Word(ABSENCES)] = "zeros"
    joins: Joins = Joins()


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """The steps at which an edge is there: `first` to `last`, both included, or to the end."""

    first: Annotated[int, Integer(0, 999)] = 0
    last: Annotated[int | None, Optional(Integer(0, 999))] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackEdge:
    """A long-range connection that enters an area at a port of its cell, or at its drive.

    Feedback runs from an area down to a lower one, a skip up past the area above, a lateral edge back to its own area.
    It reads the output of `delay` steps before; if that is not said, of the last step, or where it runs upwards under
    the sweep unroll, of the same.
    """

    source: Annotated[str, Identifier(), Key("from")]
    target: Annotated[str, Identifier(), Key("to")]
    enters: Annotated[str, Word((*PORTS, DRIVE))] = "input"
    via: Annotated[tuple[EdgeStep, ...], _EDGE_STEPS]
    delay: Annotated[int | None, Optional(_DELAY)] = None
    active: Active = Active()

    @property
    def name(self) -> str:
        """The edge's name, such as `conv8>conv5`."""
        return f"{self.source}>{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardEdge:
    """A connection from the `image` or an area up to another, by default at its drive; else as other edges."""

    source: Annotated[str, Identifier(), Key("from")]
    target: Annotated[str, Identifier(), Key("to")]
    enters: Annotated[str, Word((*PORTS, DRIVE))] = DRIVE
    via: Annotated[tuple[EdgeStep, ...], _EDGE_STEPS] = ()
    delay: Annotated[int | None, Optional(_DELAY)] = None
    active: Active = Active()

    @property
    def name(self) -> str:
        """The edge's name, such as `image>conv1`."""
        return f"{self.source}>{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """How areas are joined: `forward: chain` feeds each area from the one before it, the first from the image."""

    forward: Annotated[tuple[ForwardEdge, ...] | None, Optional(Items(Record(ForwardEdge)), "chain")] = None
    lateral: Annotated[tuple[FeedbackEdge, ...], Items(Record(FeedbackEdge))] = ()
    feedback: Annotated[tuple[FeedbackEdge, ...], Items(Record(FeedbackEdge))] = ()
    skip: Annotated[tuple[FeedbackEdge, ...], Items(Record(FeedbackEdge))] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """A linear read-out of the last area, of the mean of each channel or of the whole map.

    `decode` makes one answer of those of several steps: the `last`; their `mean` or `sum`; that of the step with the
    highest probability (`max_confidence`), or of the first step with one of at least `threshold`, else the last. The
    loss is that of the answer, or with `loss: every` the mean over the steps at which the image has reached it. It
    reads the output of `delay` steps before: 1 under the biological unroll, 0 under the sweep unroll.
    """

    pool: Annotated[str, Word(("mean", "none"))] = "mean"
    decode: Annotated[str, Word(("last", "mean", "sum", "max_confidence", "threshold"))] = "last"
    threshold: Annotated[float, Number(0, 1)] = 0.9
    loss: Annotated[str, Word(("answer", "every"))] = "answer"
    delay: Annotated[int | None, Optional(_DELAY)] = None


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
