"""A search's history as the tidy rows that figures, metrics and tables are made of.

Running numbers go over the measured trials in the order in which they ended: without duplicates, replicates and
failures. One that learnt nothing counts with chance level. One that a scheduler stopped is censored: it would have
ended below, so a median counts it as below every other, and says nothing where it would have to name such a value; a
mean leaves it out.
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence

from dashboards.rows import EdgeEffectRow, EdgeShareRow, TrialRow
from search.history import LOST, History, Trial

HOUR = 3600.0
TRIAL_WINDOW = 50  # as in figure 3b of Nayebi et al. 2018
EDGE_WINDOW = 100  # as in figure 4b
FEWEST_FOR_SHARE = 10
FEWEST_FOR_EFFECT = 3


def censored_median(trials: Iterable[Trial]) -> float | None:
    """The median of the objectives; None where there is none, or where it is that of a stopped trial."""
    ranked = sorted(-1.0 if trial.end == "stopped" else trial.objective or 0.0 for trial in trials)
    middle = ranked[(len(ranked) - 1) // 2 : len(ranked) // 2 + 1]
    return statistics.fmean(middle) if middle and middle[0] >= 0 else None


def uncensored_mean(trials: Iterable[Trial]) -> float | None:
    """The mean objective of the trials that were not stopped; None where there is none."""
    values = [trial.objective for trial in trials if trial.end != "stopped" and trial.objective is not None]
    return statistics.fmean(values) if values else None


def trial_rows(history: History) -> list[TrialRow]:
    """One row for each ended trial but duplicates and replicates, in the order of their ends, with the running numbers.

    They are those that were shown when it ended.
    """
    rows = []
    window: deque[Trial] = deque(maxlen=TRIAL_WINDOW)
    best: float | None = None
    counted = (trial for trial in history.ended if trial.is_counted)
    for position, trial in enumerate(counted, start=1):
        if trial.objective is not None:
            window.append(trial)
        if trial.end == "complete" and trial.objective is not None:
            best = max(best or 0.0, trial.objective)
        rows.append(_row(position, trial, best, window))
    return rows


def latest_trial_row(history: History) -> TrialRow | None:
    """The last of `trial_rows`, without making the others."""
    last = next((trial for trial in reversed(history.ended) if trial.is_counted), None)
    if last is None:
        return None
    best = history.best.objective if history.best else None
    return _row(history.ended_counted, last, best, history.measured[-TRIAL_WINDOW:])


def _row(position: int, trial: Trial, best: float | None, window: Collection[Trial]) -> TrialRow:
    assert trial.end is not None
    mean, median = uncensored_mean(window), censored_median(window)
    return TrialRow(position, trial.number, trial.end, trial.objective, best, mean, median)


def share_at_chance(history: History) -> float | None:
    """Of the last 50 measured trials, the share that learnt nothing or diverged; None where there is none."""
    window = history.measured[-TRIAL_WINDOW:]
    return sum(trial.end in LOST for trial in window) / len(window) if window else None


def share_avoided(history: History) -> float | None:
    """Of all asks but replicates, the share that gave what was known, and trained nothing; None before the first."""
    asks = history.counted + history.avoided
    return history.avoided / asks if asks else None


def trials_per_hour(history: History) -> float | None:
    """How fast trials ended in the hour before the last end, or since that hour's first began; None before any end.

    Duplicates are not counted: they cost nothing. Time in which the search was not driven does not slow it.
    """
    trained = (trial for trial in reversed(history.ended) if trial.duplicate_of is None)
    last = next(trained, None)
    if last is None:
        return None
    hour = [last, *itertools.takewhile(lambda trial: trial.ended_at > last.ended_at - HOUR, trained)]
    since = max(last.ended_at - HOUR, min(trial.begun_at or trial.ended_at for trial in hour))
    return HOUR * len(hour) / (last.ended_at - since) if last.ended_at > since else None


def edge_share_rows(history: History, edges: Sequence[str]) -> list[EdgeShareRow]:
    """For each edge, its share among the last 100 measured trials at each end, once there are a few."""
    rows = []
    window: deque[Trial] = deque(maxlen=EDGE_WINDOW)
    for position, trial in enumerate(history.measured, start=1):
        window.append(trial)
        rows += _shares(window, edges, position)
    return rows


def latest_edge_share_rows(history: History, edges: Sequence[str]) -> list[EdgeShareRow]:
    """The last of `edge_share_rows`, one for each edge, without making the others."""
    return _shares(history.measured[-EDGE_WINDOW:], edges, len(history.measured))


def _shares(window: Collection[Trial], edges: Sequence[str], position: int) -> list[EdgeShareRow]:
    if position < FEWEST_FOR_SHARE:
        return []
    counts = Counter(edge for trial in window for edge in trial.edges)
    return [EdgeShareRow(edge, position, counts[edge] / len(window)) for edge in edges]


def edge_effect_rows(history: History, edges: Sequence[str]) -> list[EdgeEffectRow]:
    """For each edge, the median with it minus the median without it, where both can be told from a few trials."""
    rows = []
    for edge in edges:
        with_edge = [trial for trial in history.measured if edge in trial.edges]
        without = [trial for trial in history.measured if edge not in trial.edges]
        medians = censored_median(with_edge), censored_median(without)
        if min(len(with_edge), len(without)) >= FEWEST_FOR_EFFECT and None not in medians:
            difference = (medians[0] or 0.0) - (medians[1] or 0.0)
            rows.append(EdgeEffectRow(edge, difference, len(with_edge), len(without)))
    return rows
