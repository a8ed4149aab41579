"""What the events of a record amount to: the trials of a search and how they ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.record import Event, Record
from search.samplers.sampler import Observation, Observed
from space.space import Candidate

ENDS = ("complete", "stopped", "chance", "diverged", "failed", "duplicate")
LOST = ("chance", "diverged")  # told chance level


@dataclass(slots=True, kw_only=True)
class Trial:
    """One trial, as far as it got.

    Arguments:
        number: from 1, in the order of the asks.
        candidate: its decisions.
        sampler: who proposed it; `prior` for an unranked draw, `replicate` for what repeats another trial.
        seed: of its training.
        edges: names of the feedback edges that its architecture has.
        parameters: how many its architecture has.
        multiply_adds: of its architecture, for one image, of what its answer depends on.
        memory: predicted bytes of its training, with a batch of its size.
        key: hash of what it measures; trials of one key differ by chance alone.
        log_prior: of its decisions.
        log_propensity: of this ask giving it, where that can be stated.
        duplicate_of: the trial whose end it is told instead of being trained, or None.
        replicate_of: the trial that it repeats with another seed, or None.
        proxies: what its network tells untrained, by name.
        attempt: the current or last attempt, 0 before the first.
        crashes: kinds of failure that attempts were lost to, and that another attempt followed.
        reports: epoch → the numbers of the last attempt that reached it, and `at`, when they came.
        end: one of `ENDS`, or None while it has not ended.
        objective: what the sampler is told: validation top-1, chance level for one that learnt nothing, None if failed.
        kind: of a failure.
        reason: of a failure.
        begun_at: when its last attempt began, seconds since 1970.
        ended_at: when it ended.
        running: whether an attempt is under way.

    """

    number: int
    candidate: Candidate
    sampler: str = "prior"
    seed: int = 0
    edges: tuple[str, ...] = ()
    parameters: int = 0
    multiply_adds: int = 0
    memory: int = 0
    key: str = ""
    log_prior: float | None = None
    log_propensity: float | None = None
    duplicate_of: int | None = None
    replicate_of: int | None = None
    proxies: dict[str, float | None] = field(default_factory=dict)
    attempt: int = 0
    crashes: list[str] = field(default_factory=list)
    reports: dict[int, dict[str, Any]] = field(default_factory=dict)
    end: str | None = None
    objective: float | None = None
    kind: str = ""
    reason: str = ""
    begun_at: float = 0.0
    ended_at: float = 0.0
    running: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether it is one of the trials that a search is asked for, and not a copy or a repetition of one."""
        return self.duplicate_of is None and self.replicate_of is None

    @property
    def stopped_after(self) -> int | None:
        """Epochs after which a scheduler stopped it; None where it was not stopped."""
        return max(self.reports) if self.end == "stopped" else None


