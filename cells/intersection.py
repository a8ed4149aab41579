"""The intersection RNN (+RNN) of Collins et al. 2017 ("Capacity and Trainability in Recurrent Neural Networks").

    (g_h, n_h, g_y, n_y) = W*[x, h] + b
    h' = σ(g_h + 1)∘h + (1 − σ(g_h + 1))∘tanh(n_h)           carried
    y  = σ(g_y + 1)∘x + (1 − σ(g_y + 1))∘relu(n_y)           emitted

It gates in depth as it does in time: with an open gate the drive x = φ_in(x̂) passes as it is. y reads the old h. The
paper leaves the biases that open the gates as a setting; they are 1 here, as Nayebi et al. 2018 have them. The
convolution of the concatenation is the sum of one over x and one over h, as in `cells.conv_lstm`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cells.cell import Cell, State
from cells.operations import Activation, module
from space.nodes import AreaNode

GATE_BIAS = 1.0


class Intersection(Cell):
    """A gate by convolution on the state and one on the drive; state: h, which is not emitted."""

    def __init__(self, area: AreaNode) -> None:
        super().__init__()
        self.activate_input = Activation(area.cell.input.activation)
        self.gates_input = module(area.cell_operations["gates_input"])
        self.gates_hidden = module(area.cell_operations["gates_hidden"])

    def initial(self, x_NCHW: Tensor) -> State:
        """h = 0."""
        return (torch.zeros_like(x_NCHW),)

    def project(self, x_NCHW: Tensor, r_NCHW: Tensor) -> tuple[Tensor, ...]:
        """φ_in(x), and W_x*φ_in(x) + b, `(N, 4C, H, W)`."""
        x_NCHW = self.activate_input(x_NCHW)
        return x_NCHW, self.gates_input(x_NCHW)

    def update(
        self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State
    ) -> tuple[Tensor, State]:
        """One step; y is emitted, h is carried."""
        x_NCHW, gates_input = projections
        (h_NCHW,) = state
        g_h, n_h, g_y, n_y = (gates_input + self.gates_hidden(h_NCHW)).chunk(4, dim=1)
        keep, pass_on = torch.sigmoid(g_h + GATE_BIAS), torch.sigmoid(g_y + GATE_BIAS)
        h_NCHW = keep * h_NCHW + (1 - keep) * torch.tanh(n_h)
        y_NCHW = pass_on * x_NCHW + (1 - pass_on) * torch.relu(n_y)
        return y_NCHW, (h_NCHW,)
