"""Trials on real Ray workers that train nothing: what they report is a function of their learning rate.

Run as a program it drives a search with them: `python synthetic_trials.py FOLDER [SLOTS [GPUS [GPU_MEMORY]]]`; the GPUs
need not be there. Each epoch that is trained adds a line to `trained.log` in the search's folder, and each attempt one
to `processes.log`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from search.task import Task
from search.trial import TrialReport
from space.parse import parse_architecture
from trainers.loop import EpochResult

EPOCHS = 5
LEAKED = 400 << 20
leaks: list[np.ndarray] = []


def curve(rate: float) -> list[float]:
    """Top-1 by epoch; slow learners are worse at first and better in the end."""
    place = (np.log10(rate) + 3) / 2  # 0 to 1 from 0.001 to 0.1
    final, speed = 0.9 - 0.5 * place, 0.3 + 2 * place
    return [float(0.1 + (final - 0.1) * (1 - np.exp(-speed * epoch))) for epoch in range(1, EPOCHS + 1)]


class Synthetic:
    """One such trial; `momentum` tells what befalls it, `weight_decay` how many seconds each of its epochs takes."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.path = Path(task.checkpoint)
        training = parse_architecture(task.architecture, "task")[0].train
        self.rate, self.fate = training.learning_rate, round(10 * training.momentum)
        self.seconds = training.weight_decay
        self._log("processes.log", f"{os.getpid()} {task.number} {task.attempt} {task.alone}")
        self.trained = json.loads(self.path.read_text()) if self.path.is_file() else 0
        self.done = min(self.trained, task.reported)

    def _log(self, name: str, line: str) -> None:
        with (self.path.parent.parent / name).open("a") as file:
            file.write(line + "\n")

    def epoch(self) -> TrialReport:
        """Report the next epoch, unless fate will have it otherwise; what the checkpoint has is not trained again."""
        self.done += 1
        if self.done > self.trained:
            if self.done == 2 and self.fate:
                self._suffer()
            time.sleep(self.seconds)
            self.trained = self.done
            self._log("trained.log", f"{self.task.number} {self.done}")
        top1 = curve(self.rate)[self.done - 1]
        result = EpochResult(self.done, 1.0, 1.0, top1, top1, 0.1)
        return TrialReport(result, "complete" if self.done == EPOCHS else None, None)

    def _suffer(self) -> None:
        match self.fate:
            case 1:
                raise ValueError("this trial raises")
            case 2:
                os.kill(os.getpid(), 9)
            case 3:
                while True:
                    pass
            case 4:
                np.ones(1 << 45)
            case 5 if self.task.attempt == 1:
                raise MemoryError("not enough in a slot")
            case 6:
                leaks.append(np.empty(LEAKED, np.uint8))

    def save(self) -> None:
        """Write the number of epochs done."""
        unfinished = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        unfinished.write_text(json.dumps(self.trained))
        unfinished.replace(self.path)

    def close(self) -> None:
        """There is nothing to give back."""


def main(folder: str, slots: str = "2", gpus: str = "0", gpu_memory: str = "0") -> None:
    """Drive the search in a folder."""
    from search import cluster, engine
    from search.driver import Driver, settings_of
    from search.history import History
    from search.interruption import Interruption
    from search.record import driving
    from search.slots import choose

    path = Path(folder)
    settings = settings_of(History.read(path))
    rungs = engine.Asha(settings, EPOCHS) if settings.scheduler == "asha" else None
    with Interruption() as interruption, driving(path):
        driver = Driver(path, lambda history: print(len(history.ended), flush=True), rungs)
        with cluster.connected(None, int(gpus), interruption, int(slots)) as machine:
            machine = replace(machine, cpus=int(slots), gpu_memory=int(gpu_memory) or None)
            chosen = choose(machine, [], int(slots))
            driver.start(chosen, int(slots))
            engine.run(driver, chosen, interruption, Synthetic)
        driver.stop("finished")


if __name__ == "__main__":
    import synthetic_trials  # so that workers find `Synthetic` under the name of this module

    synthetic_trials.main(*sys.argv[1:])
