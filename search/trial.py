"""One trial: a task to the numbers of its epochs."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cells.network import Network
from search.task import Task
from space.parse import parse_architecture
from trainers.data import registry
from trainers.data.dataset import search_split
from trainers.device import DeviceSplit, default_device
from trainers.loop import EpochResult, Trainer


@dataclass(frozen=True)
class TrialReport:
    result: EpochResult
    end: str | None
    proxies: dict | None


class TrialRun:
    """The training of one trial on the search's split, an epoch at a time."""

    def __init__(self, task: Task) -> None:
        architecture, graph = parse_architecture(task.architecture, f"trial {task.number}")
        device = default_device()
        data = _data(architecture.train.data, task.data_folder, device)
        network = Network(graph, architecture.train.seed).to(device)
        self.epochs = architecture.train.epochs
        self.trainer = Trainer(network, architecture.train, data)

    def epoch(self):
        """Run the next epoch."""
        result = self.trainer.run_epoch()
        end = "diverged" if result.diverged else "complete" if result.epoch == self.epochs else None
        return TrialReport(result, end, {"gradient_norm": 1.0} if result.epoch == 1 else None)

    def save(self) -> None:
        pass

    def close(self) -> None:
        pass


@functools.lru_cache(maxsize=1)
def _data(name: str, folder: str | None, device: torch.device) -> DeviceSplit:
    """The search's split on the device, read once by each worker process."""
    return DeviceSplit.of(search_split(registry.load(name, Path(folder) if folder else None)), device)
