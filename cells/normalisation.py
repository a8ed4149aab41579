"""The norms of sequences of operations, with what is kept apart for each step.

A batch norm in training normalises by the batch; the running statistics, which it normalises by in evaluation, move
towards the mean over its evaluations since `forget`, once for each call of `remember`. So a norm that is shared by the
steps of an unroll moves once for each batch, as one that is evaluated once does.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cells.layout import laid_out
from space.operations import Normalisation, own_step

EPSILON = 1e-5
MOMENTUM = 0.1
SHARED = "shared"


def group_norm(x_NCHW: Tensor, groups: int, weight_C: Tensor | None, bias_C: Tensor | None) -> Tensor:
    """Normalise groups of channels of each image, in 32 bits at least; the map keeps its precision and its layout.

    On a GPU torch gives it back channel after channel, and where half the bits are asked for, in all of them.
    """
    return laid_out(F.group_norm(x_NCHW, groups, weight_C, bias_C, EPSILON).to(x_NCHW.dtype), x_NCHW)


class LayerNorm(nn.GroupNorm):
    """A normalisation of each image, in groups of channels, with a scale and a shift for each channel."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `(N, C, H, W)`."""
        return group_norm(input, self.num_groups, self.weight, self.bias)


class Affine(nn.Module):
    """A scale and a shift for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))


class Statistics(nn.Module):
    """The running mean and variance of each channel, and those of the batches that are still to be taken in.

    While it is in training it is estimated, and its norm normalises by the batch.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.seen: dict[int, tuple[Tensor, Tensor]] = {}
        self.is_trained = True  # if it is of a step of the network as it was trained

    def forget(self) -> None:
        """Take in nothing of what was seen; such as what was computed again for a gradient."""
        self.seen = {}

    def remember(self, momentum: float = MOMENTUM) -> None:
        """Move towards the mean over what was seen."""
        if not self.seen:
            return
        means, variances = zip(*self.seen.values(), strict=True)
        with torch.no_grad():
            self.running_mean.lerp_(torch.stack(means).mean(dim=0), momentum)
            self.running_var.lerp_(torch.stack(variances).mean(dim=0), momentum)
        self.seen = {}


class Norm(nn.Module):
    """A normalisation of `(N, C, H, W)`; parameters and buffers of a step are in a child of its number."""

    def __init__(self, operation: Normalisation) -> None:
        super().__init__()
        self.operation = operation
        channels = operation.channels
        if operation.affine and operation.affine_steps is None:
            self.weight = nn.Parameter(torch.empty(channels))
            self.bias = nn.Parameter(torch.empty(channels))
        self.statistics: nn.ModuleDict | None = None if operation.groups else nn.ModuleDict()
        self.provide(operation)

    def provide(self, operation: Normalisation) -> None:
        """Make what an operation of this path needs at its steps, and another has not needed before it."""
        channels = operation.channels
        if operation.affine:
            for step in operation.affine_steps or ():
                if str(step) not in self._modules:
                    self.add_module(str(step), Affine(channels))
        if self.statistics is not None:
            steps = operation.statistics_steps
            for name in [SHARED] if steps is None else map(str, steps):
                if name not in self.statistics:
                    self.statistics[name] = Statistics(channels)

    def extend(self, steps: Iterable[int]) -> None:
        """Give statistics of each step those of more steps, which begin as the last's."""
        if self.statistics is not None and self.operation.statistics_steps is not None:
            for step in steps:
                new = copy.deepcopy(self.statistics[_own(self.statistics, step)])
                assert isinstance(new, Statistics)
                new.is_trained = False
                self.statistics[str(step)] = new

    def at(self, step: int) -> tuple[str, str]:
        """The names of the affine and of the statistics of a step; of ones that all steps share, `shared`."""
        affine = statistics = SHARED
        if self.operation.affine_steps is not None:
            affine = _own(self._modules, step)
        if self.statistics is not None and self.operation.statistics_steps is not None:
            statistics = _own(self.statistics, step)
        return affine, statistics

    def forward(self, x_NCHW: Tensor, affine: str = SHARED, statistics: str = SHARED, occurrence: int = 0) -> Tensor:
        """Normalise a map by what `at` names; `occurrence` tells this evaluation apart from others of one pass."""
        weight, bias = self._affine(affine)
        if self.statistics is None:
            return group_norm(x_NCHW, self.operation.groups, weight, bias)
        kept = self.statistics[statistics]
        assert isinstance(kept, Statistics)
        if not kept.training:
            return F.batch_norm(x_NCHW, kept.running_mean, kept.running_var, weight, bias, eps=EPSILON)
        mean, variance = torch.zeros_like(kept.running_mean), torch.ones_like(kept.running_var)
        out_NCHW = F.batch_norm(x_NCHW, mean, variance, weight, bias, training=True, momentum=1.0, eps=EPSILON)
        kept.seen[occurrence] = mean, variance
        return out_NCHW

    def _affine(self, name: str) -> tuple[Tensor | None, Tensor | None]:
        if not self.operation.affine:
            return None, None
        found = self if name == SHARED else self._modules[name]
        assert isinstance(found, Norm | Affine)
        return found.weight, found.bias


def _own(names: Iterable[str], step: int) -> str:
    """The name of what is used at a step, of those that are of steps."""
    return str(own_step(tuple(int(name) for name in names if name.isdigit()), step))
