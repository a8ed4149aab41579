"""Running numbers, rates and edge differences against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from search.history import History
from search.record import Event
from search.summary import (
    edge_effect_rows,
    edge_share_rows,
    latest_edge_share_rows,
    latest_trial_row,
    share_at_chance,
    share_avoided,
    trial_rows,
    trials_per_hour,
)

EDGES = ("B>A", "C>A", "C>B")
ENDS = ["complete", "stopped", "chance", "diverged", "failed", "duplicate"]
SHARES = [0.5, 0.2, 0.05, 0.1, 0.05, 0.1]
TRIALS = 200


def asked(number: int, edges: list[str], duplicate_of: int | None, replicate_of: int | None) -> dict[str, object]:
    known = {"candidate": {}, "sampler": "prior", "seed": 0, "edges": edges, "parameters": 1, "key": str(number)}
    return {**known, "duplicate_of": duplicate_of, "replicate_of": replicate_of}


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """Trials of every end, two at a time: one begins when the last but one has ended."""
    rng = np.random.default_rng(1)
    events: list[Event] = []

    def add(at: float, kind: str, trial: int, payload: dict[str, object]) -> None:
        events.append(Event(len(events) + 1, at, kind, trial, 1, payload))

    begun: list[tuple[int, str]] = []
    at = 1e9
    for number in range(1, TRIALS + 1):
        end = str(rng.choice(ENDS, p=SHARES)) if number > 2 else "complete"
        replicate_of = 1 if end != "duplicate" and rng.random() < 0.1 and number > 2 else None
        edges = [edge for edge in EDGES[:2] if rng.random() < 0.4]
        add(at, "asked", number, asked(number, edges, 1 if end == "duplicate" else None, replicate_of))
        if end == "duplicate":
            add(at, "ended", number, {"end": end, "objective": 0.5, "kind": "", "reason": ""})
            continue
        add(at, "begun", number, {})
        begun.append((number, end))
        if len(begun) == 2:
            at += float(rng.exponential(400)) + 1
            ended, its = begun.pop(int(rng.integers(2)))
            add(at, "reported", ended, {"epoch": 1, "top1": 0.5, "seconds": 1.0})
            told = {"failed": None, "chance": 0.1, "diverged": 0.1}.get(its, float(rng.uniform(0.1, 1)))
            add(at, "ended", ended, {"end": its, "objective": told, "kind": "", "reason": ""})
    return events


@pytest.fixture(scope="module")
def history(events: list[Event]) -> History:
    return History(events)


def censored(values: list[tuple[str, float]]) -> float | None:
    """The median with those that were stopped below all others; None where it is that of one of those."""
    median = float(np.median([-np.inf if end == "stopped" else value for end, value in values])) if values else -np.inf
    return median if np.isfinite(median) else None


def test_running_numbers_go_over_the_last_fifty_measured(history: History) -> None:
    rows = trial_rows(history)
    ended = [trial for trial in history.ended if trial.duplicate_of is None and trial.replicate_of is None]
    assert [row.number for row in rows] == [trial.number for trial in ended]
    for position, row in enumerate(rows, start=1):
        measured = [(str(trial.end), trial.objective) for trial in ended[:position] if trial.objective is not None]
        complete = [value for end, value in measured if end == "complete"]
        whole = [value for end, value in measured[-50:] if end != "stopped"]
        assert row.position == position
        assert row.best == (max(complete) if complete else None)
        assert row.mean == (pytest.approx(np.mean(whole)) if whole else None)
        assert row.median == (pytest.approx(expected) if (expected := censored(measured[-50:])) is not None else None)


def test_the_latest_row_is_the_last_of_all(events: list[Event]) -> None:
    history = History()
    assert latest_trial_row(history) is None
    for event in events:
        history.add(event)
        rows = trial_rows(history)
        assert latest_trial_row(history) == (rows[-1] if rows else None)


def test_shares_are_of_the_last_hundred(history: History) -> None:
    rows = edge_share_rows(history, EDGES)
    measured = [trial for trial in history.ended if trial.is_counted and trial.objective is not None]
    assert len(rows) == 3 * (len(measured) - 9)
    for row in rows:
        window = measured[max(0, row.position - 100) : row.position]
        assert row.share == pytest.approx(np.mean([row.edge in trial.edges for trial in window]))
    assert rows[-3:] == latest_edge_share_rows(history, EDGES)


def test_an_edge_is_worth_the_difference_of_medians(history: History) -> None:
    rows = {row.edge: row for row in edge_effect_rows(history, EDGES)}
    assert set(rows) == set(EDGES[:2]), "no trial has the third edge, so nothing can be said of it"
    measured = [trial for trial in history.ended if trial.is_counted and trial.objective is not None]
    for edge, row in rows.items():
        halves: list[list[tuple[str, float]]] = [[], []]
        for trial in measured:
            halves[edge in trial.edges].append((str(trial.end), trial.objective or 0.0))
        without, present = (censored(half) for half in halves)
        assert without is not None and present is not None
        assert row.difference == pytest.approx(present - without)
        assert (row.trials_with, row.trials_without) == (len(halves[1]), len(halves[0]))


def test_chance_and_duplicates_are_shares_of_what_they_say(history: History) -> None:
    last = [trial.end for trial in history.ended if trial.is_counted and trial.objective is not None][-50:]
    assert share_at_chance(history) == pytest.approx(np.mean([end in ("chance", "diverged") for end in last]))
    asks = [trial for trial in history.trials.values() if trial.replicate_of is None]
    assert share_avoided(history) == pytest.approx(np.mean([trial.duplicate_of is not None for trial in asks]))
    assert (share_at_chance(History()), share_avoided(History())) == (None, None)


def test_the_rate_is_that_of_the_last_hour(events: list[Event]) -> None:
    history = History()
    assert trials_per_hour(history) is None
    for event in events:
        history.add(event)
        trained = [trial for trial in history.ended if trial.duplicate_of is None]
        if event.kind == "ended" and trained:
            last = trained[-1].ended_at
            within = [trial for trial in trained if trial.ended_at > last - 3600]
            since = max(last - 3600, min(trial.begun_at for trial in within))
            assert trials_per_hour(history) == pytest.approx(3600 * len(within) / (last - since))


def test_a_rest_does_not_slow_the_rate() -> None:
    history = History()
    at = 0.0
    for number in range(1, 21):
        at += 86_400 if number == 11 else 0
        history.add(Event(3 * number, at, "asked", number, 0, asked(number, [], None, None)))
        history.add(Event(3 * number + 1, at, "begun", number, 1, {}))
        at += 60
        ended = {"end": "complete", "objective": 0.5, "kind": "", "reason": ""}
        history.add(Event(3 * number + 2, at, "ended", number, 1, ended))
    assert trials_per_hour(history) == pytest.approx(60)
