"""What MLflow is told of a search and its trials, as plain data.

A duplicate trains nothing, so it gets no run: the search's own run counts how many were avoided. A trial that a
scheduler stopped ended as planned, which its tag `striate.end` says; only a failed one has a status that says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from search.history import History, Trial
from search.record import Event
from search.summary import latest_edge_share_rows, latest_trial_row, share_at_chance, share_avoided, trials_per_hour

LONGEST_NAME = 250
LONGEST_VALUE = 5_000
METRICS = {
    "train_loss": "train_loss",
    "loss": "val_loss",
    "top1": "val_top1",
    "top5": "val_top5",
    "seconds": "epoch_seconds",
}
DESCRIPTION = """A search on the space `{space}` by the sampler `{sampler}`. Over the number of ended trials, the charts
show `best` (top-1 so far), `median_last_50` and `mean_last_50`, `share_at_chance` (of the last 50, those that learnt
nothing), `share_avoided` (of all asks, the duplicates that were not trained again), `trials_per_hour`, and for each
feedback edge its `share` among the last 100. `progress.png`, `edges.png` and the interactive `report.html` are among
the artifacts. Each trained trial is a nested run with its `architecture.yaml`."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a metric.

    Arguments:
        metric: its name.
        value: not a number where a loss was none.
        at: milliseconds since 1970; always that of an event, so that the same point told twice is the same.
        step: epoch, or number of ended trials.

    """

    metric: str
    value: float
    at: int
    step: int


def mlflow_name(path: str) -> str:
    """A candidate's path in the characters that MLflow allows: `edges.feedback[b>a].x` is `edges.feedback/b:a.x`."""
    return re.sub(r"[^\w.\-/: ]", "_", path.replace("[", "/").replace("]", "").replace(">", ":"))[:LONGEST_NAME]


def milliseconds(at: float) -> int:
    """A time in MLflow's unit."""
    return int(at * 1000)


def has_run(trial: Trial) -> bool:
    """Whether MLflow gets a run for a trial once it has ended."""
    return trial.duplicate_of is None


def trial_tags(trial: Trial) -> dict[str, str]:
    """How a trial ended and where it is from."""
    tags = {
        "edges": ", ".join(trial.edges),
        "striate.end": str(trial.end),
        "striate.sampler": trial.sampler,
        "striate.seed": str(trial.seed),
        "striate.trial": str(trial.number),
        "striate.trial_key": trial.key,
        "striate.attempts": str(trial.attempt),
        "striate.replicate_of": str(trial.replicate_of or ""),
        "striate.failure": trial.kind,
        "striate.reason": trial.reason,
    }
    return {name: value[:LONGEST_VALUE] for name, value in tags.items()}


def trial_parameters(trial: Trial) -> dict[str, str]:
    """A trial's decisions."""
    return {mlflow_name(path): str(value)[:LONGEST_VALUE] for path, value in trial.candidate.items()}


def trial_points(trial: Trial) -> list[Point]:
    """A trial's sizes, what its network told untrained, and the numbers of each epoch."""
    ended_at = milliseconds(trial.ended_at)
    once: dict[str, float] = {"parameters": trial.parameters, "multiply_adds": trial.multiply_adds}
    once |= {f"proxy.{name}": value for name, value in trial.proxies.items() if value is not None}
    points = [Point(mlflow_name(name), value, ended_at, 0) for name, value in once.items()]
    for epoch, report in sorted(trial.reports.items()):
        for name, metric in METRICS.items():
            value = report[name] if report[name] is not None else float("nan")
            points.append(Point(metric, value, milliseconds(report["at"]), epoch))
    return points


def search_points(history: History, event: Event, edges: Sequence[str]) -> list[Point]:
    """The running numbers of a search as a trial's end leaves them.

    Arguments:
        history: up to that event.
        event: the end.
        edges: names of the space's feedback edges.

    """
    trial = history.trials[event.trial]
    row = latest_trial_row(history)
    if not trial.is_counted or row is None:
        return []
    values = {
        "best": row.best,
        "mean_last_50": row.mean,
        "median_last_50": row.median,
        "share_at_chance": share_at_chance(history),
        "share_avoided": share_avoided(history),
        "trials_per_hour": trials_per_hour(history),
    }
    at = milliseconds(event.at)
    points = [Point(name, value, at, row.position) for name, value in values.items() if value is not None]
    if trial.objective is not None:
        shares = latest_edge_share_rows(history, edges)
        points += [Point(mlflow_name(f"share.{each.edge}"), each.share, at, each.position) for each in shares]
    return points
