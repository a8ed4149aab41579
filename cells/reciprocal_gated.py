"""The reciprocal gated cell of Nayebi et al. 2018 (section 2.2 of the paper).

    h' = φ[(1 − σ(W_ch*c))∘x + (1 − σ(W_hh*h))∘h]
    c' = φ[(1 − σ(W_hc*h))∘x + (1 − σ(W_cc*c))∘c]

Both updates read the old h and c. Feedback that enters at `output` is added to x in the first line, feedback at
`hidden` to x in the second: in each it is gated together with the drive. The authors' public code lets W_xc*x into the
second line instead of x; we follow the paper.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cells.cell import Cell, State
from cells.gating import Gate, Gating
from cells.operations import Activation, module
from space.model import ReciprocalGated as ReciprocalGatedModel
from space.nodes import AreaNode

GATE = Gate("sigmoid", scale=-1.0, offset=1.0)


class ReciprocalGated(Cell):
    """Output and hidden state that gate each other's drive and their own past; state: c, h."""

    def __init__(self, area: AreaNode) -> None:
        super().__init__()
        assert isinstance(area.cell, ReciprocalGatedModel)
        operations = area.cell_operations
        self.activate_input = Activation(area.cell.input.activation)
        self.keep_output = module(operations["keep_output"])  # W_hh
        self.keep_hidden = module(operations["keep_hidden"])  # W_cc
        self.admit_output = module(operations["admit_output"])  # W_ch
        self.admit_hidden = module(operations["admit_hidden"])  # W_hc
        self.gating = Gating(GATE, GATE, area.cell.activation)

    def initial(self, x_NCHW: Tensor) -> State:
        """c = 0, h = 0."""
        return torch.zeros_like(x_NCHW), torch.zeros_like(x_NCHW)

    def project(self, x_NCHW: Tensor, r_NCHW: Tensor) -> tuple[Tensor, ...]:
        """φ_in(x)."""
        return (self.activate_input(x_NCHW),)

    def update(
        self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State
    ) -> tuple[Tensor, State]:
        """One step; h is emitted, c and h are carried."""
        (x_NCHW,) = projections
        c_NCHW, h_NCHW = state
        to_hidden = x_NCHW + feedback["hidden"] if "hidden" in feedback else x_NCHW
        new_h_NCHW = self.emit(projections, feedback, state)
        new_c_NCHW = self.gating.update(c_NCHW, to_hidden, self.keep_hidden(c_NCHW), self.admit_hidden(h_NCHW))
        return new_h_NCHW, (new_c_NCHW, new_h_NCHW)

    def emit(self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State) -> Tensor:
        """The new h."""
        (x_NCHW,) = projections
        c_NCHW, h_NCHW = state
        to_output = x_NCHW + feedback["output"] if "output" in feedback else x_NCHW
        return self.gating.update(h_NCHW, to_output, self.keep_output(h_NCHW), self.admit_output(c_NCHW))
