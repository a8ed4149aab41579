"""A bias whose gradient is a matrix product.

    ∂L/∂b = Σ_nyx ∂L/∂out[n, :, y, x] = 1ᵀ · G,   where a row of G is a pixel

On a GPU, where the channels of a pixel lie together, torch's own sum of a gradient over images and pixels is up to ten
times slower than this product.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

FEW_PIXELS = 4096  # of all images, up to which there is little to gain


def has_slow_sums(x_NCHW: Tensor) -> bool:
    """Whether a map lies on a GPU, and its sums are slow there."""
    return x_NCHW.device.type == "cuda" and not torch.compiler.is_compiling() and are_many_rows(x_NCHW)


def are_many_rows(x_NCHW: Tensor) -> bool:
    """Whether the channels of each pixel lie together, and pixels are not few."""
    many = x_NCHW.numel() >= FEW_PIXELS * x_NCHW.shape[1]
    return many and x_NCHW.is_contiguous(memory_format=torch.channels_last)


def biased(x_NCHW: Tensor, bias_C: Tensor) -> Tensor:
    """A number for each channel added to a map, in the map's place and precision."""
    out_NCHW: Tensor = _Biased.apply(x_NCHW, bias_C)  # type: ignore[no-untyped-call]
    return out_NCHW


class _Biased(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NCHW: Tensor, bias_C: Tensor) -> Tensor:
        ctx.mark_dirty(x_NCHW)
        ctx.kind = bias_C.dtype
        return x_NCHW.add_(bias_C.to(x_NCHW.dtype)[:, None, None])

    @staticmethod
    def backward(ctx: Any, given_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        rows = given_NCHW.movedim(1, -1).flatten(0, 2)
        return given_NCHW, (rows.new_ones(1, len(rows)) @ rows)[0].to(ctx.kind)
