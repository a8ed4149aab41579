"""The feedforward cell, h = φ_in(x): no state."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from cells.cell import Cell, State
from cells.operations import Activation
from space.nodes import AreaNode


class Feedforward(Cell):
    """h = φ_in(x)."""

    def __init__(self, area: AreaNode) -> None:
        super().__init__()
        self.activate_input = Activation(area.cell.input.activation)

    def initial(self, x_NCHW: Tensor) -> State:
        """No state."""
        return ()

    def project(self, x_NCHW: Tensor, r_NCHW: Tensor) -> tuple[Tensor, ...]:
        """The output itself."""
        return (self.activate_input(x_NCHW),)

    def update(
        self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State
    ) -> tuple[Tensor, State]:
        """Emit the projected drive."""
        return projections[0], ()
