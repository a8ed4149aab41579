"""Where a cell is lowered."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from space.cell_models import Link
from space.operations import Convolution, LayerNorm, Scale

Refuse: TypeAlias = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class CellSite:
    """Where a cell stands: its path, the shapes `(C, H, W)` of x and r, and how to refuse a value at a path."""

    path: str
    shape: tuple[int, int, int]
    input_shape: tuple[int, int, int]
    refuse: Refuse

    def link(self, link: Link, name: str, inputs: int, outputs: int, *, bias: bool) -> Convolution:
        """The convolution that a link becomes, named after what it does in the cell."""
        return link_convolution(link, f"{self.path}.{name}", inputs, outputs, bias=bias)

    def norm(self, name: str, channels: int, groups: int) -> LayerNorm:
        """A layer norm of the cell; refused where nothing would be left of what it normalises."""
        if math.prod((channels, *self.shape[1:])) == groups:
            rule = "a layer norm compares numbers of an image, but a map of this cell has a single one"
            self.refuse(f"{self.path}.norm", f"{rule}, which leaves nothing of it; write `norm: none`")
        return LayerNorm(f"{self.path}.{name}", channels, groups)

    def scale(self, name: str, factors: int) -> Scale:
        """Learnt factors of a map of the cell."""
        return Scale(f"{self.path}.{name}", factors)


def link_convolution(link: Link, path: str, inputs: int, outputs: int, *, bias: bool) -> Convolution:
    """The convolution that a link becomes between two widths; stride 1."""
    return Convolution(path, inputs, outputs, link.kernel, 1, link.separable, bias, role="recurrent")
