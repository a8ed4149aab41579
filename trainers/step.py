"""One training step: forward, gradient, clipping, update; as it is, or captured once and replayed."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cells.network import Network
from space.model import Training
from trainers.execution import Execution

WARM_UP = 3


class Step:
    """A training step of a network, which changes its weights in place.

    Arguments:
        network: what is trained.
        settings: how.
        execution: how it is computed.

    """

    def __init__(self, network: Network, settings: Training, execution: Execution) -> None:
        self.network = network
        self.max_gradient_norm = settings.max_gradient_norm
        self.answers = execution.answers(network)
        device = next(network.parameters()).device
        on_gpu = device.type == "cuda"
        # A rate that is a tensor on the device can change between replays of a captured step.
        self.rate: Tensor | None = torch.tensor(settings.learning_rate, device=device) if on_gpu else None
        self.optimizer = torch.optim.SGD(
            network.parameters(),
            lr=settings.learning_rate if self.rate is None else self.rate,
            momentum=settings.momentum,
            nesterov=settings.momentum > 0,
            weight_decay=settings.weight_decay,
            fused=on_gpu or None,
        )
        self._captured: _Captured | None = None
        self._may_capture = execution.capture and on_gpu
        self._batch = settings.batch_size

    def __call__(self, images_NCHW: Tensor, labels_N: Tensor, rate: float) -> Tensor:
        """Learn from a batch at a learning rate; returns its loss, a tensor that the next call may overwrite."""
        self._set_rate(rate)
        if not (self._may_capture and len(labels_N) == self._batch):
            return self._learn(images_NCHW, labels_N)
        if self._captured is None:
            self._capture(images_NCHW, labels_N)
        if self._captured is None:
            return self._learn(images_NCHW, labels_N)
        return self._captured.replay(images_NCHW, labels_N)

    def _capture(self, images_NCHW: Tensor, labels_N: Tensor) -> None:
        """Record a step, or know that it cannot be."""
        try:
            self._captured = _Captured(self, images_NCHW, labels_N)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._may_capture = False
            warnings.warn(f"this network's step cannot be captured, so it is slower: {error}", stacklevel=3)

    def _learn(self, images_NCHW: Tensor, labels_N: Tensor) -> Tensor:
        loss = self.network.loss(self.answers(images_NCHW), labels_N)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.max_gradient_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.max_gradient_norm)
        self.optimizer.step()
        return loss.detach()

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on with the momenta of `optimizer.state_dict()`, which stays as it is."""
        self.optimizer.load_state_dict(copy.deepcopy(state))  # which would train on in these very momenta
        self._captured = None  # it knows the old ones
        if self.rate is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate

    def _set_rate(self, rate: float) -> None:
        if self.rate is not None:
            self.rate.fill_(rate)
            return
        for group in self.optimizer.param_groups:
            group["lr"] = rate


class _Captured:
    """A step recorded as a CUDA graph over images and labels of its own, which are filled before each replay."""

    def __init__(self, step: Step, images_NCHW: Tensor, labels_N: Tensor) -> None:
        self.images = images_NCHW.clone()
        self.labels = labels_N.clone()
        learn: Callable[[Tensor, Tensor], Tensor] = step._learn
        network, optimizer = step.network, step.optimizer
        before = copy.deepcopy(network.state_dict())
        momenta = {parameter: copy.deepcopy(state) for parameter, state in optimizer.state.items()}
        chance = torch.cuda.default_generators[images_NCHW.device.index]
        first = chance.clone_state()
        current, stream = torch.cuda.current_stream(), torch.cuda.Stream()
        stream.wait_stream(current)
        try:
            try:
                with torch.cuda.stream(stream):  # libraries choose their ways and the optimiser makes its momenta
                    for _ in range(WARM_UP):
                        learn(self.images, self.labels)
            finally:
                current.wait_stream(stream)  # before anything is undone
            optimizer.zero_grad(set_to_none=True)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.loss = learn(self.images, self.labels)
            chance.set_state(first.get_state())
        except RuntimeError:  # torch leaves its stream and its random numbers as they are while a graph is recorded
            torch.cuda.set_stream(current)
            chance.graphsafe_set_state(first)
            raise
        finally:
            _undo(network, optimizer, before, momenta)

    def replay(self, images_NCHW: Tensor, labels_N: Tensor) -> Tensor:
        """Learn from a batch; its loss."""
        self.images.copy_(images_NCHW)
        self.labels.copy_(labels_N)
        self.graph.replay()
        return self.loss


def _undo(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    before: dict[str, Tensor],
    momenta: dict[Tensor, dict[str, Tensor | None]],
) -> None:
    """Take back what was learnt while warming up, in place, as a captured graph knows addresses."""
    with torch.no_grad():
        for name, value in network.state_dict().items():
            value.copy_(before[name])
        for parameter, state in optimizer.state.items():
            momentum = state.get("momentum_buffer")
            if momentum is not None:  # from zeros the first step is the same as without one
                first = momenta.get(parameter, {}).get("momentum_buffer")
                momentum.copy_(torch.zeros_like(momentum) if first is None else first)
