"""The first step of a cell, whose state is zeros: a convolution that reads them gives its bias, and is not computed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cells.cell import Cell
from cells.operations import Conv2d, SeparableConv2d
from space.nodes import AreaNode


class OfZeros(nn.Module):
    """What a convolution with same padding gives of a map of zeros: its bias, alike at all pixels."""

    def __init__(self, convolution: Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, zeros_NCHW: Tensor) -> Tensor:
        """The bias as `(1, C_out, 1, 1)`, in the precision of the map."""
        bias_C = self.convolution.bias
        if bias_C is None:
            return zeros_NCHW.new_zeros(1, len(self.convolution.weight), 1, 1)
        return bias_C.to(zeros_NCHW.dtype)[None, :, None, None]


def beginning(cell: Cell, area: AreaNode) -> Cell:
    """A cell that shares all parameters with another, and updates an initial state, be it of one pixel, alone."""
    with torch.device("meta"):  # all that it is made of is replaced
        found = type(cell)(area)
    for name, part in cell.named_children():
        match part:
            case Conv2d():
                part = OfZeros(part)
            case SeparableConv2d():
                part = OfZeros(part.pointwise)
        setattr(found, name, part)
    return found
