"""Time decay, the recurrence without a convolution of Nayebi et al. 2018.

    h' = τ·h + φ_in(x)

τ is one learnt number of the area and begins at 0, where the cell is the feedforward one. It is not bounded: above 1, h
grows from step to step.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cells.cell import Cell, State
from cells.operations import Activation, module
from space.nodes import AreaNode


class TimeDecay(Cell):
    """h' = τ·h + φ_in(x); state: h."""

    def __init__(self, area: AreaNode) -> None:
        super().__init__()
        self.activate_input = Activation(area.cell.input.activation)
        self.decay = module(area.cell_operations["decay"])  # τ

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
        h_NCHW = self.decay(h_NCHW) + x_NCHW
        return h_NCHW, (h_NCHW,)
