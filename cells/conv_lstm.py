"""The ConvLSTM of Shi et al. 2015, without peepholes.

    (i, j, f, o) = W*[x, h] + b
    c' = c∘σ(f + 1) + σ(i)∘tanh(j)
    h' = tanh(c')∘σ(o)

The convolution of the concatenation is computed as the sum of one over x and one over h, which is the same function
with the same number of parameters; the part over x can then be shared by steps with the same drive. With layer norm,
each gate's pre-activation is normalised on its own, before the 1 of the forget gate is added, and c' is normalised
where h' reads it; as in Ba et al. 2016, c' is carried as it is (TensorFlow's layer-norm LSTM carries it normalised).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cells.cell import Cell, State
from cells.operations import Activation, module
from space.nodes import AreaNode

FORGET_BIAS = 1.0


class ConvLSTM(Cell):
    """Input, candidate, forget and output gates by convolution; state: c, h."""

    def __init__(self, area: AreaNode) -> None:
        super().__init__()
        operations = area.cell_operations
        self.activate_input = Activation(area.cell.input.activation)
        self.gates_input = module(operations["gates_input"])
        self.gates_hidden = module(operations["gates_hidden"])
        self.norm_gates = module(operations["norm_gates"]) if "norm_gates" in operations else nn.Identity()
        self.norm_state = module(operations["norm_state"]) if "norm_state" in operations else nn.Identity()

    def initial(self, x_NCHW: Tensor) -> State:
        """c = 0, h = 0."""
        return torch.zeros_like(x_NCHW), torch.zeros_like(x_NCHW)

    def project(self, x_NCHW: Tensor, r_NCHW: Tensor) -> tuple[Tensor, ...]:
        """W_x*φ_in(x) + b, `(N, 4C, H, W)`."""
        return (self.gates_input(self.activate_input(x_NCHW)),)

    def update(
        self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State
    ) -> tuple[Tensor, State]:
        """One step; h is emitted, c and h are carried."""
        (gates_input,) = projections
        c_NCHW, h_NCHW = state
        gates = self.norm_gates(gates_input + self.gates_hidden(h_NCHW))
        i, j, f, o = gates.chunk(4, dim=1)
        c_NCHW = c_NCHW * torch.sigmoid(f + FORGET_BIAS) + torch.sigmoid(i) * torch.tanh(j)
        h_NCHW = torch.tanh(self.norm_state(c_NCHW)) * torch.sigmoid(o)
        return h_NCHW, (c_NCHW, h_NCHW)
