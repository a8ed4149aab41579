"""The update gate RNN of Collins et al. 2017 ("Capacity and Trainability in Recurrent Neural Networks").

    (g, n) = W*[x, h] + b
    h'     = σ(g + 1)∘h + (1 − σ(g + 1))∘tanh(n)

The paper leaves the bias that opens the gate as a setting; it is 1 here, as Nayebi et al. 2018 have it. The convolution
of the concatenation is the sum of one over x and one over h, as in `cells.conv_lstm`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cells.cell import Cell, State
from cells.operations import Activation, module
from space.nodes import AreaNode

GATE_BIAS = 1.0


class UGRNN(Cell):
    """One gate by convolution between the state and a new value; state: h."""

    def __init__(self, area: AreaNode) -> None:
        super().__init__()
        self.activate_input = Activation(area.cell.input.activation)
        self.gates_input = module(area.cell_operations["gates_input"])
        self.gates_hidden = module(area.cell_operations["gates_hidden"])

    def initial(self, x_NCHW: Tensor) -> State:
        """h = 0."""
        return (torch.zeros_like(x_NCHW),)

    def project(self, x_NCHW: Tensor, r_NCHW: Tensor) -> tuple[Tensor, ...]:
        """W_x*φ_in(x) + b, `(N, 2C, H, W)`."""
        return (self.gates_input(self.activate_input(x_NCHW)),)

    def update(
        self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State
    ) -> tuple[Tensor, State]:
        """One step; h is emitted and carried."""
        (gates_input,) = projections
        (h_NCHW,) = state
        g, n = (gates_input + self.gates_hidden(h_NCHW)).chunk(2, dim=1)
        keep = torch.sigmoid(g + GATE_BIAS)
        h_NCHW = keep * h_NCHW + (1 - keep) * torch.tanh(n)
        return h_NCHW, (h_NCHW,)