class History:
    """The state of a search, folded from its events one by one; each costs the same, however many went before.

    Arguments:
        events: to begin with.

    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.created: dict[str, Any] = {}
        self.started: dict[str, Any] = {}
        self.status = "created"
        self.why = ""
        self.trials: dict[int, Trial] = {}
        self.ended: list[Trial] = []
        self.measured: list[Trial] = []
        self.observed = Observed()
        self.keys: dict[str, int] = {}
        self.duplicates: dict[int, list[Trial]] = {}
        self.open: dict[int, Trial] = {}
        self.counted = 0
        self.avoided = 0
        self.duplicates_in_a_row = 0
        self.trained_seconds = 0.0
        self.best: Trial | None = None
        self._driven_before = 0.0
        self._driven_from: float | None = None
        self.last_at = 0.0
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

    @property
    def unfinished(self) -> list[Trial]:
        """Trials to be trained that have not ended, in the order of their numbers."""
        return [trial for trial in self.open.values() if trial.duplicate_of is None]

    @property
    def ended_counted(self) -> int:
        """How many of the trials that the search was asked for have ended."""
        return self.counted - sum(trial.is_counted for trial in self.open.values())

    def count(self, end: str) -> int:
        """How many trials ended so."""
        return sum(trial.end == end for trial in self.ended)

    def driven_seconds(self, now: float) -> float:
        """For how long the search has been driven in all; what a kill cut off counts up to its last event."""
        current = 0.0 if self._driven_from is None else now - self._driven_from
        return self._driven_before + current

    def add(self, event: Event) -> None:
        """Take in the next event."""
        match event.kind:
            case "created":
                self.created = event.payload
            case "started":
                if self._driven_from is not None:  # it was killed
                    self._driven_before += self.last_at - self._driven_from
                self._driven_from = event.at
                self.started = event.payload
                self.status, self.why = "running", ""
                self._rest()
            case "stopped":
                if self._driven_from is not None:
                    self._driven_before += event.at - self._driven_from
                self._driven_from = None
                self.status, self.why = event.payload["status"], event.payload["why"]
                self._rest()
            case "asked":
                self._ask(event)
            case _:
                self._follow(self.trials[event.trial], event)
        self.last_at = event.at

    def _rest(self) -> None:
        """No attempt is under way."""
        for trial in self.open.values():
            trial.running = False

    def _ask(self, event: Event) -> None:
        trial = Trial(number=event.trial, **{**event.payload, "edges": tuple(event.payload["edges"])})
        self.trials[trial.number] = self.open[trial.number] = trial
        self.keys.setdefault(trial.key, trial.number)
        self.counted += trial.is_counted
        self.avoided += trial.duplicate_of is not None
        if trial.duplicate_of is not None:
            self.duplicates.setdefault(trial.duplicate_of, []).append(trial)
        if trial.replicate_of is None:
            self.duplicates_in_a_row = self.duplicates_in_a_row + 1 if trial.duplicate_of is not None else 0
            self.observed.add(_observation(trial))

    def _follow(self, trial: Trial, event: Event) -> None:
        payload = event.payload
        match event.kind:
            case "begun":
                trial.attempt = event.attempt
                trial.begun_at = event.at
                trial.running = True
            case "reported":
                trial.reports[payload["epoch"]] = {**payload, "at": event.at}
                trial.proxies = payload.get("proxies") or trial.proxies
                self.trained_seconds += payload["seconds"]
            case "interrupted":
                trial.running = False
                if payload["kind"]:
                    trial.crashes.append(payload["kind"])
            case "ended":
                self._end(trial, event)
            case "retried":
                trial.crashes.clear()
                for each in (trial, *self.duplicates.get(trial.number, ())):  # that are to be told its new end
                    if each.end is not None:
                        self._reopen(each)

    def _reopen(self, trial: Trial) -> None:
        trial.end, trial.kind, trial.reason = None, "", ""
        self.ended.remove(trial)
        self.open[trial.number] = trial
        if trial.replicate_of is None:
            self.observed.add(_observation(trial))

    def _end(self, trial: Trial, event: Event) -> None:
        payload = event.payload
        trial.end = payload["end"]
        trial.objective = payload["objective"]
        trial.kind, trial.reason = payload["kind"], payload["reason"]
        trial.ended_at = event.at
        trial.running = False
        del self.open[trial.number]
        self.ended.append(trial)
        if trial.replicate_of is not None:
            return
        if trial.objective is None:
            self.observed.forget(trial.number)
        else:
            original = self.trials[trial.duplicate_of] if trial.duplicate_of is not None else trial
            self.observed.add(_observation(trial, original))
        if trial.is_counted and trial.objective is not None:
            self.measured.append(trial)
            if trial.end == "complete" and (self.best is None or trial.objective > (self.best.objective or 0.0)):
                self.best = trial


def _observation(trial: Trial, original: Trial | None = None) -> Observation:
    """What a sampler is shown of a trial; `original` is the trial whose end it was told, once there is one."""
    return Observation(
        number=trial.number,
        candidate=trial.candidate,
        objective=trial.objective,
        stopped_after=original.stopped_after if original else None,
        is_lost=original.end in LOST if original else False,
        duplicate_of=trial.duplicate_of,
        parameters=trial.parameters,
        multiply_adds=trial.multiply_adds,
    )
