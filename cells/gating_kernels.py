"""The kernels of `cells.gating`: a map is a row of numbers, of which each program takes a block.

What the gradient needs is computed again from the maps that were read, so that nothing else is kept. What is not a
number stays so: comparisons are written such that it passes, where a GPU's maximum would drop it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl
from torch import Tensor

if TYPE_CHECKING:
    from cells.gating import Gate, Gating

BLOCK = 1024
NEAR_ZERO: tl.constexpr = tl.constexpr(0.01)  # where a difference of exponentials loses digits, and a series does not


@triton.jit
def _applied(x, FUNCTION: tl.constexpr):
    if FUNCTION == "sigmoid":
        y = 1 / (1 + tl.exp(-x))
    elif FUNCTION == "tanh":
        y = tl.where(tl.abs(x) < NEAR_ZERO, x - x * x * x / 3, 2 / (1 + tl.exp(-2 * x)) - 1)
    elif FUNCTION == "elu":
        y = tl.where(x < -NEAR_ZERO, tl.exp(x) - 1, tl.where(x < 0, x + x * x / 2 + x * x * x / 6, x))
    elif FUNCTION == "relu":
        y = tl.where(x < 0, 0.0, x)
    else:
        y = x
    return y


@triton.jit
def _slope(y, FUNCTION: tl.constexpr):
    """Of a function where it is y."""
    if FUNCTION == "sigmoid":
        slope = y * (1 - y)
    elif FUNCTION == "tanh":
        slope = 1 - y * y
    elif FUNCTION == "elu":
        slope = tl.where(y > 0, 1.0, y + 1)
    elif FUNCTION == "relu":
        slope = tl.where(y > 0, 1.0, 0.0)
    else:
        slope = 1.0
    return slope


@triton.jit
def _forward(
    before_of, entering_of, keep_of, admit_of, after_of, numbers, keep_scale, keep_offset, admit_scale, admit_offset,
    KEEP: tl.constexpr, ADMIT: tl.constexpr, ACTIVATION: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < numbers
    kept = tl.load(before_of + at, mask=inside).to(tl.float32)
    admitted = tl.load(entering_of + at, mask=inside).to(tl.float32)
    if KEEP != "none":
        kept *= keep_offset + keep_scale * _applied(tl.load(keep_of + at, mask=inside).to(tl.float32), KEEP)
    if ADMIT != "none":
        admitted *= admit_offset + admit_scale * _applied(tl.load(admit_of + at, mask=inside).to(tl.float32), ADMIT)
    after = _applied(kept + admitted, ACTIVATION)
    tl.store(after_of + at, after.to(after_of.dtype.element_ty), mask=inside)


@triton.jit
def _backward(
    given_of, before_of, entering_of, keep_of, admit_of, to_before_of, to_entering_of, to_keep_of, to_admit_of,
    numbers, keep_scale, keep_offset, admit_scale, admit_offset,
    KEEP: tl.constexpr, ADMIT: tl.constexpr, ACTIVATION: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < numbers
    before = tl.load(before_of + at, mask=inside).to(tl.float32)
    entering = tl.load(entering_of + at, mask=inside).to(tl.float32)
    kept, admitted = before, entering
    if KEEP != "none":
        keep = _applied(tl.load(keep_of + at, mask=inside).to(tl.float32), KEEP)
        kept = before * (keep_offset + keep_scale * keep)
    if ADMIT != "none":
        admit = _applied(tl.load(admit_of + at, mask=inside).to(tl.float32), ADMIT)
        admitted = entering * (admit_offset + admit_scale * admit)
    given = tl.load(given_of + at, mask=inside).to(tl.float32)
    given *= _slope(_applied(kept + admitted, ACTIVATION), ACTIVATION)
    to_before, to_entering = given, given
    kind = to_before_of.dtype.element_ty
    if KEEP != "none":
        to_before = given * (keep_offset + keep_scale * keep)
        to_keep = given * before * keep_scale * _slope(keep, KEEP)
        tl.store(to_keep_of + at, to_keep.to(kind), mask=inside)
    if ADMIT != "none":
        to_entering = given * (admit_offset + admit_scale * admit)
        to_admit = given * entering * admit_scale * _slope(admit, ADMIT)
        tl.store(to_admit_of + at, to_admit.to(kind), mask=inside)
    tl.store(to_before_of + at, to_before.to(kind), mask=inside)
    tl.store(to_entering_of + at, to_entering.to(kind), mask=inside)


def forward(
    gating: Gating, before_NCHW: Tensor, entering_NCHW: Tensor, keep_NCHW: Tensor | None, admit_NCHW: Tensor | None
) -> Tensor:
    """The state after, `(N, C, H, W)`; the maps are laid out alike, without gaps."""
    after_NCHW = torch.empty_like(before_NCHW)
    read = (before_NCHW, entering_NCHW, keep_NCHW, admit_NCHW)
    _launch(_forward, gating, [each if each is not None else before_NCHW for each in read], [after_NCHW])
    return after_NCHW


def backward(
    gating: Gating,
    given_NCHW: Tensor,
    before_NCHW: Tensor,
    entering_NCHW: Tensor,
    keep_NCHW: Tensor | None,
    admit_NCHW: Tensor | None,
) -> list[Tensor | None]:
    """The gradients of what `forward` read, in its order."""
    read = (before_NCHW, entering_NCHW, keep_NCHW, admit_NCHW)
    if given_NCHW.stride() != before_NCHW.stride() or given_NCHW.dtype != before_NCHW.dtype:
        given_NCHW = torch.empty_like(before_NCHW).copy_(given_NCHW)
    gradients = [None if each is None else torch.empty_like(each) for each in read]
    pointers = [each if each is not None else before_NCHW for each in (*read, *gradients)]
    _launch(_backward, gating, [given_NCHW, *pointers], [])
    return gradients


def _launch(kernel: Any, gating: Gating, maps: list[Tensor], written: list[Tensor]) -> None:
    numbers = maps[0].numel()
    keep, admit = gating.keep, gating.admit
    kernel[(triton.cdiv(numbers, BLOCK),)](
        *maps, *written, numbers, *_factors(keep), *_factors(admit),
        KEEP=keep.function if keep else "none", ADMIT=admit.function if admit else "none",
        ACTIVATION=gating.activation, BLOCK=BLOCK,
    )  # fmt: skip


def _factors(gate: Gate | None) -> tuple[float, float]:
    return (gate.scale, gate.offset) if gate else (0.0, 1.0)
