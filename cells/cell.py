"""What a cell is: the local recurrence of an area, one step at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

from torch import Tensor, nn

State: TypeAlias = tuple[Tensor, ...]


class Cell(nn.Module, ABC):
    """The local recurrence of an area.

    The split into a part without state and a part with it lets an unroll compute `project` once for all steps at which
    the drive is the same. Convolutions of the part with state read the old state, or a product with it, and nothing
    else; so of a first step's, whose state is zeros, the biases alone are left (`cells.beginning`).
    """

    @abstractmethod
    def initial(self, x_NCHW: Tensor) -> State:
        """The state before the first step: zeros, in number and size as the area's drive."""

    @abstractmethod
    def project(self, x_NCHW: Tensor, r_NCHW: Tensor) -> tuple[Tensor, ...]:
        """All that a step computes from what reaches the area, without its state.

        Arguments:
            x_NCHW: the drive, with the feedback that enters at the input already added.
            r_NCHW: what the area reads, before its drive, with channels and a size of its own.

        """

    @abstractmethod
    def update(
        self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State
    ) -> tuple[Tensor, State]:
        """One step.

        Arguments:
            projections: what `project` gave at this step.
            feedback: port → `(N, C, H, W)`, the sum of the edges that enter there; `hidden` and `output` are the ports
                of cells that declare them.
            state: what the previous step returned, or `initial`.

        Returns:
            What the area's operations after the cell read, `(N, C, H, W)`, and the new state.

        """

    def emit(self, projections: tuple[Tensor, ...], feedback: Mapping[str, Tensor], state: State) -> Tensor:
        """What `update` returns first, where no step after it reads the new state."""
        return self.update(projections, feedback, state)[0]
