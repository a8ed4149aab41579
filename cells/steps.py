"""Running a trained network for another number of steps than it was trained for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from cells.network import Network
from cells.normalisation import MOMENTUM
from space.errors import UsageError
from space.nodes import Graph
from space.operations import Normalisation
from space.plan import plan
from space.wiring import steps_of


def at_steps(network: Network, steps: int, per_step: str = "refuse") -> Network:
    """A copy of a network that runs for another number of steps.

    Arguments:
        network: what was trained.
        steps: T.
        per_step: what a norm with statistics or an affine of each step does at steps that were not trained: `refuse`,
            or take those of the last trained step (`clamp`); or take its affine, and statistics of their own that are
            to be estimated by `recalibrate`, those of the last until then.

    Raises:
        UsageError: the policy refuses, no image reaches the read-out by then, weights are untied, or what is
                concatenated is not there at the same steps.

    """
    other = copy.deepcopy(network)
    other.graph = network.graph.at_steps(steps)
    for path, (trained, new) in _untrained(other.graph).items():
        rule = f"norms of each step are of the steps that they were trained at, but in {steps} steps {path} is needed"
        if not trained:
            raise UsageError(f"{rule}, which was trained at none; ask for {network.graph.steps}")
        if per_step == "refuse":
            way_out = "choose what they do there: clamp or recalibrate"
            raise UsageError(f"{rule} at step {min(new)} too; ask for {network.graph.steps}, or {way_out}")
        if per_step == "recalibrate":
            other.norms[path].extend(sorted(new))
    other.run(plan(other.graph))
    return other


def _untrained(graph: Graph) -> dict[str, tuple[set[int], set[int]]]:
    """Path of a norm of each step → those that it was trained at, and the others that are needed, if there are any."""
    trained: dict[str, set[int]] = {}
    needed: dict[str, set[int]] = {}
    for operation, steps, _ in graph.evaluated():
        if isinstance(operation, Normalisation):
            own = operation.statistics_steps if operation.affine_steps is None else operation.affine_steps
            if own is not None:
                trained.setdefault(operation.path, set()).update(own)
                needed.setdefault(operation.path, set()).update(steps_of(steps))
    return {path: (trained[path], new) for path, met in needed.items() if (new := met - trained[path])}


def recalibrate(network: Network, answers: Callable[[Tensor], Tensor], batches: Iterable[Tensor]) -> None:
    """Estimate the running statistics of steps that were not trained: their mean over batches of images.

    All else is as in evaluation, and stays as it is: weights, other statistics, and nothing is dropped.

    Arguments:
        network: what `at_steps` gave.
        answers: how its answers are computed, as `network.answers` or in another precision.
        batches: images of each batch.

    """
    new = [each for each in network.statistics if not each.is_trained]
    if not new:
        return
    was_training = network.training
    network.eval()
    for each in new:
        each.train()
    with torch.no_grad():
        for number, images_NCHW in enumerate(batches):
            network.momentum = 1 / (number + 1)
            answers(images_NCHW)
    network.momentum = MOMENTUM
    network.train(was_training)
