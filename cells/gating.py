"""The update of a state by two gates: how much of it is kept, and how much of what enters is let in.

    after = φ(g_keep∘before + g_admit∘entering),   g = offset + scale·f(sum), or 1 where there is no gate

On a GPU, where maps are in bfloat16, this is one kernel forth and one back (`cells.gating_kernels`): written out, it
goes through memory about twenty times forth, and more back. The kernels compute in 32 bits and round once; written out,
every operation rounds.
"""

from __future__ import annotations

import functools
import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cells.operations import ACTIVATIONS

MOST = 2**31  # numbers of a map that a kernel counts


@dataclass(frozen=True, slots=True)
class Gate:
    """`offset + scale · function(sum)`."""

    function: str
    scale: float
    offset: float

    def of(self, sum_NCHW: Tensor) -> Tensor:
        """How far it is open."""
        opened_NCHW = ACTIVATIONS[self.function](sum_NCHW)
        offset = torch.tensor(self.offset, dtype=torch.float64)  # without axes it takes the precision of the map
        return torch.add(offset, opened_NCHW, alpha=self.scale)


@dataclass(frozen=True, slots=True)
class Gating:
    """What the update is; the gates' sums are given where there are gates."""

    keep: Gate | None
    admit: Gate | None
    activation: str

    def update(
        self, before_NCHW: Tensor, entering_NCHW: Tensor, keep_NCHW: Tensor | None, admit_NCHW: Tensor | None
    ) -> Tensor:
        """The state after, `(N, C, H, W)`; before the first step it is zeros, of all pixels or `(1, C, 1, 1)`."""
        if _is_fused(before_NCHW, entering_NCHW, keep_NCHW, admit_NCHW):
            after_NCHW: Tensor = _Fused.apply(before_NCHW, entering_NCHW, keep_NCHW, admit_NCHW, self)  # type: ignore[no-untyped-call]
            return after_NCHW
        return self.written_out(before_NCHW, entering_NCHW, keep_NCHW, admit_NCHW)

    def written_out(
        self, before_NCHW: Tensor, entering_NCHW: Tensor, keep_NCHW: Tensor | None, admit_NCHW: Tensor | None
    ) -> Tensor:
        """The same, operation by operation."""
        is_initial = before_NCHW.shape[2:] != entering_NCHW.shape[2:]  # one pixel of zeros: nothing of them is kept
        if self.admit is not None and admit_NCHW is not None:
            entering_NCHW = self.admit.of(admit_NCHW) * entering_NCHW
        if is_initial:
            return ACTIVATIONS[self.activation](entering_NCHW)
        if self.keep is not None and keep_NCHW is not None:
            before_NCHW = self.keep.of(keep_NCHW) * before_NCHW
        return ACTIVATIONS[self.activation](before_NCHW + entering_NCHW)


def _is_fused(*given: Tensor | None) -> bool:
    """Whether these lie on a GPU, and a kernel may take them."""
    maps = [each for each in given if each is not None]
    on_gpu = maps[0].device.type == "cuda" and not torch.compiler.is_compiling()
    return on_gpu and are_rows(maps) and _has_compiler()


def are_rows(maps: Sequence[Tensor]) -> bool:
    """Whether all are in bfloat16, laid out alike and without gaps, so that numbers of one place lie at one place."""
    first = maps[0]
    dense = first.is_contiguous() or first.is_contiguous(memory_format=torch.channels_last)
    kind = (first.shape, first.stride(), torch.bfloat16)
    return dense and first.numel() < MOST and all((each.shape, each.stride(), each.dtype) == kind for each in maps)


@functools.cache
def _has_compiler() -> bool:
    """Whether there is what Triton compiles the launch of its kernels with."""
    found = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    if not found:
        warnings.warn("gates are slower on this machine, as Triton finds no C compiler; install gcc", stacklevel=2)
    return bool(found)


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        before_NCHW: Tensor,
        entering_NCHW: Tensor,
        keep_NCHW: Tensor | None,
        admit_NCHW: Tensor | None,
        gating: Gating,
    ) -> Tensor:
        from cells import gating_kernels  # Triton is there where torch is for GPUs

        ctx.save_for_backward(before_NCHW, entering_NCHW, keep_NCHW, admit_NCHW)
        ctx.gating = gating
        return gating_kernels.forward(gating, before_NCHW, entering_NCHW, keep_NCHW, admit_NCHW)

    @staticmethod
    def backward(ctx: Any, given_NCHW: Tensor) -> tuple[Tensor | None, ...]:
        from cells import gating_kernels

        saved = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return (*gating_kernels.backward(ctx.gating, given_NCHW, *saved), None)
        # A gradient of this gradient is wanted. Views stand for what was read, as one may be made of another.
        views = [each if each is None else each.view_as(each) for each in saved]
        needed = ctx.needs_input_grad[:4]
        read = [view for view, is_needed in zip(views, needed, strict=True) if view is not None and is_needed]
        found = iter(torch.autograd.grad(ctx.gating.written_out(*views), read, given_NCHW, create_graph=True))
        return (*(next(found) if is_needed else None for is_needed in needed), None)
