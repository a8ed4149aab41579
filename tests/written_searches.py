"""Searches played without training: the real driver writes the record, and a script says how each trial goes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from search.budget import Budget
from search.driver import Driver, Rungs, architecture_of
from search.failures import Failure
from search.history import History, Trial
from search.record import Record, driving
from search.settings import SearchSettings
from search.slots import Slots
from search.trial import TrialReport
from space.hashes import candidate_hash
from space.parse import find, parse_space
from trainers.loop import EpochResult

SLOTS = Slots(number=3, gpu=0.0, memory=None, alone=1, cpus_alone=3, memory_alone=None)

Script: TypeAlias = Callable[[Trial, int], float | Failure]
"""What happens in an epoch of a trial: its validation top-1, not a number where it diverges, or how it is lost."""


class Killed(BaseException):
    """The driver is dead: what was written is all there is."""


def planted(trial: Trial, epoch: int) -> float:
    """A top-1 that rises over the epochs; what a candidate is worth is hidden in it, and seeds differ a little."""
    worth = random.Random(candidate_hash(trial.candidate)).uniform(0.3, 0.8) + 0.03 * len(trial.edges)
    luck = random.Random(trial.seed * 1000 + epoch).gauss(0, 0.005)
    return min(1.0, max(0.11, worth * (1 - 0.5**epoch) + luck))


@dataclass(frozen=True, kw_only=True)
class Fates:
    """A script in which some candidates meet other ends than `told` would give them, in shares of all."""

    told: Script = planted
    chance: float = 0.0
    diverged: float = 0.0
    failed: float = 0.0

    def __call__(self, trial: Trial, epoch: int) -> float | Failure:
        drawn = random.Random("fate" + candidate_hash(trial.candidate)).random()
        if drawn < self.chance:
            return 0.1
        if drawn < self.chance + self.diverged:
            return math.nan
        if drawn < self.chance + self.diverged + self.failed:
            return Failure("error", "RuntimeError: it was to fail")
        return self.told(trial, epoch)


def begin(folder: Path, *, space: str | Path, max_trials: int = 20, **settings: Any) -> Path:
    """Create the record of a search in a folder, which also names it; `settings` as `SearchSettings` has them."""
    read = parse_space(*find(str(space)))
    decided = SearchSettings(**{"name": folder.name, "sampler": "random", "seed": 0, **settings})
    budget = Budget(max_trials=max_trials)
    Record.create(
        folder, id=f"id-{folder.name}", settings=decided.plain(), budget=budget.plain(), space=read.text, file=read.file
    ).close()
    return folder


def play(
    folder: Path,
    script: Script = planted,
    *,
    slots: int = 3,
    order: int = 0,
    rungs: Rungs | None = None,
    kill_after: int | None = None,
    interrupt_after: int | None = None,
    before: Callable[[Driver], object] = lambda driver: None,
    on_event: Callable[[History], None] = lambda history: None,
    **budget: float | None,
) -> History:
    """Drive a search until its budget is spent, and return its history.

    Arguments:
        folder: of the search.
        script: how its trials go.
        slots: how many run at once.
        order: seed of the order in which running trials end their epochs.
        rungs: who may stop trials early.
        kill_after: the driver is killed after so many writes.
        interrupt_after: the search is stopped politely after so many writes.
        before: called with the driver before anything runs.
        on_event: called after each write.
        budget: parts of the budget that change.

    """
    writes = 0

    def count(history: History) -> None:
        nonlocal writes
        writes += 1
        on_event(history)
        if writes == kill_after:
            raise Killed

    with driving(folder):
        driver = Driver(folder, count, rungs)
        try:
            before(driver)
            driver.budget = driver.budget.changed(**budget)
            driver.start(SLOTS)
            rng = random.Random(order)
            running: dict[int, int] = {}  # trial → epochs
            while interrupt_after is None or writes < interrupt_after:
                while len(running) < slots and (task := driver.next_task()) is not None:
                    driver.begun(task.number, task.attempt)
                    running[task.number] = task.reported
                if not running:
                    break
                number = rng.choice(list(running))
                running[number] += 1
                if _epoch(driver, number, running[number], script):
                    del running[number]
            driver.stop("finished" if interrupt_after is None or writes < interrupt_after else "interrupted")
        except Killed:
            pass
        finally:
            driver.record.close()
        return driver.history


def _epoch(driver: Driver, number: int, epoch: int, script: Script) -> bool:
    """Tell the driver of an epoch; whether the trial's slot is free after it."""
    trial = driver.history.trials[number]
    architecture = architecture_of(driver.space, trial)
    told = script(trial, epoch)
    if isinstance(told, Failure):
        driver.crashed(number, trial.attempt, told)
        return True
    chance_after = driver.settings.chance_after
    end = None
    if math.isnan(told):
        end = "diverged"
    elif epoch == architecture.train.epochs:
        end = "complete"
    if not math.isnan(told) and chance_after is not None and epoch >= chance_after:
        end = "chance" if told <= 1 / architecture.input.classes else end
    loss = math.nan if math.isnan(told) else 2.3 * (1 - told)
    result = EpochResult(epoch, loss, loss, told, min(1.0, 1.5 * told), 0.25)
    proxies = {"gradient_norm": 1.0 + number / 7} if epoch == 1 else None
    return driver.reported(number, trial.attempt, [TrialReport(result, end, proxies)], {"process": 4711})
