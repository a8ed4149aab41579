"""The convolutional GRU (Cho et al. 2014), as Nayebi et al. 2018 compare it.

    (r̂, u) = W*[x, h] + b + 1
    n      = tanh(W_n*[x, σ(r̂)∘h] + b_n)
    h'     = σ(u)∘h + (1 − σ(u))∘n

The gates' biases begin at 1: the 1 is written into the equation and b begins at zero, which is the same function at the
same start (weight decay then pulls towards 1; the authors' TensorFlow code adds a further 1 to r̂). Convolutions of
concatenations are sums of one over x and one over the other part, as in `cells.conv_lstm`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cells.cell import Cell, State
from cells.operations import Activation, module
from space.nodes import AreaNode

GATE_BIAS = 1.0


class ConvGRU(Cell):
    """Reset and update gates by convolution; state: h."""

    def __init__(self, area: AreaNode) -> None:
        super().__init__()
        operations = area.cell_operations
        self.activate_input = Activation(area.cell.input.activation)
        self.gates_input = module(operations["gates_input"])
        self.gates_hidden = module(operations["gates_hidden"])
        self.candidate_input = module(operations["candidate_input"])
        self.candidate_hidden = module(operations["candidate_hidden"])

    def initial(self, x_NCHW: Tensor) -> State:
        """h = 0."""
        return (torch.zeros_like(x_NCHW),)

    def project(self, x_NCHW: Tensor, r_NCHW: Tensor) -> tuple[Tensor, ...]:
        """W_x*φ_in(x) + b, `(N, 2C, H, W)`, and W_nx*φ_in(x) + b_n."""
        x_NCHW = self.activate_input(x_NCHW)
        return self.gates_input(x_NCHW), self.candidate_input(x_NCHW)

    def update(
        self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State
    ) -> tuple[Tensor, State]:
        """One step; h is emitted and carried."""
        gates_input, candidate_input = projections
        (h_NCHW,) = state
        gates = torch.sigmoid(gates_input + self.gates_hidden(h_NCHW) + GATE_BIAS)
        reset, update = gates.chunk(2, dim=1)
        candidate = torch.tanh(candidate_input + self.candidate_hidden(reset * h_NCHW))
        h_NCHW = update * h_NCHW + (1 - update) * candidate
        return h_NCHW, (h_NCHW,)
