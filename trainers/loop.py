"""The training loop: a network, settings and images to numbers, an epoch at a time.

Stochastic gradient descent with Nesterov momentum, and weight decay on every parameter that has a gradient; the
learning rate falls from its setting towards zero along half a cosine, batch by batch, over all planned epochs. The
order of the images is a function of (seed, epoch) alone, so an epoch can be run again, or on another day, and is the
same.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cells.initialise import parameter_seed
from cells.network import Network
from space.errors import StriateError
from space.model import Training
from trainers.device import DeviceImages, DeviceSplit
from trainers.execution import Execution
from trainers.step import Step

SCORING_BATCH = 1_000
CHANCE_DEVIATIONS = 3


@dataclass(frozen=True, slots=True)
class Score:
    """How well a network does on some images: mean cross-entropy, and shares of images from 0 to 1."""

    loss: float
    top1: float
    top5: float


@dataclass(frozen=True, slots=True)
class EpochResult:
    """The numbers of one epoch; `epoch` counts from 1, `top1` and `top5` are of the split's scored images."""

    epoch: int
    train_loss: float
    loss: float
    top1: float
    top5: float
    seconds: float

    @property
    def diverged(self) -> bool:
        """Whether a loss was not a finite number, after which nothing more can be learnt."""
        return not (math.isfinite(self.train_loss) and math.isfinite(self.loss))

    def at_chance(self, classes: int, images: int) -> bool:
        """Whether top-1 is not above guessing: at most p + 3·√(p(1−p)/n), with p = 1/classes, of n scored images.

        With at least 10 images of each class, one that guesses is above it less than once in 250 times, and one whose
        accuracy is that mark and 3 deviations more is taken for guessing less than once in 25 times.
        """
        p = 1 / classes
        return self.top1 <= p + CHANCE_DEVIATIONS * math.sqrt(p * (1 - p) / images)


class Trainer:
    """The training of one network.

    Arguments:
        network: on the split's device.
        settings: how it is trained.
        data: the images.
        execution: how it is computed; the fastest way of the device if not said.

    """

    def __init__(
        self, network: Network, settings: Training, data: DeviceSplit, execution: Execution | None = None
    ) -> None:
        self.execution = execution or Execution.of(data.device)
        self.network = self.execution.prepare(network)
        self.settings = settings
        self.data = data
        self.epochs_done = 0
        self.step = Step(network, settings, self.execution)
        if network.statistics and len(data.train) % settings.batch_size == 1 % settings.batch_size:
            rule = f"a batch norm compares images, but of {len(data.train):,} in batches of {settings.batch_size}"
            raise StriateError(f"{rule} one is alone in its batch; choose another `train.batch_size`")

    def run_epoch(self) -> EpochResult:
        """Train for one epoch over all training images, then score."""
        began = time.perf_counter()
        train_loss = self.train_epoch()
        score = evaluate(self.network, self.data.score, self.step.answers)
        seconds = time.perf_counter() - began
        return EpochResult(self.epochs_done, train_loss, score.loss, score.top1, score.top5, seconds)

    def train_epoch(self) -> float:
        """Train for one epoch over all training images, without a look at the others; the mean loss."""
        images = len(self.data.train)
        batches = -(-images // self.settings.batch_size)
        self.network.train()
        torch.manual_seed(parameter_seed(self.settings.seed, f"chance of epoch {self.epochs_done}"))  # of dropout
        total_loss = torch.zeros((), dtype=torch.float64, device=self.data.device)
        for batch, (images_NCHW, labels_N) in enumerate(self.batches()):
            rate = self._rate(self.epochs_done * batches + batch, self.settings.epochs * batches)
            total_loss += self.step(images_NCHW, labels_N, rate) * len(labels_N)
        self.epochs_done += 1
        return float(total_loss) / images

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The images `(n, C, H, W)` and labels `(n,)` that the next epoch trains on, in its order."""
        seed = parameter_seed(self.settings.seed, f"order of epoch {self.epochs_done}")
        order = torch.randperm(len(self.data.train), generator=torch.Generator().manual_seed(seed))
        return self.data.train.batches(order.to(self.data.device), self.settings.batch_size)

    def _rate(self, batch: int, batches: int) -> float:
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * batch / batches))

    def state(self) -> dict[str, Any]:
        """All that a later `load_state` needs to go on exactly: a copy of the weights and momenta, and epochs done."""
        live = {"network": self.network.state_dict(), "optimizer": self.step.optimizer.state_dict()}
        return {**copy.deepcopy(live), "epochs_done": self.epochs_done}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state, which stays as it is."""
        self.network.load_state_dict(state["network"])
        self.step.load_state(state["optimizer"])
        self.epochs_done = state["epochs_done"]


def train(
    network: Network,
    settings: Training,
    data: DeviceSplit,
    report: Callable[[EpochResult], None],
    execution: Execution | None = None,
) -> EpochResult:
    """Train for all epochs of the settings, or until divergence; `report` gets each epoch's numbers.

    Returns:
        The numbers of the last epoch.

    """
    trainer = Trainer(network, settings, data, execution)
    while True:
        result = trainer.run_epoch()
        report(result)
        if result.diverged or result.epoch == settings.epochs:
            return result


def evaluate(network: Network, images: DeviceImages, answers: Callable[[Tensor], Tensor] | None = None) -> Score:
    """Score a network on images without changing it; `answers` computes them, plainly if not said."""
    answers = answers or network.answers
    was_training = network.training
    network.eval()
    loss = torch.zeros((), dtype=torch.float64, device=images.labels_N.device)
    hits = torch.zeros(2, dtype=torch.int64, device=images.labels_N.device)
    order = torch.arange(len(images), device=images.labels_N.device)
    with torch.no_grad():
        for images_NCHW, labels_N in images.batches(order, SCORING_BATCH):
            logits = network.decoded(answers(images_NCHW))
            loss += F.cross_entropy(logits, labels_N, reduction="sum")
            ranked = logits.topk(min(5, logits.shape[1]), dim=1).indices == labels_N[:, None]
            hits += torch.stack((ranked[:, 0].sum(), ranked.any(dim=1).sum()))
    network.train(was_training)
    top1, top5 = (hits.double() / len(images)).tolist()
    return Score(float(loss) / len(images), top1, top5)
