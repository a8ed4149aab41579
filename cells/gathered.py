"""Weight gradients of convolutions that run step by step, each computed once over the images of all its steps.

    ∂L/∂W[o, i, u, v] = Σ_t Σ_n Σ_yx ∂L/∂y_t[n, o, y, x] · x_t[n, i, y + u, x + v]

is the weight gradient of one convolution, of all x_t side by side. Step by step a CPU writes a weight's size at each
step and adds it up; where weights are large and maps are small, that takes longer than the sums themselves.

The weight is read by a function of its own, `_Weight`, which gives two placeholders to each step: zeros, of the shapes
of x_t and y_t, that take no memory. A step's `_Convolution` passes x_t and ∂L/∂y_t back as "gradients" of them. So
autograd itself brings to the weight what one backward pass found, and computes there when all steps have passed:
nothing is kept outside its graph, and gradients of gradients are as ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_input, conv2d_weight

STEPS = 16  # at most so many at once
LARGE = 2**19  # numbers of a weight that is large
SMALL = 4  # maps are, if a channel's weights are so many times as many as its pixels in a batch

_Placeholders: TypeAlias = Iterator[tuple[Tensor, Tensor]]  # of the steps to come, for x_t and for y_t
_placeholders: ContextVar[dict[tuple[object, ...], _Placeholders] | None] = ContextVar("placeholders", default=None)


@contextlib.contextmanager
def gathering() -> Iterator[None]:
    """Steps of a convolution that run while this lasts may have their weight gradients computed at once."""
    before = _placeholders.set({})
    try:
        yield
    finally:
        _placeholders.reset(before)


def conv2d(
    x_NCHW: Tensor, weight_OIkk: Tensor, bias_O: Tensor | None, stride: int, padding: int, dilation: int
) -> Tensor:
    """What torch's own gives; of `(N, C_in, H, W)`."""
    steps = _placeholders.get()
    if steps is None or stride != 1 or not _pays(x_NCHW, weight_OIkk):
        return F.conv2d(x_NCHW, weight_OIkk, bias_O, stride, padding, dilation)
    shape, of = x_NCHW.shape, (id(weight_OIkk), x_NCHW.shape, padding, dilation)
    if of not in steps:  # it may be the only step
        steps[of] = iter(())
        return F.conv2d(x_NCHW, weight_OIkk, bias_O, stride, padding, dilation)
    pair = next(steps[of], None)
    if pair is None:
        larger = 2 * padding - dilation * (weight_OIkk.shape[-1] - 1)
        out = (shape[0], len(weight_OIkk), shape[2] + larger, shape[3] + larger)
        made = _Weight.apply(weight_OIkk, bias_O, shape, out, padding, dilation)  # type: ignore[no-untyped-call]
        steps[of] = zip(made[::2], made[1::2], strict=True)
        pair = next(steps[of])
    out_NCHW: Tensor = _Convolution.apply(x_NCHW, weight_OIkk, bias_O, padding, dilation, *pair)  # type: ignore[no-untyped-call]
    return out_NCHW


def _pays(x_NCHW: Tensor, weight_OIkk: Tensor) -> bool:
    """Whether it is faster: on a CPU, where weights are large and maps are small."""
    if x_NCHW.device.type != "cpu" or x_NCHW.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return False
    images, _, height, width = x_NCHW.shape
    small = weight_OIkk[0].numel() >= SMALL * images * height * width
    return small and weight_OIkk.numel() >= LARGE and weight_OIkk.requires_grad and torch.is_grad_enabled()


class _Weight(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, bias: Tensor | None, read: torch.Size, out: torch.Size, padding: int, dilation: int
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)  # None for steps that no gradient reaches
        ctx.shape, ctx.padding, ctx.dilation = weight.shape, padding, dilation
        return tuple(weight.new_zeros(()).expand(shape) for _ in range(STEPS) for shape in (read, out))

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        to_weight, to_bias, *_ = ctx.needs_input_grad
        x_NCHW, given_NCHW = (torch.cat([each for each in given[side::2] if each is not None]) for side in (0, 1))
        weight = bias = None
        if to_weight:
            weight = conv2d_weight(x_NCHW, ctx.shape, given_NCHW, 1, ctx.padding, ctx.dilation)
        if to_bias:
            bias = given_NCHW.sum((0, 2, 3))
        return weight, bias, None, None, None, None


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_NCHW: Tensor, weight: Tensor, bias: Tensor | None, padding: int, dilation: int, *_: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x_NCHW, weight)
        ctx.padding, ctx.dilation = padding, dilation
        return F.conv2d(x_NCHW, weight, bias, 1, padding, dilation)

    @staticmethod
    def backward(ctx: Any, given_NCHW: Tensor) -> tuple[Tensor | None, ...]:
        x_NCHW, weight = ctx.saved_tensors
        read = None
        if ctx.needs_input_grad[0]:
            read = conv2d_input(x_NCHW.shape, weight, given_NCHW, 1, ctx.padding, ctx.dilation)
        return read, None, None, None, None, x_NCHW, given_NCHW
