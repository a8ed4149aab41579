"""Running a trained network for another number of steps than it was trained for."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor

from cells.network import Network
from cells.normalisation import MOMENTUM
from space.errors import UsageError
from space.plan import plan

POLICIES = ("refuse", "clamp", "recalibrate")


def at_steps(network: Network, steps: int, per_step: str = "refuse") -> Network:
    """A copy of a network that runs for another number of steps.

    Arguments:
        network: what was trained.
        steps: T.
        per_step: what a norm with statistics or an affine of each step does at steps that were not trained: `refuse`,
            or take those of the last trained step (`clamp`); or take its affine, and statistics of their own that are
            to be estimated by `recalibrate`, those of the last until then.

    Raises:
        UsageError: the policy refuses, no image reaches the read-out by then, or weights are untied.

    """
    other = copy.deepcopy(network)
    other.graph = network.graph.at_steps(steps)
    by_step = [norm for norm in other.norms.values() if norm.is_by_step]
    if by_step and steps > network.graph.steps:
        if per_step == "refuse":
            rule = f"norms of each step are of the {network.graph.steps} steps that they were trained for"
            way_out = "ask for fewer, or choose what they do: clamp or recalibrate"
            raise UsageError(f"{rule}, as {by_step[0].operation.path}, but {steps} were asked for; {way_out}")
        if per_step == "recalibrate":
            for norm in by_step:
                norm.extend(range(network.graph.steps, steps))
    other.__dict__.pop("statistics", None)
    other.run(plan(other.graph))
    return other


def recalibrate(network: Network, batches: Iterable[Tensor]) -> None:
    """Estimate the running statistics of batch norms anew: their mean over batches of images, weights unchanged."""
    was_training = network.training
    network.train()
    with torch.no_grad():
        for number, images_NCHW in enumerate(batches):
            network.momentum = 1 / (number + 1)
            network.answers(images_NCHW)
    network.momentum = MOMENTUM
    network.train(was_training)
