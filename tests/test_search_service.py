"""A whole search, as a user runs it: Ray, MLflow and the record agree, and what leaves it can be built again."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, run_striate
from mlflow import MlflowClient
from mlflow.entities import Run

from cells.network import Network
from search.budget import Budget
from search.driver import Driver, architecture_of, space_of
from search.export import architecture_text
from search.history import History
from search.home import Home
from search.mirror import Mirror
from search.mirror_contents import mlflow_name
from search.record import Record
from search.slots import Slots
from search.summary import trial_rows
from space.graph import lower
from space.parse import parse_architecture, parse_space
from trainers.data import registry
from trainers.data.dataset import search_split
from trainers.device import DeviceSplit
from trainers.loop import Trainer

Finished = tuple[Path, str]


@pytest.fixture(scope="module")
def home(finished: Finished) -> Home:
    return Home(finished[0] / "searches")


@pytest.fixture(scope="module")
def history(home: Home) -> History:
    return History(Record(home.path / "tiny-1").events())


@pytest.fixture(scope="module")
def client(home: Home) -> MlflowClient:
    return MlflowClient(home.tracking_uri)


@pytest.fixture(scope="module")
def runs(client: MlflowClient) -> dict[str, Run]:
    experiment = client.get_experiment_by_name("tiny")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_it_says_what_was_found_and_what_to_do_next(finished: Finished, history: History) -> None:
    folder, printed = finished
    assert history.best is not None
    assert f"Best: trial {history.best.number}, validation top-1 {history.best.objective:.4f}" in printed
    for file in ("searches/tiny-1/best.yaml", "searches/tiny-1/record.sqlite"):
        assert file in printed
        assert (folder / file).is_file()
    assert "striate ui tiny-1" in printed
    assert "12/12 trials" in printed
    assert "median of last 50" in printed


def test_every_trial_ended_once(history: History) -> None:
    assert sorted(trial.number for trial in history.ended) == list(range(1, 13))
    assert all(trial.end == "complete" and sorted(trial.reports) == [1, 2] for trial in history.ended)
    assert history.status == "finished"


def test_workers_are_kept_from_trial_to_trial(history: History) -> None:
    processes = {report["process"] for trial in history.ended for report in trial.reports.values()}
    assert 1 <= len(processes) <= 2, "twelve trials in two slots start at most two processes"


def test_nothing_is_acted_on_before_it_is_recorded(home: Home) -> None:
    life: dict[int, list[str]] = {}
    for event in Record(home.path / "tiny-1").events():
        if event.trial:
            life.setdefault(event.trial, []).append(event.kind)
    assert all(kinds == ["asked", "begun", "reported", "reported", "ended"] for kinds in life.values())


def test_mlflow_has_each_trial_as_the_record_has_it(
    history: History, runs: dict[str, Run], client: MlflowClient, tmp_path: Path
) -> None:
    space = space_of(history)
    parent = runs["tiny-1"]
    assert len(runs) == 13
    for trial in history.ended:
        run = runs[f"tiny-1-{trial.number:04d}"]
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["edges"] == ", ".join(trial.edges)
        for path, value in trial.candidate.items():
            assert run.data.params[mlflow_name(path)] == str(value)
        for name, metric in (
            ("train_loss", "train_loss"),
            ("loss", "val_loss"),
            ("top1", "val_top1"),
            ("top5", "val_top5"),
        ):
            logged = {each.step: each.value for each in client.get_metric_history(run.info.run_id, metric)}
            assert logged == {epoch: report[name] for epoch, report in trial.reports.items()}
        written = client.download_artifacts(run.info.run_id, "architecture.yaml", str(tmp_path))
        architecture, graph = parse_architecture(Path(written).read_text(), "artifact")
        assert architecture == architecture_of(space, trial)
        assert run.data.metrics["parameters"] == graph.parameter_count == trial.parameters


def test_the_parent_has_the_running_numbers_and_the_figures(
    history: History, runs: dict[str, Run], client: MlflowClient
) -> None:
    parent = runs["tiny-1"]
    assert parent.info.status == "FINISHED"
    rows = trial_rows(history)
    for name, values in (
        ("best", [row.best for row in rows]),
        ("mean_last_50", [row.mean for row in rows]),
        ("median_last_50", [row.median for row in rows]),
    ):
        logged = sorted((each.step, each.value) for each in client.get_metric_history(parent.info.run_id, name))
        assert logged == [(position, value) for position, value in enumerate(values, start=1)]
    artifacts = {each.path for each in client.list_artifacts(parent.info.run_id)}
    assert artifacts == {"progress.png", "edges.png", "report.html", "space.yaml"}


def test_mirroring_again_changes_nothing(home: Home, runs: dict[str, Run], client: MlflowClient) -> None:
    record = Record(home.path / "tiny-1")
    record.move_cursor("mlflow", 0)
    list(Mirror(record, home.tracking_uri, home.artifacts).sync())
    again = {run.info.run_name: run for run in client.search_runs([runs["tiny-1"].info.experiment_id])}
    assert {name: run.data.to_dictionary() for name, run in again.items()} == {
        name: run.data.to_dictionary() for name, run in runs.items()
    }
    assert len(client.get_metric_history(runs["tiny-1"].info.run_id, "best")) == 12


def test_the_exported_architecture_is_the_best_trial(finished: Finished, history: History) -> None:
    folder, _ = finished
    best = history.best
    assert best is not None
    printed = run_striate("export", "tiny-1", cwd=folder)
    assert printed.stdout == architecture_text(history, best) == (folder / "searches/tiny-1/best.yaml").read_text()
    assert run_striate("export", "-o", "mine.yaml", cwd=folder).returncode == 0
    described = run_striate("describe", "mine.yaml", cwd=folder).stdout
    for shown in ("V1", "V2", "V4", f"{best.parameters:,}", *best.edges):
        assert shown in described
    facts = json.loads(run_striate("describe", "mine.yaml", "--json", cwd=folder).stdout)
    assert facts["parameters"] == best.parameters
    assert [edge["name"] for edge in facts["edges"] if edge["kind"] == "feedback"] == list(best.edges)


def test_built_again_it_repeats_its_trial_to_the_last_bit(finished: Finished, history: History) -> None:
    best = history.best
    assert best is not None
    architecture, graph = parse_architecture((finished[0] / "searches/tiny-1/best.yaml").read_text(), "best.yaml")
    network = Network(graph, architecture.train.seed)
    assert sum(parameter.numel() for parameter in network.parameters()) == best.parameters
    data = DeviceSplit.of(search_split(registry.load("digits")), torch.device("cpu"))
    trainer = Trainer(network, architecture.train, data)
    for epoch in (1, 2):
        result = trainer.run_epoch()
        assert (result.train_loss, result.loss, result.top1) == tuple(
            best.reports[epoch][name] for name in ("train_loss", "loss", "top1")
        )


def test_the_command_line_trains_it_to_the_same_numbers(finished: Finished, history: History) -> None:
    folder, _ = finished
    assert history.best is not None
    printed = run_striate("train", "searches/tiny-1/best.yaml", cwd=folder).stdout
    for epoch, report in history.best.reports.items():
        assert f"epoch {epoch}  train loss {report['train_loss']:.4f}  validation loss {report['loss']:.4f}" in printed


def test_the_test_images_are_scored_once_and_at_the_end(finished: Finished) -> None:
    printed = run_striate("train", "searches/tiny-1/best.yaml", "--final", cwd=finished[0]).stdout.splitlines()
    assert [line.startswith("epoch") for line in printed] == [False, True, True, False]
    assert all("top-1" not in line for line in printed[:-1])
    assert printed[-1].startswith("test loss")
    assert "of 360 test images" in printed[-1]


def test_status_for_people_and_for_scripts(finished: Finished, history: History) -> None:
    folder, _ = finished
    facts: dict[str, Any] = json.loads(run_striate("status", "--json", cwd=folder).stdout)
    assert history.best is not None
    row = trial_rows(history)[-1]
    assert facts["status"] == "finished"
    assert (facts["ended"], facts["complete"], facts["best_trial"]) == (12, 12, history.best.number)
    assert math.isclose(facts["median_last_50"], row.median or 0.0)
    shown = run_striate("status", "tiny-1", cwd=folder).stdout
    assert f"{row.best:.4f}" in shown


def test_another_search_gets_another_name_and_the_same_asks(
    finished: Finished, history: History, tmp_path: Path
) -> None:
    # The first asks depend on (space, settings, seed) alone: a driver on a new record asks for the same trials.
    folder = tmp_path / "tiny-1"
    Record.create(folder, **history.created).close()
    driver = Driver(folder, lambda _: None)
    driver.budget = Budget(max_trials=2)
    driver.start(Slots(number=1, gpu=0.0, memory=None, alone=1, cpus_alone=1, memory_alone=None))
    tasks = [driver.next_task(), driver.next_task()]
    space = parse_space(history.created["space"], "space")
    for task, trial in zip(tasks, (history.trials[1], history.trials[2]), strict=True):
        assert task is not None
        architecture, _ = parse_architecture(task.architecture, "task")
        assert lower(architecture) == lower(architecture_of(space, trial))
    assert driver.next_task() is None
    assert Home(finished[0] / "searches").free_name("tiny") == "tiny-2"


def test_an_emptied_store_gets_everything_again(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "searches"
    shutil.copytree(finished[0] / "searches" / "tiny-1", folder / "tiny-1")
    home = Home(folder)
    record = Record(folder / "tiny-1")
    assert record.cursor("mlflow") == record.events()[-1].number
    for _ in range(2):
        list(Mirror(record, home.tracking_uri, home.artifacts).sync())
        client = MlflowClient(home.tracking_uri)
        experiment = client.get_experiment_by_name("tiny")
        assert len(client.search_runs([experiment.experiment_id])) == 13
        client.delete_experiment(experiment.experiment_id)  # as a click in the UI does: it is brought back


def test_one_slot_repeats_itself(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        done = run_striate("launch", TINY, "--name", name, "--trials", 3, "--slots", 1, "--seed", 5, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        trials = History.read(tmp_path / "searches" / name).ended
        found.append([(trial.candidate, trial.objective, trial.reports[2]["train_loss"]) for trial in trials])
    assert found[0] == found[1]
