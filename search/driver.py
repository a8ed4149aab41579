"""What drives a search, whoever runs its trials: which trial is next, and what is recorded of it.

The order is always the same: an event is in the record before it is acted on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from search.asks import Asks
from search.history import History, Trial
from search.record import Entry, Record
from search.settings import SearchSettings
from search.task import Task
from space.errors import SpecificationError
from space.model import Architecture
from space.parse import parse_space, to_yaml
from space.space import Space

if TYPE_CHECKING:
    from trainers.loop import EpochResult  # which imports torch, and commands that train nothing shall start at once

ATTEMPTS = 2


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

    """

    def __init__(self, folder: Path, on_event: Callable[[History], None]) -> None:
        self.record = Record(folder)
        self.history = History(self.record.events())
        self.settings = settings_of(self.history)
        self.space = space_of(self.history)
        self.asks = Asks(self.space, self.settings)
        self.on_event = on_event
        self.interrupted: deque[Trial] = deque()

    def start(self, max_trials: int, slots: int) -> None:
        """Begin or go on; trials that were asked and have not ended come before any new one."""
        self.interrupted = deque(self.history.unfinished)
        self._write(Entry("started", payload={"max_trials": max_trials, "slots": slots}))

    @property
    def has_more(self) -> bool:
        """Whether a trial is left to run."""
        return bool(self.interrupted) or len(self.history.trials) < self.history.max_trials

    def next_task(self) -> Task | None:
        """The next trial to run, or None once there are as many as were wanted."""
        while self.has_more:
            trial = self.interrupted.popleft() if self.interrupted else self._ask(len(self.history.trials) + 1)
            if trial.end is None:
                text = to_yaml(architecture_of(self.space, trial))
                return Task(trial.number, trial.attempt + 1, text, self.settings.data_folder)
        return None

    def _ask(self, number: int) -> Trial:
        """Ask for a new trial; one whose parts do not fit together ends at once."""
        ask = self.asks.ask(number, self.history)
        entries = []
        edges: list[str] = []
        parameters = 0
        try:
            _, graph = self.space.fill(ask.proposal.candidate)
            edges = [edge.name for edge in graph.long_range]
            parameters = graph.parameter_count
        except SpecificationError as error:
            entries.append(_failed(number, 0, str(error)))
        seed = self.settings.derived_seed("train", number)
        payload = {**ask.plain(), "seed": seed, "edges": edges, "parameters": parameters}
        self._write(Entry("asked", number, 0, payload), *entries)
        return self.history.trials[number]

    def begun(self, number: int, attempt: int) -> None:
        """A worker has begun an attempt at a trial."""
        self._write(Entry("begun", number, attempt))

    def reported(self, number: int, attempt: int, result: EpochResult, *, last: bool, process: int) -> None:
        """A worker has finished an epoch; after the last one the trial has ended."""
        entries = [Entry("reported", number, attempt, {**asdict(result), "process": process})]
        if last:
            chance = 1 / architecture_of(self.space, self.history.trials[number]).input.classes
            end, objective = ("diverged", chance) if result.diverged else ("complete", result.top1)
            entries.append(Entry("ended", number, attempt, {"end": end, "objective": objective}))
        self._write(*entries)  # at once: a kill in between would have the trial trained again

    def failed(self, number: int, attempt: int, reason: str) -> None:
        """A trial raised."""
        self._write(_failed(number, attempt, reason))

    def worker_died(self, number: int, attempt: int, reason: str) -> None:
        """A trial's worker died: it may have been the machine's fault, so there is another attempt."""
        if attempt >= ATTEMPTS:
            self.failed(number, attempt, reason)
        else:
            self._write(Entry("interrupted", number, attempt))
            self.interrupted.append(self.history.trials[number])

    def stop(self, why: str) -> None:
        """The search ends for now: `finished`, `interrupted` or `failed`; trials under way keep their numbers."""
        running = [trial for trial in self.history.unfinished if trial.running]
        interrupted = (Entry("interrupted", trial.number, trial.attempt) for trial in running)
        self._write(*interrupted, Entry("stopped", payload={"why": why}))

    def _write(self, *entries: Entry) -> None:
        for event in self.record.append(*entries):
            self.history.add(event)
        self.on_event(self.history)


def _failed(number: int, attempt: int, reason: str) -> Entry:
    return Entry("ended", number, attempt, {"end": "failed", "objective": None, "reason": reason})
