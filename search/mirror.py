"""MLflow mirrors the record of a search. The only file that knows MLflow.

One parent run for the search and a child run for each ended trial. The mirror follows the record from a cursor kept in
it, in the background, and can do any part again without doing it twice: a run's key is looked up before it is created,
and every metric carries the time of its event. So MLflow may be slow, away or killed, and is caught up later.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault(
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1"
)  # our own loop tries again, and by default it takes minutes
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from dashboards.edges import edges_png
from dashboards.progress import progress_png
from dashboards.report import report_html
from search.driver import architecture_of, settings_of, space_of
from search.history import History, Trial
from search.record import Event, Record
from search.summary import (
    edge_effect_rows,
    edge_share_rows,
    latest_edge_share_rows,
    latest_trial_row,
    trial_rows,
)
from space.errors import StriateError
from space.parse import to_yaml

CURSOR = "mlflow"
KEY = "striate.key"
KIND = "striate.kind"
SECONDS_BETWEEN_SYNCS = 2.0
SECONDS_BETWEEN_FIGURES = 30.0
PATIENCE_SECONDS = 6.0
_STOPPED = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}

for _noisy in ("mlflow", "alembic"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)  # what fails is told once, in one sentence


class Mirror:
    """Brings an MLflow store up to date with a record.

    Arguments:
        record: of the search; opened by the thread that calls `sync`.
        tracking_uri: of the MLflow store.
        artifacts: where a new experiment of a local store keeps artifacts; None leaves that to the server.

    """

    def __init__(self, record: Record, tracking_uri: str, artifacts: Path | None) -> None:
        self.record = record
        self.cursor = record.cursor(CURSOR)
        self.history = History(event for event in record.events() if event.number <= self.cursor)
        self.created = record.events()[0]
        self.settings = settings_of(History([self.created]))
        self.space = space_of(History([self.created]))
        self.client = MlflowClient(tracking_uri)
        self.artifacts = artifacts
        self.drawn_at = -float("inf")
        self.drawn_trials = -1
        self._experiment: str | None = None
        self._parent: str | None = None

    @property
    def experiment(self) -> str:
        """Id of the experiment, one for each space."""
        if self._experiment is None:
            found: Experiment | None = self.client.get_experiment_by_name(self.space.name)
            if found is not None and found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            if found is None:
                location = str(self.artifacts) if self.artifacts else None
                # The kind opens the experiment in the view for training models, not in the one for prompts.
                tags = {"mlflow.experimentKind": "custom_model_development"}
                self._experiment = self.client.create_experiment(self.space.name, location, tags)
            else:
                self._experiment = found.experiment_id
        return self._experiment

    @property
    def parent(self) -> str:
        """Id of the search's run."""
        if self._parent is None:
            key = str(self.created.payload["id"])
            self._parent = self._find(key) or self._create_parent(key)
            # Also when it was found: what a kill left out is made good, and what is there stays as it is.
            known = self.settings.plain().items()
            settings = [Param(name, str(value)) for name, value in known if name != "tracking_uri"]
            self.client.log_batch(self._parent, params=settings)
            self.client.log_text(self._parent, self.space.text, "space.yaml")
        return self._parent

    def _create_parent(self, key: str) -> str:
        tags = {KEY: key, KIND: "search", "striate.sampler": self.settings.sampler}
        tags["mlflow.note.content"] = (
            f"A search on the space `{self.space.name}`. The charts show the best top-1 so far and the mean and median"
            " of the last 50 trials; `progress.png`, `edges.png` and the interactive `report.html` are among the"
            " artifacts. Each trial is a nested run with its `architecture.yaml`."
        )
        run = self.client.create_run(self.experiment, int(self.created.at * 1000), tags, self.settings.name)
        return str(run.info.run_id)

    def sync(self) -> Iterator[int]:
        """Mirror every event since the cursor, each as the iterator comes to it, then redraw the figures if it is time.

        Yields:
            The number of each event that was mirrored.

        """
        if self.cursor and self._parent is None and self._find(str(self.created.payload["id"])) is None:
            self.cursor = 0  # it is another store, or an emptied one: it gets everything
            self.history = History()
        for event in self.record.events(after=self.cursor):
            self.history.add(event)
            match event.kind:
                case "started":
                    self.client.update_run(self.parent, "RUNNING")
                case "ended":
                    self._mirror_trial(self.history.trials[event.trial])
                    self._mirror_progress(event)
                case "stopped":
                    self._draw()
                    at = int(event.at * 1000)
                    self.client.set_terminated(self.parent, _STOPPED[event.payload["status"]], at)
            self.record.move_cursor(CURSOR, event.number)
            self.cursor = event.number
            yield event.number
        if time.monotonic() - self.drawn_at > SECONDS_BETWEEN_FIGURES and len(self.history.ended) != self.drawn_trials:
            self._draw()

    def _find(self, key: str) -> str | None:
        return _find_run(self.client, self.experiment, key)

    def _mirror_trial(self, trial: Trial) -> None:
        key = f"{self.created.payload['id']}:{trial.number}"
        begun_at, ended_at = int((trial.begun_at or trial.ended_at) * 1000), int(trial.ended_at * 1000)
        run_id = self._find(key)
        if run_id is None:
            tags = {KEY: key, KIND: "trial", "mlflow.parentRunId": self.parent}
            name = f"{self.settings.name}-{trial.number:04d}"
            run_id = self.client.create_run(self.experiment, begun_at, tags, name).info.run_id
        metrics = [Metric("parameters", trial.parameters, ended_at, 0)]
        names = {"train_loss": "train_loss", "loss": "val_loss", "top1": "val_top1", "top5": "val_top5"}
        for epoch, report in sorted(trial.reports.items()):
            for name, metric in names.items():
                value = report[name] if report[name] is not None else float("nan")
                metrics.append(Metric(metric, value, int(report["at"] * 1000), epoch))
        tags = {
            "edges": ", ".join(trial.edges),
            "striate.end": str(trial.end),
            "striate.sampler": trial.sampler,
            "striate.seed": str(trial.seed),
            "striate.trial": str(trial.number),
        }
        if trial.reason:
            tags["striate.reason"] = trial.reason[:5000]
        self.client.log_batch(
            run_id,
            metrics=metrics,
            params=[Param(mlflow_name(path), str(value)) for path, value in trial.candidate.items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )
        if trial.parameters:  # none where the parts of the candidate do not fit together
            self.client.log_text(run_id, to_yaml(architecture_of(self.space, trial)), "architecture.yaml")
        self.client.set_terminated(run_id, "FAILED" if trial.end == "failed" else "FINISHED", ended_at)

    def _mirror_progress(self, event: Event) -> None:
        row = latest_trial_row(self.history)
        assert row is not None
        values = {"best": row.best, "mean_last_50": row.mean, "median_last_50": row.median}
        at = int(event.at * 1000)
        metrics = [Metric(name, value, at, row.position) for name, value in values.items() if value is not None]
        shares = latest_edge_share_rows(self.history, self.space.edges)
        metrics += [Metric(mlflow_name(f"share.{each.edge}"), each.share, at, each.position) for each in shares]
        self.client.log_batch(self.parent, metrics=metrics)

    def _draw(self) -> None:
        history, edges = self.history, self.space.edges
        trials, shares, effects = trial_rows(history), edge_share_rows(history, edges), edge_effect_rows(history, edges)
        title = self.settings.name
        adaptive = self.settings.sampler != "random"
        self.client.log_figure(self.parent, progress_png(trials, title), "progress.png")
        figure = edges_png(shares, effects, title, adaptive, has_edges=bool(edges))
        self.client.log_figure(self.parent, figure, "edges.png")
        self.client.log_text(
            self.parent,
            report_html(trials, shares, effects, title=title, adaptive=adaptive, has_edges=bool(edges)),
            "report.html",
        )
        self.drawn_at = time.monotonic()
        self.drawn_trials = len(history.ended)


def mlflow_name(path: str) -> str:
    """A candidate's path in the characters that MLflow allows: `edges.feedback[b>a].x` is `edges.feedback/b:a.x`."""
    return re.sub(r"[^\w.\-/: ]", "_", path.replace("[", "/").replace("]", "").replace(">", ":"))


class MirrorThread(threading.Thread):
    """Mirrors in the background, so that the search never waits for MLflow.

    Arguments:
        folder: of the search.
        tracking_uri: of the MLflow store.
        artifacts: as `Mirror` has it.

    """

    def __init__(self, folder: Path, tracking_uri: str, artifacts: Path | None) -> None:
        super().__init__(name="mlflow-mirror", daemon=True)
        self.folder = folder
        self.tracking_uri = tracking_uri
        self.artifacts = artifacts
        self.behind: str | None = None
        self.cursor = 0
        self._closing = threading.Event()

    def run(self) -> None:
        """Sync now and then, and once more when closing; what fails is tried again the next time."""
        mirror: Mirror | None = None
        closing = False
        while not closing:
            closing = self._closing.wait(SECONDS_BETWEEN_SYNCS)
            try:
                mirror = mirror or Mirror(Record(self.folder), self.tracking_uri, self.artifacts)
                for self.cursor in mirror.sync():
                    pass
                self.behind = None
            except Exception as error:  # whatever MLflow raises, the search goes on
                mirror = None  # half of an event may be done: the next one begins at the cursor again
                self.behind = f"{type(error).__name__}: {error}".splitlines()[0]

    def close(self) -> None:
        """Sync a last time and end, or give up on an MLflow that gets nothing done for some seconds."""
        self._closing.set()
        seen = -1
        while self.is_alive() and self.cursor != seen:
            seen = self.cursor
            self.join(PATIENCE_SECONDS)
        if self.is_alive():
            self.behind = f"it got nothing done for {PATIENCE_SECONDS:.0f} seconds"


def search_address(server: str, experiment: str, run: str) -> str:
    """Where the MLflow UI at `server` shows a search, in the view for training models."""
    return f"{server}/#/experiments/{experiment}/runs/{run}?workflowType=machine_learning"


def trials_address(server: str, experiment: str, run: str) -> str:
    """Where the MLflow UI at `server` lists a search's trials, the best first."""
    query = {
        "workflowType": "machine_learning",
        "searchFilter": f'tags."mlflow.parentRunId" = "{run}"',
        "orderByKey": "metrics.`val_top1`",
        "orderByAsc": "false",
    }
    return f"{server}/#/experiments/{experiment}/runs?{urlencode(query, quote_via=quote)}"


def find_parent(tracking_uri: str, search_id: str, space: str) -> tuple[str, str] | None:
    """Ids of the experiment and the run of a search, where the store has them.

    Raises:
        StriateError: the store does not answer.

    """
    try:
        client = MlflowClient(tracking_uri)
        experiment = client.get_experiment_by_name(space)
        run = _find_run(client, experiment.experiment_id, search_id) if experiment else None
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise StriateError(f"MLflow at {tracking_uri} does not answer: {reason}; is its server up?") from None
    return (experiment.experiment_id, run) if experiment and run else None


def _find_run(client: MlflowClient, experiment: str, key: str) -> str | None:
    runs = client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
    return runs[0].info.run_id if runs else None
