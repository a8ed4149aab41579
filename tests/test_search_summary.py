"""Running numbers and edge differences against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from search.history import Trial
from search.summary import edge_effect_rows, edge_share_rows, latest_edge_share_rows, latest_trial_row, trial_rows

EDGES = ("B>A", "C>A", "C>B")


@pytest.fixture(scope="module")
def ended() -> list[Trial]:
    rng = np.random.default_rng(1)
    trials = []
    for number in rng.permutation(160):
        end = str(rng.choice(["complete", "diverged", "failed"], p=[0.8, 0.1, 0.1]))
        objective = {"complete": float(rng.uniform(0.1, 1)), "diverged": 0.1, "failed": None}[end]
        edges = tuple(edge for edge in EDGES[:2] if rng.random() < 0.4)
        trials.append(Trial(int(number) + 1, {}, "prior", 0, edges, 1, end=end, objective=objective))
    return trials


def test_running_numbers_go_over_the_last_fifty_measured(ended: list[Trial]) -> None:
    rows = trial_rows(ended)
    assert [row.number for row in rows] == [trial.number for trial in ended]
    for position in range(1, len(ended) + 1):
        row = rows[position - 1]
        measured = [trial.objective for trial in ended[:position] if trial.end != "failed"]
        complete = [trial.objective for trial in ended[:position] if trial.end == "complete"]
        assert row.position == position
        assert row.best == (max(complete) if complete else None)
        assert row.mean == (pytest.approx(np.mean(measured[-50:])) if measured else None)
        assert row.median == (pytest.approx(np.median(measured[-50:])) if measured else None)
        assert latest_trial_row(ended[:position]) == row
    assert latest_trial_row([]) is None


def test_shares_are_of_the_last_hundred(ended: list[Trial]) -> None:
    rows = edge_share_rows(ended, EDGES)
    assert len(rows) == 3 * (len(ended) - 9)
    for row in rows:
        window = ended[max(0, row.position - 100) : row.position]
        assert row.share == pytest.approx(np.mean([row.edge in trial.edges for trial in window]))
    assert rows[-3:] == latest_edge_share_rows(ended, EDGES)


def test_an_edge_is_worth_the_difference_of_medians(ended: list[Trial]) -> None:
    rows = {row.edge: row for row in edge_effect_rows(ended, EDGES)}
    assert set(rows) == set(EDGES[:2]), "no trial has the third edge, so nothing can be said of it"
    for edge, row in rows.items():
        present = [trial.objective for trial in ended if trial.end != "failed" and edge in trial.edges]
        absent = [trial.objective for trial in ended if trial.end != "failed" and edge not in trial.edges]
        assert row.difference == pytest.approx(np.median(present) - np.median(absent))
        assert (row.trials_with, row.trials_without) == (len(present), len(absent))
