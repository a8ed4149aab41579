"""What drives a search, whoever runs its trials: which trial is next, and what is recorded of it.

The order is always the same: an event is in the record before it is acted on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from search.appraise import appraise
from search.asks import Asks
from search.budget import Budget
from search.failures import Failure, FailureKind
from search.history import History, Trial
from search.record import Entry, Record
from search.settings import SearchSettings
from search.slots import Slots
from search.task import Task
from space.model import Architecture
from space.parse import parse_space, to_yaml
from space.space import Space

if TYPE_CHECKING:
    from search.trial import TrialReport  # which imports torch, and commands that train nothing shall start at once

REPLICATE = "replicate"
# How many attempts may be lost to what may not be the trial's own fault, before it has failed.
FORGIVEN: dict[FailureKind, int] = {"worker_died": 2, "hung": 1, "out_of_memory": 1}
CHECKPOINTS = "checkpoints"


class Rungs(Protocol):
    """Who may stop a trial early."""

    def stops(self, trial: int, epoch: int, value: float) -> bool:
        """Take in a trial's first report of an epoch; whether it stops there. The same reports get the same answers."""


def settings_of(history: History) -> SearchSettings:
    """The settings that a search was created with."""
    return SearchSettings(**history.created["settings"])


def space_of(history: History) -> Space:
    """The space that a search was created on."""
    return parse_space(history.created["space"], history.created["file"])


def architecture_of(space: Space, trial: Trial) -> Architecture:
    """The architecture of a trial, with the seed that it trains from."""
    architecture, _ = space.fill(trial.candidate)
    return replace(architecture, train=replace(architecture.train, seed=trial.seed))


