"""A search's history as the tidy rows that figures, metrics and tables are made of.

Running numbers go over the trials in the order in which they ended; a diverged trial counts with the chance level, a
failed one not at all.
"""

from __future__ import annotations

import statistics
from collections import Counter, deque
from collections.abc import Collection, Sequence

from dashboards.rows import EdgeEffectRow, EdgeShareRow, TrialRow
from search.history import Trial

TRIAL_WINDOW = 50  # as in figure 3b of Nayebi et al. 2018
EDGE_WINDOW = 100  # as in figure 4b
FEWEST_FOR_SHARE = 10
FEWEST_FOR_EFFECT = 3


def trial_rows(ended: Sequence[Trial]) -> list[TrialRow]:
    """One row for each ended trial, in the order of their ends, with the running numbers up to it."""
    rows = []
    window: deque[float] = deque(maxlen=TRIAL_WINDOW)
    best: float | None = None
    for position, trial in enumerate(ended, start=1):
        if trial.objective is not None:
            window.append(trial.objective)
        if trial.end == "complete" and trial.objective is not None:
            best = max(best or 0.0, trial.objective)
        rows.append(_row(position, trial, best, window))
    return rows


def latest_trial_row(ended: Sequence[Trial]) -> TrialRow | None:
    """The last of `trial_rows`, without making the others."""
    if not ended:
        return None
    window = [trial.objective for trial in ended if trial.objective is not None][-TRIAL_WINDOW:]
    completes = (trial.objective for trial in ended if trial.end == "complete" and trial.objective is not None)
    return _row(len(ended), ended[-1], max(completes, default=None), window)


def _row(position: int, trial: Trial, best: float | None, window: Collection[float]) -> TrialRow:
    assert trial.end is not None
    mean = statistics.fmean(window) if window else None
    median = statistics.median(window) if window else None
    return TrialRow(position, trial.number, trial.end, trial.objective, best, mean, median)


def edge_share_rows(ended: Sequence[Trial], edges: Sequence[str]) -> list[EdgeShareRow]:
    """For each edge, its share among the last 100 trials at each end, once there are a few."""
    positions = range(1, len(ended) + 1)
    return [row for position in positions for row in latest_edge_share_rows(ended[:position], edges)]


def latest_edge_share_rows(ended: Sequence[Trial], edges: Sequence[str]) -> list[EdgeShareRow]:
    """The last of `edge_share_rows`, one for each edge, without making the others."""
    if len(ended) < FEWEST_FOR_SHARE:
        return []
    window = ended[-EDGE_WINDOW:]
    counts = Counter(edge for trial in window for edge in trial.edges)
    return [EdgeShareRow(edge, len(ended), counts[edge] / len(window)) for edge in edges]


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
