"""What the cells of areas are: frozen dataclasses, each field with the form that it takes in a document.

`space.model` holds the rest of an architecture and gives these classes too. Points that a cell's convolutions read are
named as in figure 3a of Nayebi et al. 2018: `residual` is r, what the area reads; `input` is x, its drive after the
cell's input activation; `hidden` is c and `output` is h, the states that the step before left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from space.forms import Flag, Integer, Key, Number, Optional, Record, Variant, Word

ACTIVATIONS = ("elu", "relu", "tanh", "sigmoid", "identity")
PORTS = ("input", "hidden", "output")
CHANNELS = Integer(1, 65_536)
KERNEL = Integer(1, 63)
_NORM = Word(("none", "layer"))
_GATE_FUNCTION = Word(("sigmoid", "tanh"))
_FACTOR = Number(-100, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A convolution inside a cell or on an edge, whose widths follow from what it joins; stride 1, same padding."""

    kernel: Annotated[int, KERNEL]
    separable: Annotated[bool, Flag()] = False


_LINK = Record(Link)
_MAYBE = Optional(_LINK)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellInput:
    """What happens to the drive, with the feedback that enters at the input, before the cell sees it."""

    activation: Annotated[str, Word(ACTIVATIONS)] = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedforward:
    """h = x: no state."""

    input: CellInput = CellInput()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeDecay:
    """h' = τ·h + x, τ a learnt number that begins at 0."""

    input: CellInput = CellInput()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleRNN:
    """h' = φ(LN?(x + W_h*h + b)), φ = `activation`."""

    hidden: Annotated[Link, _LINK]
    activation: Annotated[str, Word(ACTIVATIONS)] = "elu"
    norm: Annotated[str, _NORM] = "none"
    input: CellInput = CellInput()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvGRU:
    """The convolutional GRU; `gates` is the convolution of [x, h] to both gates, `candidate` that of [x, g∘h]."""

    gates: Annotated[Link, _LINK]
    candidate: Annotated[Link, _LINK]
    input: CellInput = CellInput()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvLSTM:
    """The ConvLSTM of Shi et al. 2015; `gates` is the convolution of [x, h] to the four gates.

    With `peepholes` the input, forget and output gates read c too, each channel its own by a learnt factor.
    """

    gates: Annotated[Link, _LINK]
    peepholes: Annotated[bool, Flag()] = False
    norm: Annotated[str, _NORM] = "none"
    input: CellInput = CellInput()