class Driver:
    """The driver of one search.

    Arguments:
        folder: of the search, whose lock is held.
        on_event: called with the search's history after each write.
        rungs: who may stop trials early, told of nothing yet; None for nobody.

    """

    def __init__(self, folder: Path, on_event: Callable[[History], None], rungs: Rungs | None = None) -> None:
        self.record = Record(folder)
        self.checkpoints = folder.resolve() / CHECKPOINTS
        events = self.record.events()
        self.history = History(events)
        self.settings = settings_of(self.history)
        self.space = space_of(self.history)
        self.asks = Asks(self.space, self.settings)
        self.budget = Budget.of(self.history)
        self.rungs = rungs
        self.on_event = on_event
        self.queue: deque[Trial] = deque()
        self.alone: deque[Task] = deque()  # that wait for others
        self.together: deque[Task] = deque()  # that run alone now, one after another or each on a GPU of its own
        self.slots: Slots | None = None
        self.enough: str | None = None
        seen: set[tuple[int, int]] = set()
        for event in events:  # the rungs are as they were
            if event.kind == "reported" and (event.trial, event.payload["epoch"]) not in seen:
                seen.add((event.trial, event.payload["epoch"]))
                self._ask_rungs(self.history.trials[event.trial], event.payload["epoch"], event.payload["top1"])

    def start(self, slots: Slots, asked_slots: int | None = None) -> None:
        """Begin or go on; trials that were asked and have not ended come before any new one.

        Arguments:
            slots: of its trials.
            asked_slots: how many were asked for, to be remembered; None for as many as there should be.

        """
        self.slots = slots
        self.queue = deque(self.history.unfinished)
        self.checkpoints.mkdir(exist_ok=True)
        started = {"budget": self.budget.plain(), "slots": asdict(slots), "asked_slots": asked_slots}
        self._write(Entry("started", payload=started))

    @property
    def has_more(self) -> bool:
        """Whether a trial may be left to run."""
        return bool(self.alone or self.together) or self._has_others

    @property
    def _has_others(self) -> bool:
        if not self.queue and self.enough is None:
            self.enough = self.budget.spent(self.history, time.time())
        return bool(self.queue) or self.enough is None

    def next_task(self) -> Task | None:
        """The next trial to run, or None where there is none: the budget is spent, or nothing new is left.

        One that runs alone has to wait until slots are empty, and these wait for it: such trials are kept back until
        there is one for every GPU, so that they empty the slots once for all of them.
        """
        assert self.slots is not None
        while not self.together and len(self.alone) < self.slots.alone and self._has_others:
            trial = self.queue.popleft() if self.queue else self._ask()
            if trial is None or trial.end is not None or trial.duplicate_of is not None:
                continue
            task = self._task(trial)
            if not task.alone:
                return task
            self.alone.append(task)
        if not self.together:
            self.together, self.alone = self.alone, deque()
        return self.together.popleft() if self.together else None

    def _task(self, trial: Trial) -> Task:
        assert self.slots is not None
        needs_more = self.slots.memory is not None and trial.memory > self.slots.memory
        alone = needs_more or "out_of_memory" in trial.crashes
        of_machine = None if self.slots.gpu else self.slots.memory_alone if alone else self.slots.memory
        return Task(
            number=trial.number,
            attempt=trial.attempt + 1,
            architecture=to_yaml(architecture_of(self.space, trial)),
            data_folder=self.settings.data_folder,
            checkpoint=str(self._checkpoint(trial.number)),
            reported=max(trial.reports, default=0),
            chance_after=self.settings.chance_after,
            patience=60 * self.settings.patience,
            alone=alone,
            memory=of_machine,
        )

    def _ask(self) -> Trial | None:
        """Ask for a new trial; one whose parts do not fit together ends at once, a duplicate when its original does."""
        history = self.history
        number = len(history.trials) + 1
        ask = self.asks.ask(number, history.observed, history.keys, history.duplicates_in_a_row)
        if ask is None:
            self.enough = "nothing new is left in the space"
            return None
        seed = self.settings.derived_seed("train", number)
        entries = [Entry("asked", number, 0, {**ask.plain(), "seed": seed, "replicate_of": None})]
        original = history.trials[ask.duplicate_of] if ask.duplicate_of is not None else None
        if ask.appraisal.problem is not None and original is None:
            entries.append(_failed(number, 0, Failure("unfit", ask.appraisal.problem)))
        if original is not None and original.end is not None:
            entries.append(_told(number, original.objective))
        self._write(*entries)
        return history.trials[number]

    def replicate(self, number: int, times: int) -> list[int]:
        """Ask for a trial again with other seeds.

        Returns:
            The numbers of the new trials.

        """
        original = self.history.trials[number]
        done = sum(trial.replicate_of == number for trial in self.history.trials.values())
        entries = []
        for place in range(times):
            new = len(self.history.trials) + 1 + place
            payload = {
                **appraise(self.space, original.candidate, done + place + 1).plain(),
                "sampler": REPLICATE,
                "candidate": original.candidate,
                "log_prior": original.log_prior,
                "log_propensity": None,
                "duplicate_of": None,
                "replicate_of": number,
                "seed": self.settings.derived_seed("train", new),
            }
            entries.append(Entry("asked", new, 0, payload))
        self._write(*entries)
        return [entry.trial for entry in entries]

    def retry_failed(self, kinds: Collection[str]) -> list[int]:
        """Have every trial tried again that failed in one of these ways.

        Returns:
            Their numbers.

        """
        failed = [trial for trial in self.history.ended if trial.end == "failed" and trial.kind in kinds]
        self._write(*(Entry("retried", trial.number, trial.attempt) for trial in failed))
        return [trial.number for trial in failed]

    def begun(self, number: int, attempt: int) -> None:
        """A worker has begun an attempt at a trial."""
        self._write(Entry("begun", number, attempt))

    def reported(
        self, number: int, attempt: int, reports: Sequence[TrialReport], worker: Mapping[str, str | int]
    ) -> bool:
        """A worker has finished epochs; which one is only noted: its `process`, and the `node` of the cluster.

        Epochs beyond the one that a trial ends with are forgotten.

        Returns:
            Whether the trial has ended with one of them.

        """
        trial = self.history.trials[number]
        entries: list[Entry] = []
        has_ended = False
        for report in reports:
            result = report.result
            payload: dict[str, Any] = {**asdict(result), **worker}
            if report.proxies is not None:
                payload["proxies"] = report.proxies
            entries.append(Entry("reported", number, attempt, payload))
            is_new = result.epoch not in trial.reports
            stops = is_new and self._ask_rungs(trial, result.epoch, result.top1)
            end = report.end or ("stopped" if stops else None)
            if end is not None:
                has_learnt = end in ("complete", "stopped")
                objective = result.top1 if has_learnt else 1 / architecture_of(self.space, trial).input.classes
                entries += self._ends(number, attempt, end, objective)
                has_ended = True
                break
        self._write(*entries)  # at once: a kill in between would have the trial trained again
        if has_ended:
            self._checkpoint(number).unlink(missing_ok=True)
        return has_ended

    def _ask_rungs(self, trial: Trial, epoch: int, top1: float | None) -> bool:
        if self.rungs is None or trial.replicate_of is not None:  # what repeats a trial is measured whole
            return False
        return self.rungs.stops(trial.number, epoch, top1 or 0.0)

    def _ends(self, number: int, attempt: int, end: str, objective: float) -> list[Entry]:
        payload = {"end": end, "objective": objective, "kind": "", "reason": ""}
        return [Entry("ended", number, attempt, payload), *self._told_too(number, objective)]

    def _told_too(self, number: int, objective: float | None) -> list[Entry]:
        waiting = (trial for trial in self.history.duplicates.get(number, ()) if trial.end is None)
        return [_told(trial.number, objective) for trial in waiting]

    def crashed(self, number: int, attempt: int, failure: Failure) -> None:
        """An attempt was lost. Out of memory, it is tried again alone; where the machine may be at fault, anywhere."""
        trial = self.history.trials[number]
        if trial.crashes.count(failure.kind) < FORGIVEN.get(failure.kind, 0):
            self._write(Entry("interrupted", number, attempt, {"kind": failure.kind, "reason": failure.reason}))
            self.queue.append(trial)
            return
        self._write(_failed(number, attempt, failure), *self._told_too(number, None))
        self._checkpoint(number).unlink(missing_ok=True)

    def refused(self, number: int) -> None:
        """A worker would not begin a trial, as it was to be replaced: another one will."""
        self.queue.append(self.history.trials[number])

    def stop(self, status: str) -> None:
        """The search ends for now: `finished`, `interrupted` or `failed`; trials under way keep their numbers."""
        running = [trial for trial in self.history.unfinished if trial.running]
        lost = [Entry("interrupted", trial.number, trial.attempt, {"kind": "", "reason": status}) for trial in running]
        self._write(*lost, Entry("stopped", payload={"status": status, "why": self.enough or ""}))
        # A kill may come between a trial's end and the end of its checkpoint, and a worker may outlive its driver.
        needed = {self._checkpoint(trial.number) for trial in self.history.unfinished}
        for checkpoint in set(self.checkpoints.glob("trial-*.pt*")) - needed:
            checkpoint.unlink(missing_ok=True)

    def _checkpoint(self, number: int) -> Path:
        return self.checkpoints / f"trial-{number}.pt"

    def _write(self, *entries: Entry) -> None:
        for event in self.record.append(*entries):
            self.history.add(event)
        self.on_event(self.history)


def _failed(number: int, attempt: int, failure: Failure) -> Entry:
    payload = {"end": "failed", "objective": None, "kind": failure.kind, "reason": failure.reason}
    return Entry("ended", number, attempt, payload)


def _told(number: int, objective: float | None) -> Entry:
    return Entry("ended", number, 0, {"end": "duplicate", "objective": objective, "kind": "", "reason": ""})
