"""A recorded search of 310 trials, killed twice on the way: it is whole, and the page of results says what is in it."""

from __future__ import annotations

import gzip
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from search.driver import space_of
from search.history import History
from search.record import FILE, Event, Record
from search.summary import edge_effect_rows, edge_share_rows, share_avoided, trial_rows

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "results.md").read_text()


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    folder = tmp_path_factory.mktemp("fashion-small")
    (folder / FILE).write_bytes(gzip.decompress((ROOT / "tests" / "data" / "fashion-small.sqlite.gz").read_bytes()))
    return Record(folder).events()


@pytest.fixture(scope="module")
def history(events: list[Event]) -> History:
    return History(events)


def test_nothing_was_lost_or_trained_twice_by_two_kills(events: list[Event], history: History) -> None:
    kinds = Counter(event.kind for event in events)
    assert kinds["started"] == 3
    assert kinds["stopped"] == 1, "nobody was there to say that it was killed"
    reported = Counter((event.trial, event.payload["epoch"]) for event in events if event.kind == "reported")
    assert max(reported.values()) == 1
    ended = Counter(event.trial for event in events if event.kind == "ended")
    assert max(ended.values()) == 1
    assert set(ended) == set(history.trials) == set(range(1, 313))
    again = [trial for trial in history.trials.values() if trial.attempt > 1]
    assert 2 <= len(again) <= 4, "those that were under way when it was killed, in two slots"
    assert all(sorted(trial.reports) == [1, 2, 3, 4, 5] for trial in again if trial.end == "complete")
    assert all(set(trial.proxies) == {"gradient_norm", "synflow"} for trial in history.measured)


def test_equal_trials_are_told_what_the_first_found(history: History) -> None:
    keys = Counter(trial.key for trial in history.trials.values() if trial.duplicate_of is None)
    assert max(keys.values()) == 1
    for trial in history.trials.values():
        if trial.duplicate_of is not None:
            original = history.trials[trial.duplicate_of]
            assert (trial.end, trial.key, trial.objective) == ("duplicate", original.key, original.objective)
            assert not trial.reports


def test_the_page_says_what_the_record_says(history: History) -> None:
    rows = trial_rows(history)
    last = rows[-1]
    first = statistics.median(trial.objective or 0.0 for trial in history.measured[:50])
    best = history.best
    assert best is not None
    avoided = f"{history.avoided} of {len(history.trials)} asks ({100 * share_avoided(history):.1f} %)"
    for shown in (
        f"| duplicates avoided | {avoided} |",
        f"| complete / at chance | {history.count('complete')} / {history.count('chance')} |",
        f"| best top-1 | {last.best:.4f} (trial {best.number}, {best.parameters:,} parameters) |",
        f"| median of the last 50 | {last.median:.4f} |",
        f"| mean of the last 50 | {last.mean:.4f} |",
        f"| median of the first 50 | {first:.4f} |",
    ):
        assert shown in PAGE
    assert last.median is not None and last.median > 0.5, "well above chance"
    for row in edge_effect_rows(history, space_of(history).edges):
        difference = f"{row.difference:+.4f}".replace("-", "−")
        assert f"| {row.edge} | {difference} | {row.trials_with} | {row.trials_without} |" in PAGE


def test_the_figures_rows_are_those_of_brute_force(history: History) -> None:
    edges = space_of(history).edges
    assert len(edges) == 6
    objectives = np.array([trial.objective for trial in history.measured])
    has = np.array([[edge in trial.edges for edge in edges] for trial in history.measured])
    for row in edge_effect_rows(history, edges):
        column = has[:, edges.index(row.edge)]
        assert row.difference == pytest.approx(np.median(objectives[column]) - np.median(objectives[~column]))
    for row in edge_share_rows(history, edges):
        window = has[max(0, row.position - 100) : row.position, edges.index(row.edge)]
        assert row.share == pytest.approx(window.mean())
    complete = np.array([trial.objective if trial.end == "complete" else 0.0 for trial in history.measured])
    for place, row in enumerate(trial_rows(history)):
        assert row.best == pytest.approx(complete[: place + 1].max())
        assert row.median == pytest.approx(np.median(objectives[max(0, place - 49) : place + 1]))
