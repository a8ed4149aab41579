"""What the events of a record amount to: the trials of a search and how they ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.record import Event, Record
from space.space import Candidate

ENDS = ("complete", "diverged", "failed")


@dataclass(slots=True)
class Trial:
    """One trial, as far as it got.

    Arguments:
        number: from 1, in the order of the asks.
        candidate: its decisions.
        sampler: who proposed it; `prior` for an unranked draw.
        seed: of its training.
        edges: names of the feedback edges that its architecture has.
        parameters: how many its architecture has.
        attempt: the current or last attempt, 0 before the first.
        reports: epoch → the numbers of the last attempt that reached it, and `at`, when they came.
        end: one of `ENDS`, or None while it has not ended.
        objective: what the sampler is told: validation top-1, for a diverged trial the chance level; None if failed.
        reason: of a failure.
        begun_at: when its last attempt began, seconds since 1970.
        ended_at: when it ended.

    """

    number: int
    candidate: Candidate
    sampler: str
    seed: int
    edges: tuple[str, ...]
    parameters: int
    attempt: int = 0
    reports: dict[int, dict[str, Any]] = field(default_factory=dict)
    end: str | None = None
    objective: float | None = None
    reason: str = ""
    begun_at: float = 0.0
    ended_at: float = 0.0
    running: bool = False


class History:
    """The state of a search, folded from its events one by one."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.created: dict[str, Any] = {}
        self.started: dict[str, Any] = {}
        self.status = "created"
        self.trials: dict[int, Trial] = {}
        self.ended: list[Trial] = []
        for event in events:
            self.add(event)

    @classmethod
    def read(cls, folder: Path) -> History:
        """The state of the search in a folder, which is not changed.

        Raises:
            RecordError: there is no record, or it cannot be read.

        """
        record = Record(folder, read_only=True)
        history = cls(record.events())
        record.close()
        return history

    @property
    def edges(self) -> list[str]:
        """Every feedback edge that a trial's architecture has."""
        return sorted({edge for trial in self.trials.values() for edge in trial.edges})

    def count(self, end: str) -> int:
        """How many trials ended so."""
        return sum(trial.end == end for trial in self.ended)

    def add(self, event: Event) -> None:
        """Take in the next event."""
        payload = event.payload
        trial = self.trials.get(event.trial)
        match event.kind:
            case "created":
                self.created = payload
            case "started":
                self.started = payload
                self.status = "running"
            case "stopped":
                self.status = payload["why"]
            case "asked":
                self.trials[event.trial] = Trial(
                    event.trial,
                    payload["candidate"],
                    payload["sampler"],
                    payload["seed"],
                    tuple(payload["edges"]),
                    payload["parameters"],
                )
            case "begun" if trial:
                trial.attempt = event.attempt
                trial.begun_at = event.at
                trial.running = True
            case "reported" if trial:
                trial.reports[payload["epoch"]] = {**payload, "at": event.at}
            case "interrupted" if trial:
                trial.running = False
            case "ended" if trial:
                trial.end = payload["end"]
                trial.objective = payload["objective"]
                trial.reason = payload.get("reason", "")
                trial.ended_at = event.at
                trial.running = False
                self.ended.append(trial)

    @property
    def max_trials(self) -> int:
        """How many trials the search shall have in all."""
        return int(self.started.get("max_trials", self.created["max_trials"]))

    @property
    def unfinished(self) -> list[Trial]:
        """Trials that were asked and have not ended, in the order of their numbers."""
        return [trial for trial in self.trials.values() if trial.end is None]

    @property
    def best(self) -> Trial | None:
        """The trial with the highest objective; the earlier one of equals. None while none is complete."""
        complete = [trial for trial in self.ended if trial.end == "complete" and trial.objective is not None]
        return max(complete, key=lambda trial: trial.objective or 0.0, default=None)