@dataclass(frozen=True, slots=True, kw_only=True)
class UGRNN:
    """The update gate RNN of Collins et al. 2017; `gates` is the convolution of [x, h] to gate and new value."""

    gates: Annotated[Link, _LINK]
    input: CellInput = CellInput()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intersection:
    """The intersection RNN (+RNN) of Collins et al. 2017: h is carried, and what is emitted has a gate of its own.

    `gates` is the convolution of [x, h] to both gates and both new values.
    """

    gates: Annotated[Link, _LINK]
    input: CellInput = CellInput()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReciprocalGated:
    """The reciprocal gated cell of Nayebi et al. 2018.

    `keep` is the convolution by which a state gates its own past (W_hh, W_cc), `admit` that by which each state gates
    what the other lets in (W_ch, W_hc).
    """

    keep: Annotated[Link, _LINK]
    admit: Annotated[Link, _LINK]
    activation: Annotated[str, Word(ACTIVATIONS)] = "elu"
    input: CellInput = CellInput()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSources:
    """What the gate of a state's own past reads: the state itself, and x and r where they are given."""

    own: Annotated[Link, _LINK, Key("self")]
    input: Annotated[Link | None, _MAYBE] = None
    residual: Annotated[Link | None, _MAYBE] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepGate:
    """Multiplies a state's past by `offset` + `scale`·φ(sum of the sources' convolutions + b).

    `scale` is minus the offset where it is `none`, so that a sigmoid closes the gate.
    """

    function: Annotated[str, _GATE_FUNCTION] = "sigmoid"
    offset: Annotated[float, _FACTOR] = 1.0
    scale: Annotated[float | None, Optional(_FACTOR)] = None
    sources: KeepSources


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenAdmitSources:
    """What the gate before the hidden state reads: the output state, and x and r where they are given."""

    output: Annotated[Link, _LINK]
    input: Annotated[Link | None, _MAYBE] = None
    residual: Annotated[Link | None, _MAYBE] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenAdmitGate:
    """Multiplies the sum that enters the hidden state; as `KeepGate`."""

    function: Annotated[str, _GATE_FUNCTION] = "sigmoid"
    offset: Annotated[float, _FACTOR] = 1.0
    scale: Annotated[float | None, Optional(_FACTOR)] = None
    sources: HiddenAdmitSources


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputAdmitSources:
    """What the gate before the output state reads: at least one of the hidden state, x and r."""

    hidden: Annotated[Link | None, _MAYBE] = None
    input: Annotated[Link | None, _MAYBE] = None
    residual: Annotated[Link | None, _MAYBE] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputAdmitGate:
    """Multiplies the sum that enters the output state; as `KeepGate`."""

    function: Annotated[str, _GATE_FUNCTION] = "sigmoid"
    offset: Annotated[float, _FACTOR] = 1.0
    scale: Annotated[float | None, Optional(_FACTOR)] = None
    sources: OutputAdmitSources


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedHidden:
    """The hidden state of a searched cell: c' = φ(LN?(keep∘c + admit∘(W_xc*x + W_rc*r + b + feedback))).

    At least one of `from_input` and `from_residual` is given; a gate that is `none` lets all pass.
    """

    channels: Annotated[int, CHANNELS]
    from_input: Annotated[Link | None, _MAYBE] = None
    from_residual: Annotated[Link | None, _MAYBE] = None
    keep: Annotated[KeepGate | None, Optional(Record(KeepGate))]
    admit: Annotated[HiddenAdmitGate | None, Optional(Record(HiddenAdmitGate))] = None
    activation: Annotated[str, Word(ACTIVATIONS)] = "elu"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedOutput:
    """The output state: h' = φ(LN?(keep∘h + admit∘((W_xh*x + b, or x) + W_ch*c + P(r) + feedback))).

    `bypass` adds P(r): r itself where the channels agree, else a 1×1 convolution of it. The hidden state is added
    (`from_hidden`) or gates (`admit.sources.hidden`), never both; a gate that is `none` lets all pass.
    """

    from_input: Annotated[Link | None, _MAYBE] = None
    from_hidden: Annotated[Link | None, _MAYBE] = None
    bypass: Annotated[bool, Flag()] = False
    keep: Annotated[KeepGate | None, Optional(Record(KeepGate))]
    admit: Annotated[OutputAdmitGate | None, Optional(Record(OutputAdmitGate))] = None
    activation: Annotated[str, Word(ACTIVATIONS)] = "elu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """The hyperparameterised cell of the search of Nayebi et al. 2018 (figure 3a)."""

    hidden: Annotated[SearchedHidden | None, Optional(Record(SearchedHidden))] = None
    output: SearchedOutput
    norm: Annotated[str, _NORM] = "none"
    input: CellInput = CellInput()


Cell: TypeAlias = (
    Feedforward | TimeDecay | SimpleRNN | ConvGRU | ConvLSTM | UGRNN | Intersection | ReciprocalGated | Searched
)
CELLS: tuple[tuple[str, type], ...] = (
    ("feedforward", Feedforward),
    ("time_decay", TimeDecay),
    ("simple", SimpleRNN),
    ("gru", ConvGRU),
    ("lstm", ConvLSTM),
    ("ugrnn", UGRNN),
    ("intersection", Intersection),
    ("reciprocal_gated", ReciprocalGated),
    ("searched", Searched),
)
CELL_FORM = Variant(CELLS)


def cell_ports(cell: Cell) -> tuple[str, ...]:
    """The ports of a cell that feedback may enter."""
    match cell:
        case ReciprocalGated():
            return PORTS
        case Searched(hidden=hidden):
            return PORTS if hidden else ("input", "output")
        case _:
            return ("input",)


def port_channels(cell: Cell, port: str, channels: int) -> int:
    """How many channels what enters a port has, in an area of so many channels."""
    if port == "hidden" and isinstance(cell, Searched) and cell.hidden:
        return cell.hidden.channels
    return channels
