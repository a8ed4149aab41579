"""How a search stands, as plain data: what `striate status` shows and prints as JSON."""

from __future__ import annotations

import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from search.budget import HOUR, Budget
from search.driver import settings_of
from search.history import ENDS, History
from search.mirror_process import is_mirrored, lag, why_behind
from search.record import is_driven
from search.summary import edge_effect_rows, latest_trial_row, share_at_chance, trials_per_hour


def standing(folder: Path, now: float) -> dict[str, Any]:
    """How the search in a folder stands.

    Arguments:
        folder: of the search.
        now: seconds since 1970.

    Raises:
        RecordError: there is no record, or it cannot be read.

    """
    history = History.read(folder)
    driven = is_driven(folder)
    last = latest_trial_row(history)
    settings = settings_of(history)
    budget = Budget.of(history)
    return {
        "name": settings.name,
        "status": "killed" if history.status == "running" and not driven else history.status,
        "why": history.why or None,
        "driven": driven,
        "sampler": settings.sampler,
        "seed": settings.seed,
        "trials": budget.max_trials,
        "ended": history.ended_counted,
        **{end: history.count(end) for end in ENDS},
        "duplicates_avoided": history.avoided,
        "best_trial": history.best.number if history.best else None,
        "best_top1": last.best if last else None,
        "best_replicates": _replicates_of_best(history),
        "median_last_50": last.median if last else None,
        "mean_last_50": last.mean if last else None,
        "share_at_chance_last_50": share_at_chance(history),
        "trials_per_hour": trials_per_hour(history),
        "budget": budget.plain(),
        "spent": {
            "trials": history.counted,
            "hours": history.driven_seconds(now if driven else history.last_at) / HOUR,
            "worker_hours": history.trained_seconds / HOUR,
        },
        "running": [
            {"trial": trial.number, "attempt": trial.attempt, "epochs": len(trial.reports)}
            for trial in history.unfinished
            if trial.running and driven
        ],
        "failures": _failures(history),
        "mirror": {"events_behind": lag(folder), "why": why_behind(folder), "at_work": is_mirrored(folder)},
        "edges": [
            {"edge": row.edge, "difference": row.difference, "with": row.trials_with, "without": row.trials_without}
            for row in edge_effect_rows(history, history.edges)
        ],
    }


def replicates(history: History, number: int) -> list[float]:
    """The top-1 of each trial that repeats a trial and is complete."""
    repeated = (each for each in history.ended if each.replicate_of == number and each.end == "complete")
    return [each.objective for each in repeated if each.objective is not None]


def _replicates_of_best(history: History) -> dict[str, Any] | None:
    """Mean and standard deviation of what repeats the best trial, without it: it was chosen for its luck, too."""
    if history.best is None or not (values := replicates(history, history.best.number)):
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"replicates": len(values), "mean": statistics.fmean(values), "sd": deviation}


def _failures(history: History) -> list[dict[str, Any]]:
    """The failures by kind, the most frequent first, each with its most frequent reason."""
    failed = [trial for trial in history.ended if trial.end == "failed"]
    kinds = Counter(trial.kind for trial in failed)
    reasons = {kind: Counter(trial.reason for trial in failed if trial.kind == kind) for kind in kinds}
    return [
        {"kind": kind, "times": times, "reason": reasons[kind].most_common(1)[0][0]}
        for kind, times in kinds.most_common()
    ]
