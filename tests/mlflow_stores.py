"""What an MLflow store holds of a search, against its record."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from search.history import History
from search.mirror_contents import METRICS, mlflow_name
from search.summary import trial_rows

STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED", "running": "KILLED"}


def runs_of(client: MlflowClient) -> list[Run]:
    """Every run of every experiment."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, max_results=5_000))


def points(client: MlflowClient, run: Run, metric: str) -> list[tuple[int, float | None]]:
    """Steps and values of a metric in the order of the steps, not numbers as None."""
    history = client.get_metric_history(run.info.run_id, metric)
    return sorted((each.step, None if math.isnan(each.value) else each.value) for each in history)


def assert_mirrored(folder: Path, client: MlflowClient, *, every: int = 1) -> None:
    """A store has a search whole, once, and says of nothing that it is still running.

    Arguments:
        folder: of the search.
        client: of a store that has nothing else.
        every: of so many trials one is compared to the last metric.

    """
    history = History.read(folder)
    runs = runs_of(client)
    (parent,) = (run for run in runs if run.data.tags["striate.kind"] == "search")
    children = {int(run.data.tags["striate.trial"]): run for run in runs if run.data.tags["striate.kind"] == "trial"}
    assert len(runs) == 1 + len(children), "no run is there twice"
    trained = {trial.number: trial for trial in history.ended if trial.duplicate_of is None}
    assert sorted(children) == sorted(trained)
    expected = Counter("FAILED" if trial.end == "failed" else "FINISHED" for trial in trained.values())
    assert Counter(run.info.status for run in children.values()) == expected
    assert parent.info.status == STATUS[history.status]
    for number, run in children.items():
        trial = trained[number]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["striate.end"] == trial.end
        assert run.data.tags["edges"] == ", ".join(trial.edges)
        assert run.data.params == {mlflow_name(path): str(value) for path, value in trial.candidate.items()}
        if number % every == 0:
            for reported, metric in METRICS.items():
                told = [(epoch, report[reported]) for epoch, report in sorted(trial.reports.items())]
                assert points(client, run, metric) == told
            assert points(client, run, "parameters") == [(0, trial.parameters)]
    rows = trial_rows(history)
    for metric in ("best", "median_last_50", "mean_last_50"):
        values = [getattr(row, metric.removesuffix("_last_50")) for row in rows]
        told = [(position, value) for position, value in enumerate(values, start=1) if value is not None]
        assert points(client, parent, metric) == told
