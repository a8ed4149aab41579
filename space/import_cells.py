"""The memory of an imported node as a cell of ours, in the words of both packages.

Initial values are not read: of weights, of decays, of the biases of gates.
"""

from __future__ import annotations

from dataclasses import dataclass

from space.cell_models import (
    UGRNN,
    Cell,
    ConvGRU,
    ConvLSTM,
    Feedforward,
    Intersection,
    Link,
    SimpleRNN,
    TimeDecay,
)
from space.import_body import Body
from space.import_operations import TENSORFLOW_ACTIVATIONS, TORCH_ACTIVATIONS
from space.import_reciprocal import reciprocal_gated
from space.model import Conv, EdgeStep, Step

CELL_WORDS = ("lstm", "gru", "ugrnn", "intersection", "simple")
_TORCH_CELLS = {
    "LSTMCell": "lstm",
    "GRUCell": "gru",
    "UGRNNCell": "ugrnn",
    "IntersectionRNNCell": "intersection",
    "VanillaRNNCell": "simple",
    "ConvRNNBasicCell": "simple",
}
_OTHER_TORCH = ("IdentityCell", "TimeDecayRecurrentCell", "ReciprocalGatedCell")
_IGNORED = (
    "function",
    "name",
    "shape",
    "state_shape",
    "out_depth",
    "out_channels",
    "input_in_channels",
    "res_channels",
    "fb_channels",
    "weight_decay",
    "kernel_initializer",
    "kernel_initializer_kwargs",
    "bias_initializer",
    "bias_initializer_kwargs",
    "init_dict",
    "bias",
    "forget_bias",
    "tau_bias",
    "gate_bias",
    "norm_gain",
    "norm_shift",
    "num_timesteps",
    "activation_func_kwargs",
)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a memory becomes.

    Arguments:
        cell: the cell.
        drive: steps that it adds to the end of its area's drive.
        port: where edges beside the forward one enter the cell, if its memory has a way for them.
        via: what such an edge passes, after a resize.

    """

    cell: Cell
    drive: tuple[Step, ...] = ()
    port: str = ""
    via: tuple[EdgeStep, ...] = ()


def tensorflow_memory(body: Body, named: str | None, channels: int, size: int) -> Memory:
    """The memory of `tnn` and `convrnns`: their files do not say which cell a `filter_size` belongs to.

    Arguments:
        body: what stands at `memory`.
        named: one of `CELL_WORDS`, for those cells.
        channels: of the area's drive.
        size: of its map, to which their kernels are cut.

    """
    body.only("function", "memory")
    body.ignore(*_IGNORED)
    if body.has("tau_filter_size") or body.has("gate_filter_size"):
        found = _gated(body, size, torch=False)
    elif body.has("filter_size"):
        if named is None:
            words = " or ".join(f"`--cell {word}`" for word in CELL_WORDS)
            rule = "several cells have a filter_size, but the file does not say which this is"
            body.refuse("filter_size", f"{rule}; give {words}")
            named = "lstm"
        norm = "layer" if body.flag("layer_norm", named == "simple") else "none"
        if norm == "layer" and named != "simple":
            body.refuse("layer_norm", f"the {named} of these files norms in a way of its own; import it without one")
        body.only("use_peepholes", False)
        function = body.among("activation", TENSORFLOW_ACTIVATIONS, "elu" if named == "simple" else "tanh")
        found = _convolutional(body, named, body.square("filter_size", 3), channels, function, norm)
    else:
        found = Memory(_decay(body, "memory_decay", learnt=False))
    body.done()
    return found


def torch_memory(body: Body, channels: int) -> Memory:
    """The memory of PyTorchTNN, by the name of its class."""
    name = str(body.word("name"))
    body.ignore(*_IGNORED)
    if name in _TORCH_CELLS:
        for key, value in (("stride", 1), ("dilation", 1), ("groups", 1), ("padding_mode", "zeros")):
            body.only(key, value)
        kernel = body.square("ksize", 3)
        body.only("padding", "same", kernel // 2 if kernel % 2 else "same")
        if name == "ConvRNNBasicCell" and kernel > 1 and not body.has("padding"):
            body.refuse("padding", f"a state keeps its map, but a kernel of {kernel} without padding cuts it; pad it")
        body.only("use_bias", True)
        if name != "ConvRNNBasicCell" and body.flag("layernorm", name == "VanillaRNNCell"):
            rule = "a layer norm is over channels and pixels together, but this one is of each pixel"
            body.refuse("layernorm", f"{rule}; set it false")
        default = {"VanillaRNNCell": "ELU", "ConvRNNBasicCell": "ReLU"}.get(name, "Tanh")
        function = body.among("activation", TORCH_ACTIVATIONS, default)
        found = _convolutional(body, _TORCH_CELLS[name], kernel, channels, function, "none")
    elif name == "ReciprocalGatedCell":
        found = _gated(body, None, torch=True)
    elif name == "TimeDecayRecurrentCell":
        found = Memory(_decay(body, "tau", learnt=True))
    else:
        if name != "IdentityCell":
            known = ", ".join((*_TORCH_CELLS, *_OTHER_TORCH))
            body.refuse("name", f"a memory is one of {known}, but {name!r} was given; use one of them")
            return Memory(Feedforward())
        found = Memory(Feedforward())
    body.done()
    return found


def _decay(body: Body, key: str, *, learnt: bool) -> Cell:
    start = body.real(key, 0.0)
    if body.flag("trainable", learnt):
        return TimeDecay()
    if start:
        body.refuse(key, f"a decay is learnt, but this one stays at {start:g}; let `trainable` be true, or make it 0")
    return Feedforward()


def _convolutional(body: Body, word: str, kernel: int, channels: int, function: str, norm: str) -> Memory:
    """A cell of one convolution; their simple one convolves its input too, which ours leaves to the drive."""
    link = Link(kernel=kernel)
    if word == "simple":
        cell = SimpleRNN(hidden=link, activation=function, norm=norm)
        return Memory(cell, (Conv(kernel=kernel, channels=channels),))
    if function != "tanh":
        body.refuse("activation", f"the activation of this cell is tanh, but {function!r} was given; use tanh")
    gated: dict[str, Cell] = {
        "lstm": ConvLSTM(gates=link),
        "gru": ConvGRU(gates=link, candidate=link),
        "ugrnn": UGRNN(gates=link),
        "intersection": Intersection(gates=link),
    }
    return Memory(gated[word])


def _gated(body: Body, size: int | None, *, torch: bool) -> Memory:
    cell, port, via = reciprocal_gated(body, size, torch=torch)
    return Memory(cell, (), port, via)
