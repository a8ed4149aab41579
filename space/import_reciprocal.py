"""The reciprocal gated cell of the public code as our searched cell.

It convolves what enters its hidden state and lets what the area reads gate the output state too, where the paper does
neither. Defaults differ between TensorFlow and torch, and are those of the classes that the packages build.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from space.cell_models import (
    CellInput,
    HiddenAdmitGate,
    HiddenAdmitSources,
    KeepGate,
    KeepSources,
    Link,
    OutputAdmitGate,
    OutputAdmitSources,
    Searched,
    SearchedHidden,
    SearchedOutput,
)
from space.import_body import Body
from space.import_operations import TENSORFLOW_ACTIVATIONS, TORCH_ACTIVATIONS, activation
from space.model import EdgeConv, EdgeStep

_PORTS: dict[str | None, str] = {"input": "input", "cell": "hidden", "out": "output"}
_NEVER = (
    "residual_to_cell_tau",
    "residual_to_cell_gate",
    "residual_to_out_tau",
    "input_to_tau",
    "input_to_gate",
    "ds_repeat",
    "batch_norm",
    "batch_norm_cell_out",
    "batchnorm_timevary",
    "layernorm",
)


def reciprocal_gated(body: Body, size: int | None, *, torch: bool) -> tuple[Searched, str, tuple[EdgeStep, ...]]:
    """The cell, the port that edges beside the forward one enter, and what they pass on their way to it.

    Arguments:
        body: what stands at the node's memory.
        size: of its map, to which kernels are cut, if they are.
        torch: whether it is a class of PyTorchTNN.

    """
    _refuse_the_rest(body, torch=torch)
    dialect = _Dialect(body, TORCH_ACTIVATIONS if torch else TENSORFLOW_ACTIVATIONS, size, torch)
    gate = dialect.link("gate_filter_size", "gate_depth_separable")
    added = body.flag("cell_to_out")
    hidden = _hidden(dialect, gate) if gate.kernel else None
    output = _output(dialect, gate, hidden, added=added)
    drive = CellInput(activation=dialect.word("input_activation", "identity"))
    norm = "layer" if body.flag("layer_norm") else "none"
    edge = dialect.link("feedback_filter_size", "feedback_depth_separable")
    after = activation(dialect.word("feedback_activation", "identity"))
    via: tuple[EdgeStep, ...] = (EdgeConv(kernel=edge.kernel, separable=edge.separable), *after)
    return (
        Searched(hidden=hidden, output=output, norm=norm, input=drive),
        body.among("feedback_entry", _PORTS, "out"),
        via,
    )


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How one package words a cell."""

    body: Body
    words: Mapping[str | None, str]
    size: int | None
    torch: bool

    def word(self, key: str, default: str) -> str:
        """An activation."""
        theirs = next(word for word, ours in self.words.items() if word and ours == default)
        return self.body.among(key, self.words, theirs)

    def link(self, key: str, separable: str, default: int = 3) -> Link:
        kernel = self.body.square(key, default)
        return Link(kernel=min(kernel, self.size or kernel), separable=self.body.flag(separable))

    def gate(self, name: str) -> tuple[str, float, float]:
        """The function of a gate, its offset and what the function is multiplied by."""
        gates = {word: ours for word, ours in self.words.items() if ours in ("sigmoid", "tanh")}
        function = self.body.among(f"{name}_nonlinearity", gates, "Sigmoid" if self.torch else "tanh")
        return function, self.body.real(f"{name}_offset", 1.0), self.body.real(f"{name}_multiplier", -1.0)

    def keep(self, link: Link) -> KeepGate:
        function, offset, scale = self.gate("tau")
        return KeepGate(function=function, offset=offset, scale=scale, sources=KeepSources(own=link))


def _hidden(dialect: _Dialect, gate: Link) -> SearchedHidden:
    body = dialect.body
    reads_input, reads_residual = body.flag("input_to_cell", dialect.torch), body.flag("cell_residual")
    if not (reads_input or reads_residual):
        rule = "a hidden state reads the cell's input or what the area reads, but this one reads neither"
        body.refuse("input_to_cell", f"{rule}; set `input_to_cell` or `cell_residual`")
    tau = dialect.link("tau_filter_size", "tau_depth_separable")
    forward = dialect.link("ff_filter_size", "ff_depth_separable")
    function, offset, scale = dialect.gate("gate")
    return SearchedHidden(
        channels=body.whole("cell_depth"),
        from_input=forward if reads_input else None,
        from_residual=forward if reads_residual else None,
        keep=dialect.keep(dialect.link("cell_tau_filter_size", "tau_depth_separable", tau.kernel)),
        admit=HiddenAdmitGate(function=function, offset=offset, scale=scale, sources=HiddenAdmitSources(output=gate)),
        activation=dialect.word("cell_activation", "elu"),
    )


def _output(dialect: _Dialect, gate: Link, hidden: SearchedHidden | None, *, added: bool) -> SearchedOutput:
    body = dialect.body
    by_hidden = gate if hidden and not added else None
    by_residual = gate if body.flag("residual_to_out_gate", dialect.torch) else None
    if by_hidden is None and by_residual is None:
        rule = "the gate before the output state reads the hidden state or what the area reads, but this one neither"
        body.refuse("residual_to_out_gate", f"{rule}; set it true")
    link = dialect.link("in_out_filter_size", "in_out_depth_separable")
    function, offset, scale = dialect.gate("gate")
    sources = OutputAdmitSources(hidden=by_hidden, residual=by_residual)
    return SearchedOutput(
        from_input=link if body.flag("input_to_out") else None,
        from_hidden=gate if hidden and added else None,
        bypass=body.flag("out_residual"),
        keep=dialect.keep(dialect.link("tau_filter_size", "tau_depth_separable")),
        admit=OutputAdmitGate(function=function, offset=offset, scale=scale, sources=sources),
        activation=dialect.word("out_activation", "elu"),
    )


def _refuse_the_rest(body: Body, *, torch: bool) -> None:
    """Refuse what our cell has not; keys of a hidden state are read though there may be none."""
    for key in _NEVER:
        body.only(key, False)
    body.only("recurrent_keep_prob", 1.0)
    body.only("dropout", 0.0)
    body.only("batchnorm", None)
    for key, value in (("stride", 1), ("dilation", 1), ("groups", 1)):
        body.only(key, value)
    body.only("padding", "same")
    body.only("padding_mode", "zeros")
    if torch:  # there it is a convolution even where the channels agree, and ours is the map itself
        body.only("out_residual", False)
    body.ignore("use_bias", "total_training_steps", "is_training", "edges_init_zero", "data_format")
    body.ignore("cell_depth", "cell_tau_filter_size", "cell_activation", "ff_filter_size", "ff_depth_separable")
    body.ignore("input_to_cell", "cell_residual")
