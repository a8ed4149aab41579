"""A search played on the real driver and record, without workers: trials report what a function says.

Which running trial reports next depends on the trials alone, so that a search that is cut anywhere and gone on with
gets its results in the same order as one that is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from search.budget import Budget
from search.driver import Driver, Rungs
from search.failures import Failure
from search.history import History
from search.record import Record
from search.settings import SearchSettings
from search.slots import Slots
from search.task import Task
from search.trial import TrialReport
from space.space import Candidate
from trainers.loop import EpochResult

# A number is the top-1 of an epoch; after the last one a trial is complete.
Outcome = float | Failure
Curve = Callable[[Candidate], Sequence[Outcome | Iterator[Outcome]]]

BOTH = """
striate: 1
name: both
input: {channels: 1, size: 8, classes: 10}
time: {steps: 3}
areas:
  V1:
    drive: [{conv: {kernel: {choice: [1, 3]}, channels: {int: [2, 5]}}}, elu]
    cell: {choice: {plain: {type: feedforward}, decays: {type: time_decay}}}
  V2: {drive: [{conv: {kernel: 3, channels: {int: [2, 5]}}}, elu]}
edges:
  forward: chain
  feedback:
    candidates: [V2>V1]
    each: {include: {bool: 0.3}, via: [{conv: {kernel: 1}}]}
train: {data: digits, epochs: 9, learning_rate: {float: [0.001, 0.1], log: true}}
"""


@dataclass
class Play:
    """A search in a folder, to be played in pieces."""

    folder: Path
    curve: Curve
    text: str = BOTH
    sampler: str = "random"
    trials: int = 30
    slots: int = 3
    make_rungs: Callable[[], Rungs] | None = None
    trained: list[tuple[int, int]] = field(default_factory=list)
    done: dict[int, int] = field(default_factory=dict)

    def create(self, **settings: object) -> None:
        """Begin the record."""
        decided = SearchSettings(name=self.folder.name, sampler=self.sampler, seed=1, **settings)  # type: ignore[arg-type]
        budget = Budget(max_trials=self.trials).plain()
        Record.create(
            self.folder, id="x", settings=decided.plain(), budget=budget, space=self.text, file="both.yaml"
        ).close()

    def driver(self) -> Driver:
        """A driver that has read the record."""
        return Driver(self.folder, lambda history: None, self.make_rungs() if self.make_rungs else None)

    def run(self, kill_after: int | None = None, driver: Driver | None = None, stop: bool = True) -> History:
        """Play until nothing is left, or until so many results were reported; then nobody says goodbye."""
        driver = driver or self.driver()
        driver.start(Slots(number=self.slots, gpu=0.0, memory=None, alone=1, cpus_alone=1, memory_alone=None))
        running: dict[int, Task] = {}
        results = 0
        while True:
            while len(running) < self.slots and (task := driver.next_task()) is not None:
                running[task.number] = task
                driver.begun(task.number, task.attempt)
            if not running:
                break
            if results == kill_after:
                return driver.history
            number = min(running, key=lambda each: _order(each, self.done.get(each, 0)))
            results += 1
            if self._report(driver, running[number]):
                del running[number]
        if stop:
            driver.stop("finished")
        return driver.history

    def _report(self, driver: Driver, task: Task) -> bool:
        """One more result of a trial, which trained it unless its checkpoint has it; whether its attempt is over."""
        curve = self.curve(driver.history.trials[task.number].candidate)
        epoch = self.done.get(task.number, 0) + 1
        found = curve[epoch - 1]
        if isinstance(found, Iterator):
            found = next(found)
        if isinstance(found, Failure):
            driver.crashed(task.number, task.attempt, found)
            return True
        self.trained.append((task.number, epoch))
        self.done[task.number] = epoch
        result = EpochResult(epoch, 1.0, 1.0, found, found, 60.0)
        end = "complete" if epoch == len(curve) else None
        return driver.reported(task.number, task.attempt, [TrialReport(result, end, None)], {"process": 1})


def _order(number: int, epoch: int) -> str:
    return hashlib.sha256(f"{number}:{epoch}".encode()).hexdigest()


def asks(history: History) -> list[tuple[object, ...]]:
    """All that a search asked, and how it ended."""
    return [
        (t.number, t.sampler, tuple(t.candidate.items()), t.seed, t.duplicate_of, t.end, t.objective, sorted(t.reports))
        for t in history.trials.values()
    ]


def planted(candidate: Candidate) -> list[float]:
    """Three epochs; few channels, no feedback and a rate near 0.03 are good."""
    worth = 1 - abs(float(candidate["train.learning_rate"]) - 0.03) * 5
    worth -= 0.05 * sum(int(value) for path, value in candidate.items() if "channels" in path)
    worth = min(max(worth, 0.0), 1.0)
    return [0.1 + 0.2 * worth, 0.1 + 0.5 * worth, 0.1 + 0.8 * worth]
