"""The update of a state by two gates: how much of it is kept, and how much of what enters is let in.

    after = φ(g_keep∘before + g_admit∘entering),   g = offset + scale·f(sum), or 1 where there is no gate

On a GPU, where maps are in bfloat16, this is one kernel forth and one back (`cells.gating_kernels`): written out, each
of the two goes through memory about twenty times. The kernels compute in 32 bits and round once; written out, every
operation rounds.
"""

from __future__ import annotations

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
        """The state after, `(N, C, H, W)`."""
        if _is_fused(before_NCHW, entering_NCHW, keep_NCHW, admit_NCHW):
            after_NCHW: Tensor = _Fused.apply(before_NCHW, entering_NCHW, keep_NCHW, admit_NCHW, self)  # type: ignore[no-untyped-call]
            return after_NCHW
        return self.written_out(before_NCHW, entering_NCHW, keep_NCHW, admit_NCHW)

    def written_out(
        self, before_NCHW: Tensor, entering_NCHW: Tensor, keep_NCHW: Tensor | None, admit_NCHW: Tensor | None
    ) -> Tensor:
        """The same, operation by operation."""
        kept_NCHW = before_NCHW
        if self.keep is not None and keep_NCHW is not None:
            kept_NCHW = self.keep.of(keep_NCHW) * before_NCHW
        if self.admit is not None and admit_NCHW is not None:
            after_NCHW = torch.addcmul(kept_NCHW, self.admit.of(admit_NCHW), entering_NCHW)
        else:
            after_NCHW = kept_NCHW + entering_NCHW
        return ACTIVATIONS[self.activation](after_NCHW)


def _is_fused(*given: Tensor | None) -> bool:
    """Whether these lie on a GPU in bfloat16, all alike and without gaps, so that a kernel may take them as rows."""
    maps = [each for each in given if each is not None]
    first = maps[0]
    if first.device.type != "cuda" or first.dtype != torch.bfloat16 or torch.compiler.is_compiling():
        return False
    dense = first.is_contiguous() or first.is_contiguous(memory_format=torch.channels_last)
    kind = (first.shape, first.stride(), first.dtype)
    return dense and first.numel() < MOST and all((each.shape, each.stride(), each.dtype) == kind for each in maps)


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

        if torch.is_grad_enabled():  # a gradient of this gradient is wanted
            read = [each for each in ctx.saved_tensors if each is not None and each.requires_grad]
            after_NCHW = ctx.gating.written_out(*ctx.saved_tensors)
            found = iter(torch.autograd.grad(after_NCHW, read, given_NCHW, create_graph=True))
            return (*(next(found) if needed else None for needed in ctx.needs_input_grad[:4]), None)
        return (*gating_kernels.backward(ctx.gating, given_NCHW, *ctx.saved_tensors), None)
