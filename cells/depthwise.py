"""A depthwise convolution whose weight gradient is a depthwise convolution too.

    ∂L/∂w[c, i, j] = Σ_n Σ_yx ∂L/∂out[n, c, y, x] · x[n, c, s·y + i, s·x + j]

For each image and channel this is the map, convolved with the gradient as its kernel, dilated by the stride s. On a CPU
oneDNN has fast depthwise convolutions with kernels of any size, but its weight gradients above 3 × 3 are matrix
products channel by channel, which take 20 times as long at 7 × 7.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_input

FAST_KERNEL = 3  # the largest whose weight gradient the library computes well
SMALL_MAP = 64  # pixels up to which a call for each image costs more than to lay all images side by side


def depthwise(x_NCHW: Tensor, weight_C1kk: Tensor, stride: int, padding: int) -> Tensor:
    """Each channel of `(N, C, H, W)` convolved with its own kernel, a number of zeros around the map."""
    if x_NCHW.device.type != "cpu" or weight_C1kk.shape[-1] <= FAST_KERNEL:
        return F.conv2d(x_NCHW, weight_C1kk, None, stride, padding, groups=len(weight_C1kk))
    out_NCHW: Tensor = _Depthwise.apply(x_NCHW, weight_C1kk, stride, padding)  # type: ignore[no-untyped-call]
    return out_NCHW


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NCHW: Tensor, weight_C1kk: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x_NCHW, weight_C1kk)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x_NCHW, weight_C1kk, None, stride, padding, groups=len(weight_C1kk))

    @staticmethod
    def backward(ctx: Any, given_NCHW: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x_NCHW, weight_C1kk = (each.to(given_NCHW.dtype) for each in ctx.saved_tensors)  # as autocast had them
        to_map, to_weight, *_ = ctx.needs_input_grad
        read = weight = None
        if to_map:
            read = conv2d_input(x_NCHW.shape, weight_C1kk, given_NCHW, ctx.stride, ctx.padding, groups=len(weight_C1kk))
        if to_weight:
            weight = _to_weight(x_NCHW, given_NCHW, weight_C1kk.shape[-1], ctx.stride, ctx.padding)
        return read, weight, None, None


def _to_weight(x_NCHW: Tensor, given_NCHW: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """The gradient with respect to the weight."""
    images, channels, *size = x_NCHW.shape
    if size[0] * size[1] <= SMALL_MAP:
        all_x, all_given = x_NCHW.reshape(1, -1, *size), given_NCHW.reshape(-1, 1, *given_NCHW.shape[2:])
        found = F.conv2d(all_x, all_given, None, 1, padding, stride, images * channels)
        found = found.view(images, channels, *found.shape[2:]).sum(0, keepdim=True)
    else:
        found = functools.reduce(
            torch.add,
            (
                F.conv2d(x, given.transpose(0, 1), None, 1, padding, stride, channels)
                for x, given in zip(x_NCHW.split(1), given_NCHW.split(1), strict=True)
            ),
        )
    return found[..., :kernel, :kernel].transpose(0, 1)  # beyond lie the pixels over which the last stride passes
