"""One trial: a task to the numbers of its epochs."""

from __future__ import annotations

import functools
import gc
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch

from cells.network import Network
from search.task import Task
from space.parse import parse_architecture
from trainers import checkpoint
from trainers.data import registry
from trainers.data.dataset import search_split
from trainers.device import DeviceSplit, default_device
from trainers.loop import EpochResult, Trainer
from trainers.proxies import proxies

TrialEnd: TypeAlias = Literal["complete", "diverged", "chance"]


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What a trial tells after an epoch.

    Arguments:
        result: the epoch's numbers.
        end: how the trial ended with this epoch, or None while it goes on.
        proxies: of the untrained network, with the first epoch.

    """

    result: EpochResult
    end: TrialEnd | None
    proxies: dict[str, float | None] | None


class TrialRun:
    """The training of one trial on the search's split, an epoch at a time.

    It goes on from the task's checkpoint if there is one of this very architecture and split: the epochs in it that the
    record does not have are told again first, without training. Else it begins anew, and tells every epoch.

    Arguments:
        task: what to run.
        device: on which; the default one if not said.

    """

    def __init__(self, task: Task, device: torch.device | None = None) -> None:
        self.task = task
        self.path = Path(task.checkpoint)
        architecture, graph = parse_architecture(task.architecture, f"trial {task.number}")
        device = device or default_device()
        data = _data(architecture.train.data, task.data_folder, device)
        network = Network(graph, architecture.train.seed).to(device)
        self.of = f"{data.name}\n{task.architecture}"
        self.classes = architecture.input.classes
        self.trainer = Trainer(network, architecture.train, data)
        self.results: list[EpochResult] = []
        self.untold: deque[EpochResult] = deque()
        found = checkpoint.load(self.path)
        resumes = found is not None and found.of == self.of
        self.proxies = None if resumes and task.reported else self._proxies()
        if found is not None and resumes:
            self.trainer.load_state(found.state)
            self.results += found.results
            self.untold += found.results[task.reported :]
        self.saved = len(self.results)

    def epoch(self) -> TrialReport:
        """Train for the next epoch, or tell one again that was trained but never recorded."""
        if self.untold:
            result = self.untold.popleft()
        else:
            result = self.trainer.run_epoch()
            self.results.append(result)
        return TrialReport(result, self._end(result), self.proxies if result.epoch == 1 else None)

    def save(self) -> None:
        """Write the checkpoint; nothing if it is as it would be, or the trial has ended."""
        if self.saved < len(self.results) and self._end(self.results[-1]) is None:
            checkpoint.save(self.path, self.of, self.trainer, self.results)
            self.saved = len(self.results)

    def close(self) -> None:
        """Give the memory of the network back; nothing more can be run."""
        vars(self).pop("trainer", None)
        gc.collect()  # a recorded step and its network know each other
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def _end(self, result: EpochResult) -> TrialEnd | None:
        if result.diverged:
            return "diverged"
        if result.epoch == self.trainer.settings.epochs:
            return "complete"
        after = self.task.chance_after
        if after is not None and result.epoch >= after:
            return "chance" if result.at_chance(self.classes, len(self.trainer.data.score)) else None
        return None

    def _proxies(self) -> dict[str, float | None]:
        images_NCHW, labels_N = next(self.trainer.batches())
        return proxies(self.trainer.network, images_NCHW, labels_N, self.trainer.execution)


@functools.lru_cache(maxsize=1)
def _data(name: str, folder: str | None, device: torch.device) -> DeviceSplit:
    """The search's split for the device, provided once in each worker process."""
    return DeviceSplit.of(search_split(registry.load(name, Path(folder) if folder else None)), device)
