"""One trial: a task to the numbers of its epochs."""

from __future__ import annotations

import functools
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


class TrialRun:
    """The training of one trial on the search's split, an epoch at a time."""

    def __init__(self, task: Task) -> None:
        architecture, graph = parse_architecture(task.architecture, f"trial {task.number}")
        device = default_device()
        data = _data(architecture.train.data, task.data_folder, device)
        network = Network(graph, architecture.train.seed).to(device)
        self.epochs = architecture.train.epochs
        self.trainer = Trainer(network, architecture.train, data)

    def epoch(self) -> tuple[EpochResult, bool]:
        """Run the next epoch; its numbers, and whether it was the trial's last."""
        result = self.trainer.run_epoch()
        return result, result.diverged or result.epoch == self.epochs

    def state(self) -> dict[str, Any]:
        """What `load_state` needs to go on from here."""
        return self.trainer.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.trainer.load_state(state)


@functools.lru_cache(maxsize=1)
def _data(name: str, folder: str | None, device: torch.device) -> DeviceSplit:
    """The search's split on the device, read once by each worker process."""
    return DeviceSplit.of(search_split(registry.load(name, Path(folder) if folder else None)), device)
