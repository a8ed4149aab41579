"""The ConvLSTM of Shi et al. 2015; what is in [brackets] is there with peepholes.

    (i, j, f, o) = W*[x, h] + b
    c' = c∘σ(f + 1 [+ V_f∘c]) + σ(i [+ V_i∘c])∘tanh(j)
    h' = tanh(c')∘σ(o [+ V_o∘c'])

The convolution of the concatenation is computed as the sum of one over x and one over h, which is the same function
with the same number of parameters; the part over x can then be shared by steps with the same drive. With layer norm,
each gate's pre-activation is normalised on its own, before the 1 of the forget gate and the peepholes are added, and c'
is normalised where h' reads it; as in Ba et al. 2016, c' is carried as it is (TensorFlow's layer-norm LSTM carries it
normalised). Peepholes read c and c' as they are carried. V holds one factor for each channel, where the paper has one
for each pixel of each channel: a cell then computes the same everywhere on the map, and what it learns does not grow
with the map. V begins at zero. The code of Nayebi et al. 2018 lets o see c; we follow Shi et al.
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
        self.peepholes = "peephole_i" in operations
        if self.peepholes:
            self.peephole_i = module(operations["peephole_i"])
            self.peephole_f = module(operations["peephole_f"])
            self.peephole_o = module(operations["peephole_o"])

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
        if self.peepholes:
            i, f = i + self.peephole_i(c_NCHW), f + self.peephole_f(c_NCHW)
        c_NCHW = c_NCHW * torch.sigmoid(f + FORGET_BIAS) + torch.sigmoid(i) * torch.tanh(j)
        if self.peepholes:
            o = o + self.peephole_o(c_NCHW)
        h_NCHW = torch.tanh(self.norm_state(c_NCHW)) * torch.sigmoid(o)
        return h_NCHW, (c_NCHW, h_NCHW)
