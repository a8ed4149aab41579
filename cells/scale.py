"""A product of a map with learnt factors."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Scale(nn.Module):
    """One factor for each channel, or a single one for all; weight `(C,)` or `(1,)`."""

    def __init__(self, factors: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(factors))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Multiply `(N, C, H, W)`, in the precision of the map."""
        return x_NCHW * self.weight.to(x_NCHW.dtype)[:, None, None]
