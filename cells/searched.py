"""The hyperparameterised cell of the search of Nayebi et al. 2018 (figure 3a).

Everything in [brackets] is there or not; r is what the area reads, x̂ its drive with the feedback that enters at the
input, fb_c and fb_h the feedback that enters at the hidden and at the output port.

    x   = φ_in(x̂)
    u_c = [W_rc*r] + [W_xc*x] + fb_c                                  at least one of the first two
    τ_c = φ_τ(W_cc*c [+ W*x] [+ W*r] + b)
    g_c = φ_g(W_hc*h [+ W*x] [+ W*r] + b)
    c'  = φ_c(LN?((o_τ + k_τ·τ_c)∘c + (o_g + k_g·g_c)∘u_c))
    u_h = (W_xh*x, or x) [+ W_ch*c] [+ P(r)] + fb_h
    τ_h = φ_τ(W_hh*h [+ W*x] [+ W*r] + b)
    g_h = φ_g([W_ch*c] [+ W*x] [+ W*r] + b)                           at least one
    h'  = φ_h(LN?((o_τ + k_τ·τ_h)∘h + (o_g + k_g·g_h)∘u_h))           emitted

Both states are updated from the old ones. A gate that is not there is 1. Without a hidden state all that names c is
gone; a hidden state that no term of the output's reads is not computed. The sources of a gate share one nonlinearity
and one bias; every sum of convolutions has one bias. P(r) is r where the channels agree, else a 1×1 convolution without
a bias; where r's map has another size than x's, r is resized bilinearly first, wherever the cell reads it. The authors'
code configures biases of the gates that it never creates.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from cells.cell import Cell, State
from cells.gating import Gate, Gating
from cells.layout import laid_out
from cells.operations import ACTIVATIONS, Activation, module
from space.model import Searched as SearchedModel
from space.model import SearchedOutput
from space.nodes import AreaNode
from space.searched_sums import Gate as GateModel
from space.searched_sums import Sums, Term, output_sums, searched_sums

_STATES = ("c", "h")


class Searched(Cell):
    """Hidden and output state, each with a gate on its past and one on what enters; state: c where it is read, h.

    The modules are named as the lowering names the operations; what is added up is in `space.searched_sums`.
    """

    def __init__(self, area: AreaNode) -> None:
        super().__init__()
        cell = area.cell
        assert isinstance(cell, SearchedModel)
        for name, operation in area.cell_operations.items():
            self.add_module(name, module(operation))
        self.operations = frozenset(area.cell_operations)
        self.activate_input = Activation(cell.input.activation)
        if not _reads_hidden(cell.output):
            cell = replace(cell, hidden=None)
        self.hidden_channels = cell.hidden.channels if cell.hidden else 0
        parts = {"output": cell.output, "hidden": cell.hidden}
        self.functions = {side: part.activation for side, part in parts.items() if part}
        self.gatings = {
            side: Gating(_gate(part.keep), _gate(part.admit), "identity" if self._has_norm(side) else part.activation)
            for side, part in parts.items()
            if part
        }
        self.stateless = _terms(searched_sums(cell), stateful=False)
        self.stateful = _terms(searched_sums(cell), stateful=True)

    def initial(self, x_NCHW: Tensor) -> State:
        """c = 0 with channels of its own, where it is read; h = 0."""
        images, _, *size = x_NCHW.shape
        h_NCHW = torch.zeros_like(x_NCHW)
        if not self.hidden_channels:
            return (h_NCHW,)
        return laid_out(x_NCHW.new_zeros(images, self.hidden_channels, *size), x_NCHW), h_NCHW

    def project(self, x_NCHW: Tensor, r_NCHW: Tensor) -> tuple[Tensor, ...]:
        """What x and r put into each gate and each sum, in the order of `stateless`."""
        points = {"x": self.activate_input(x_NCHW), "r": self._applied("residual", r_NCHW)}
        return tuple(self._sum(terms, points) for terms in self.stateless.values())

    def update(
        self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State
    ) -> tuple[Tensor, State]:
        """One step; h is emitted, c and h are carried."""
        h_NCHW = self.emit(projections, feedback, state)
        if not self.hidden_channels:
            return h_NCHW, (h_NCHW,)
        return h_NCHW, (self._after("hidden", projections, feedback, state), h_NCHW)

    def emit(self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State) -> Tensor:
        """The new h."""
        return self._after("output", projections, feedback, state)

    def _after(
        self, side: str, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State
    ) -> Tensor:
        """φ(LN?(keep∘before + admit∘u)) of the hidden or of the output state."""
        points = dict(zip(_STATES[-len(state) :], state, strict=True))
        projected = dict(zip(self.stateless, projections, strict=True))

        def total(name: str) -> Tensor | None:
            read_NCHW = self._sum(self.stateful[name], points) if name in self.stateful else None
            if read_NCHW is None or name not in projected:
                return projected.get(name, read_NCHW)
            return projected[name] + read_NCHW

        own = {"hidden": "c", "output": "h"}[side]
        u_NCHW = total(f"u_{own}")
        assert u_NCHW is not None, "something enters every state"
        if side in feedback:
            u_NCHW = u_NCHW + feedback[side]
        after_NCHW = self.gatings[side].update(points[own], u_NCHW, total(f"{side}_keep"), total(f"{side}_admit"))
        if not self._has_norm(side):
            return after_NCHW
        return ACTIVATIONS[self.functions[side]](self._applied(f"{side}_norm", after_NCHW))

    def _has_norm(self, side: str) -> bool:
        return f"{side}_norm" in self.operations

    def _sum(self, terms: tuple[Term, ...], points: Mapping[str, Tensor]) -> Tensor:
        return functools.reduce(torch.add, (self._applied(term.name, points[term.point]) for term in terms))

    def _applied(self, name: str, value_NCHW: Tensor) -> Tensor:
        """An operation by its name; one that the cell does not have changes nothing."""
        if name not in self.operations:
            return value_NCHW
        out_NCHW: Tensor = self.get_submodule(name)(value_NCHW)
        return out_NCHW


def _reads_hidden(output: SearchedOutput) -> bool:
    return any(term.point == "c" for terms in output_sums(output).values() for term in terms)


def _gate(gate: GateModel | None) -> Gate | None:
    if gate is None:
        return None
    return Gate(gate.function, -gate.offset if gate.scale is None else gate.scale, gate.offset)


def _terms(sums: Sums, *, stateful: bool) -> Sums:
    """Of each sum the terms that read a state, or those that read none; sums without any are left out."""
    parts = {name: tuple(term for term in terms if (term.point in _STATES) == stateful) for name, terms in sums.items()}
    return {name: terms for name, terms in parts.items() if terms}
