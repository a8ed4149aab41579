"""The simple convolutional RNN of Nayebi et al. 2018.

    h' = φ(LN?(x + W_h*h + b))

It has the bypass: with a zero state and b = 0 it returns the feedforward response φ(x). The authors' public code
convolves the drive once more (W_x*x instead of x); we follow the paper.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cells.cell import Cell, State
from cells.operations import Activation, module
from space.model import SimpleRNN as SimpleRNNModel
from space.nodes import AreaNode


class SimpleRNN(Cell):
    """h' = φ(LN?(x + W_h*h + b)); state: h."""

    def __init__(self, area: AreaNode) -> None:
        super().__init__()
        assert isinstance(area.cell, SimpleRNNModel)
        operations = area.cell_operations
        self.activate_input = Activation(area.cell.input.activation)
        self.hidden = module(operations["hidden"])
        self.norm = module(operations["norm"]) if "norm" in operations else nn.Identity()
        self.activate = Activation(area.cell.activation)

    def initial(self, x_NCHW: Tensor) -> State:
        """h = 0."""
        return (torch.zeros_like(x_NCHW),)

    def project(self, x_NCHW: Tensor, r_NCHW: Tensor) -> tuple[Tensor, ...]:
        """φ_in(x)."""
        return (self.activate_input(x_NCHW),)

    def update(
        self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State
    ) -> tuple[Tensor, State]:
        """One step; h is emitted and carried."""
        (x_NCHW,) = projections
        (h_NCHW,) = state
        h_NCHW = self.activate(self.norm(x_NCHW + self.hidden(h_NCHW)))
        return h_NCHW, (h_NCHW,)
