"""MLflow mirrors the record of a search. The only file that knows MLflow.

One parent run for the search and a child run for each trained trial that has ended. The mirror follows the record from
a cursor kept in it and can do any part again without doing it twice: what a kill may have left of the runs after the
cursor is looked up once, every metric carries the time of its event, and a store ignores a point that it has. So MLflow
may be slow, away or killed, and is caught up later.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault(
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1"
)  # our own loop tries again, and by default it takes minutes
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Param, RunInfo
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from dashboards.edges import edges_png
from dashboards.progress import progress_png
from dashboards.report import report_html
from search.driver import architecture_of, settings_of, space_of
from search.history import History, Trial
from search.mirror_addresses import trials_view
from search.mirror_contents import (
    DESCRIPTION,
    Point,
    has_run,
    milliseconds,
    search_points,
    trial_parameters,
    trial_points,
    trial_tags,
)
from search.mirror_process import CURSOR
from search.record import Event, Record
from search.summary import edge_effect_rows, edge_share_rows, trial_rows
from space.errors import StriateError
from space.parse import to_yaml

KEY = "striate.key"
KIND = "striate.kind"
ENDS_A_BATCH = 20  # so many ended trials may have to be told again after a kill
PAGE = 1_000  # runs
MOST_METRICS, MOST_PARAMETERS = 1_000, 100  # in one call: the stores' own limits
SECONDS_BETWEEN_FIGURES = 30.0
SHARE_OF_DRAWING = 0.05  # of the time, at most
_STOPPED = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}

for _noisy in ("mlflow", "alembic"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)  # what fails is told once, in one sentence


class Mirror:
    """Brings an MLflow store up to date with a record; one process at a time does. What raised is not used again.

    Arguments:
        record: of the search; opened by the thread that calls `sync`.
        tracking_uri: of the MLflow store.
        artifacts: where a new experiment of a local store keeps artifacts; None leaves that to the server.

    """

    def __init__(self, record: Record, tracking_uri: str, artifacts: Path | None) -> None:
        self.record = record
        self.cursor = record.cursor(CURSOR)
        events = record.events()
        self.history = History(event for event in events if event.number <= self.cursor)
        self.created = events[0]
        self.settings = settings_of(History([self.created]))
        self.space = space_of(History([self.created]))
        self.tracking_uri = tracking_uri
        self.client = MlflowClient(tracking_uri)
        self.artifacts = artifacts
        self._retried = {event.trial for event in events if event.kind == "retried" and event.number <= self.cursor}
        self._left: dict[str, RunInfo] | None = None
        self._drawn_trials = -1
        self._draw_again_at = -float("inf")
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
            found = self._find(self._key())
            parent = found.run_id if found else self._create_parent()
            # Also when it was found: what a kill left out is made good, and what is there stays as it is.
            known = self.settings.plain().items()
            settings = [Param(name, str(value)) for name, value in known if name != "tracking_uri"]
            self.client.log_batch(parent, params=settings)
            self.client.log_text(parent, self.space.text, "space.yaml")
            self.client.set_experiment_tag(self.experiment, *trials_view(parent))
            self._parent = parent
        return self._parent

    def _create_parent(self) -> str:
        tags = {KEY: self._key(), KIND: "search", "striate.sampler": self.settings.sampler}
        tags["mlflow.note.content"] = DESCRIPTION.format(space=self.space.name, sampler=self.settings.sampler)
        created_at = milliseconds(self.created.at)
        return str(self.client.create_run(self.experiment, created_at, tags, self.settings.name).info.run_id)

    def sync(self) -> Iterator[int]:
        """Mirror every event since the cursor, some at a time, then redraw the figures if it is time.

        Yields:
            The number of the last event that was mirrored.

        """
        if self.cursor and self._parent is None and self._find(self._key()) is None:
            self.cursor = 0  # it is another store, or an emptied one: it gets everything
            self.history = History()
            self._retried.clear()
        events = self.record.events(after=self.cursor)
        if self._left is None and events:
            self._left = self._left_after(events)
        for batch in _batches(events):
            self._mirror(batch)
            self.cursor = batch[-1].number
            self.record.move_cursor(CURSOR, self.cursor)
            yield self.cursor
        if time.monotonic() > self._draw_again_at:
            self._draw()

    def finish(self, *, killed: bool) -> None:
        """Draw what is new, and say that the search was killed, where no event says how it stopped."""
        self._draw()
        if killed and self.history.status == "running":
            at = milliseconds(self.record.events(after=self.cursor - 1)[0].at)
            self.client.set_terminated(self.parent, "KILLED", at)

    def _key(self, trial: int | None = None) -> str:
        identity = str(self.created.payload["id"])
        return identity if trial is None else f"{identity}:{trial}"

    def _find(self, key: str) -> RunInfo | None:
        return _find_run(self.client, self.experiment, key)

    def _left_after(self, events: list[Event]) -> dict[str, RunInfo]:
        """The trials' runs that may be there of the events that are to be mirrored: key → run."""
        begun = (trial.begun_at for trial in self.history.open.values() if trial.begun_at)
        earliest = milliseconds(min([*(event.at for event in events), *begun]))
        query = f"tags.mlflow.parentRunId = '{self.parent}' and attributes.start_time >= {earliest}"
        left: dict[str, RunInfo] = {}
        token: str | None = None
        while True:
            page = self.client.search_runs([self.experiment], query, max_results=PAGE, page_token=token)
            left |= {run.data.tags[KEY]: run.info for run in page if KEY in run.data.tags}
            token = page.token
            if not token:
                return left

    def _mirror(self, events: list[Event]) -> None:
        points: list[Point] = []
        last: Event | None = None
        for event in events:
            self.history.add(event)
            match event.kind:
                case "started" | "stopped":
                    last = event
                case "retried":
                    self._retried.add(event.trial)
                case "ended":
                    trial = self.history.trials[event.trial]
                    if has_run(trial):
                        self._mirror_trial(trial)
                    points += search_points(self.history, event, self.space.edges)
        self._log(self.parent, points)
        if last is not None and last.kind == "started":
            self.client.update_run(self.parent, "RUNNING")
        elif last is not None:
            self.client.set_terminated(self.parent, _STOPPED[last.payload["status"]], milliseconds(last.at))

    def _mirror_trial(self, trial: Trial) -> None:
        key = self._key(trial.number)
        tags = trial_tags(trial)
        run = (self._left or {}).pop(key, None)
        if run is None and trial.number in self._retried:
            run = self._find(key)
        if run is None:
            of_run = {KEY: key, KIND: "trial", "mlflow.parentRunId": self.parent}
            name = f"{self.settings.name}-{trial.number:04d}"
            begun_at = milliseconds(trial.begun_at or trial.ended_at)
            run = self.client.create_run(self.experiment, begun_at, {**of_run, **tags}, name).info
        elif trial.number in self._retried:
            for name, value in tags.items():
                self.client.set_tag(run.run_id, name, value)
        self._log(run.run_id, trial_points(trial), trial_parameters(trial))
        if trial.parameters:  # none where the parts of the candidate do not fit together
            self._keep(run, "architecture.yaml", to_yaml(architecture_of(self.space, trial)))
        status = "FAILED" if trial.end == "failed" else "FINISHED"
        self.client.set_terminated(run.run_id, status, milliseconds(trial.ended_at))

    def _log(self, run: str, points: list[Point], parameters: dict[str, str] | None = None) -> None:
        """Log in as few calls as the stores' limits allow."""
        metrics = [Metric(point.metric, point.value, point.at, point.step) for point in points]
        params = [Param(name, value) for name, value in (parameters or {}).items()]
        calls = max(-(-len(metrics) // MOST_METRICS), -(-len(params) // MOST_PARAMETERS))
        for call in range(calls):
            self.client.log_batch(
                run,
                metrics=metrics[call * MOST_METRICS : (call + 1) * MOST_METRICS],
                params=params[call * MOST_PARAMETERS : (call + 1) * MOST_PARAMETERS],
            )

    def _keep(self, run: RunInfo, file: str, text: str) -> None:
        """Log a text as an artifact, without asking the store again where the run keeps them, as the client would."""
        with tempfile.TemporaryDirectory(prefix="striate-mirror-") as folder:
            path = Path(folder) / file
            path.write_text(text, encoding="utf-8")
            artifacts = get_artifact_repository(run.artifact_uri, self.tracking_uri)
            artifacts.log_artifact(str(path))  # type: ignore[no-untyped-call]

    def _draw(self) -> None:
        history, edges = self.history, self.space.edges
        if len(history.ended) == self._drawn_trials:
            return
        began = time.monotonic()
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
        now = time.monotonic()
        self._draw_again_at = now + max(SECONDS_BETWEEN_FIGURES, (now - began) / SHARE_OF_DRAWING)
        self._drawn_trials = len(history.ended)


def _batches(events: list[Event]) -> Iterator[list[Event]]:
    """The events in order, in batches that hold so many ends at most."""
    batch: list[Event] = []
    ends = 0
    for event in events:
        batch.append(event)
        ends += event.kind == "ended"
        if ends == ENDS_A_BATCH:
            yield batch
            batch, ends = [], 0
    if batch:
        yield batch


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
        raise StriateError(unanswered(tracking_uri, error)) from None
    return (experiment.experiment_id, run.run_id) if experiment and run else None


def unanswered(tracking_uri: str, error: Exception) -> str:
    """That a store does not answer, in one sentence."""
    return f"MLflow at {tracking_uri} does not answer: {str(error).splitlines()[0]}; is its server up?"


def _find_run(client: MlflowClient, experiment: str, key: str) -> RunInfo | None:
    runs = client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
    return runs[0].info if runs else None
