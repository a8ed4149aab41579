"""A search's history as the tidy rows that figures, metrics and tables are made of.

Running numbers go over the trials in the order in which they ended; a diverged trial counts with the chance level, a
failed one not at all.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from dashboards.rows import EdgeEffectRow, EdgeShareRow, TrialRow
from search.history import Trial

TRIAL_WINDOW = 50  # as in figure 3b of Nayebi et al. 2018
EDGE_WINDOW = 100  # as in figure 4b
FEWEST_FOR_SHARE = 10
FEWEST_FOR_EFFECT = 3


def trial_rows(ended: Sequence[Trial]) -> list[TrialRow]:
    """One row for each ended trial, in the order of their ends, with the running numbers up to it."""
    rows = []
    measured: list[float] = []
    best: float | None = None
    for position, trial in enumerate(ended, start=1):
        assert trial.end is not None
        if trial.objective is not None:
            measured.append(trial.objective)
        if trial.end == "complete" and trial.objective is not None:
            best = max(best or 0.0, trial.objective)
        window = measured[-TRIAL_WINDOW:]
        mean = statistics.fmean(window) if window else None
        median = statistics.median(window) if window else None
        rows.append(TrialRow(position, trial.number, trial.end, trial.objective, best, mean, median))
    return rows


def edge_share_rows(ended: Sequence[Trial], edges: Sequence[str]) -> list[EdgeShareRow]:
    """For each edge, its share among the last 100 trials at each end, once there are a few."""
    rows = []
    for position in range(FEWEST_FOR_SHARE, len(ended) + 1):
        window = ended[max(0, position - EDGE_WINDOW) : position]
        for edge in edges:
            share = sum(edge in trial.edges for trial in window) / len(window)
            rows.append(EdgeShareRow(edge, position, share))
    return rows


def edge_effect_rows(ended: Sequence[Trial], edges: Sequence[str]) -> list[EdgeEffectRow]:
    """For each edge, the median with it minus the median without it, where a few trials have it and a few have not."""
    rows = []
    for edge in edges:
        with_edge = [trial.objective for trial in ended if trial.objective is not None and edge in trial.edges]
        without = [trial.objective for trial in ended if trial.objective is not None and edge not in trial.edges]
        if min(len(with_edge), len(without)) >= FEWEST_FOR_EFFECT:
            difference = statistics.median(with_edge) - statistics.median(without)
            rows.append(EdgeEffectRow(edge, difference, len(with_edge), len(without)))
    return rows
