"""The mirror against real MLflow stores: whole, once, whatever it is killed by."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY
from mlflow import MlflowClient
from mlflow_stores import assert_mirrored, points, runs_of
from written_searches import Fates, begin, play

from search.history import History
from search.mirror import Mirror
from search.mirror_contents import mlflow_name
from search.record import Record

SOME_OF_EACH = Fates(chance=0.1, diverged=0.1, failed=0.1)
MANY_DECISIONS = 130


class Dead(BaseException):
    """The process of the mirror is dead."""


class Dying:
    """A client whose process dies at one of its calls: before the store is told, or after."""

    def __init__(self, client: MlflowClient, calls: int, *, told: bool) -> None:
        self.client = client
        self.calls = calls
        self.told = told

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls -= 1
            if self.calls == 0 and not self.told:
                raise Dead
            result = getattr(self.client, name)(*arguments, **named)
            if self.calls == 0:
                raise Dead
            return result

        return call


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a run; to make its tables takes seconds."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> str:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def mirrored(folder: Path, store: str, *, killed: bool = False) -> MlflowClient:
    record = Record(folder)
    mirror = Mirror(record, store, folder / "artifacts")
    for _ in mirror.sync():
        pass
    mirror.finish(killed=killed)
    record.close()
    return MlflowClient(store)


def test_every_end_is_told_as_it_was(store: str, tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=TINY, max_trials=40)
    history = play(folder, SOME_OF_EACH)
    assert {trial.end for trial in history.ended} >= {"complete", "chance", "diverged", "failed"}
    client = mirrored(folder, store)
    assert_mirrored(folder, client)
    children = {run.data.tags.get("striate.trial"): run for run in runs_of(client)}
    for trial in history.ended:
        run = children[str(trial.number)]
        assert run.data.tags["striate.failure"] == trial.kind
        assert run.data.tags["striate.reason"] == trial.reason
        assert run.data.metrics["multiply_adds"] == trial.multiply_adds
        assert {name: run.data.metrics[f"proxy.{name}"] for name in trial.proxies} == trial.proxies
        assert [each.path for each in client.list_artifacts(run.info.run_id)] == ["architecture.yaml"]
    at_chance = [trial.end in ("chance", "diverged") for trial in history.measured]
    parent = children[None]
    assert points(client, parent, "share_at_chance")[-1][1] == pytest.approx(sum(at_chance) / len(at_chance))
    rates = points(client, parent, "trials_per_hour")
    assert rates and all(rate is not None and rate > 0 for _, rate in rates)


def test_a_duplicate_gets_no_run_and_is_counted(store: str, tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=few_candidates(tmp_path), max_trials=8)
    history = play(folder)
    assert history.avoided > 0
    client = mirrored(folder, store)
    assert_mirrored(folder, client)
    (parent,) = (run for run in runs_of(client) if run.data.tags["striate.kind"] == "search")
    last = next(trial for trial in reversed(history.ended) if trial.duplicate_of is None)
    asked_before = [trial for trial in history.trials.values() if trial.number <= max_asked(folder, last.number)]
    share = sum(trial.duplicate_of is not None for trial in asked_before) / len(asked_before)
    assert points(client, parent, "share_avoided")[-1][1] == pytest.approx(share)


def max_asked(folder: Path, until_end_of: int) -> int:
    """The last trial that was asked before another ended."""
    asked = 0
    for event in Record(folder, read_only=True).events():
        if event.kind == "asked":
            asked = event.trial
        if event.kind == "ended" and event.trial == until_end_of:
            break
    return asked


def few_candidates(folder: Path) -> Path:
    text = TINY.read_text().replace("{float: [0.02, 0.2], log: true}", "0.1").replace("{int: [1, 3]}", "3")
    (folder / "few.yaml").write_text(text)
    return folder / "few.yaml"


@pytest.mark.parametrize("told", [True, False])
def test_killed_at_any_call_it_leaves_nothing_twice_and_nothing_out(told: bool, store: str, tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=TINY, max_trials=6)
    play(folder, SOME_OF_EACH)
    deaths = 0
    for calls in range(1, 30, 3 if told else 4):
        record = Record(folder)
        mirror = Mirror(record, store, folder / "artifacts")
        mirror.client = Dying(mirror.client, calls, told=told)  # type: ignore[assignment]
        try:
            for _ in mirror.sync():
                pass
        except Dead:
            deaths += 1
        if calls % 2:
            record.move_cursor("mlflow", 0)  # all of it again
        record.close()
    assert deaths >= 5
    assert_mirrored(folder, mirrored(folder, store))


def test_told_again_from_the_start_it_changes_nothing(store: str, tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=TINY, max_trials=12)
    play(folder, SOME_OF_EACH)
    before = [run.to_dictionary() for run in runs_of(mirrored(folder, store))]
    record = Record(folder)
    record.move_cursor("mlflow", 0)
    record.close()
    client = mirrored(folder, store)
    assert [run.to_dictionary() for run in runs_of(client)] == before
    assert_mirrored(folder, client)


def test_an_emptied_store_gets_everything_again(empty_store: Path, store: str, tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=TINY, max_trials=5)
    play(folder)
    mirrored(folder, store)
    other = tmp_path / "other.db"
    shutil.copy(empty_store, other)
    assert_mirrored(folder, mirrored(folder, f"sqlite:///{other}"))


def test_a_deleted_experiment_is_brought_back(store: str, tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=TINY, max_trials=5)
    play(folder)
    client = mirrored(folder, store)
    client.delete_experiment(client.get_experiment_by_name("tiny").experiment_id)  # as a click in the UI does
    assert_mirrored(folder, mirrored(folder, store))


def test_a_killed_search_is_told_as_killed_until_it_goes_on(store: str, tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=TINY, max_trials=10)
    play(folder, kill_after=23)
    assert_mirrored(folder, mirrored(folder, store, killed=True))
    assert History.read(folder).status == "running", "nobody was there to say more"
    play(folder, order=1)
    assert History.read(folder).status == "finished"
    assert_mirrored(folder, mirrored(folder, store))


def test_a_search_that_is_driven_is_told_as_running(store: str, tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=TINY, max_trials=10)
    play(folder, kill_after=23)
    client = mirrored(folder, store, killed=False)
    assert {run.info.status for run in runs_of(client) if run.data.tags["striate.kind"] == "search"} == {"RUNNING"}


def test_a_retried_trial_keeps_its_run(store: str, tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=TINY, max_trials=10)
    failed = play(folder, Fates(failed=0.4)).count("failed")
    assert failed > 1
    client = mirrored(folder, store)
    assert_mirrored(folder, client)
    history = play(folder, before=lambda driver: driver.retry_failed(["error"]))
    assert history.count("failed") == 0
    mirrored(folder, store)
    runs = [run for run in runs_of(client) if run.data.tags["striate.kind"] == "trial"]
    assert len(runs) == 10
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {(run.data.tags["striate.end"], run.data.tags["striate.reason"]) for run in runs} == {("complete", "")}


def test_more_decisions_than_a_call_may_have(store: str, tmp_path: Path) -> None:
    areas = "\n".join(
        f"  A{n}: {{drive: [conv: {{kernel: {{int: [1, 2]}}, channels: {{choice: [2, 3]}}}}]}}" for n in range(65)
    )
    text = "striate: 1\nname: many\ninput: {channels: 1, size: 8, classes: 10}\ntime: {steps: 66}\n"
    text += f"areas:\n{areas}\ntrain: {{data: digits, epochs: 1, learning_rate: 0.1}}\n"
    (tmp_path / "many.yaml").write_text(text)
    folder = begin(tmp_path / "s", space=tmp_path / "many.yaml", max_trials=2)
    history = play(folder)
    assert all(len(trial.candidate) >= MANY_DECISIONS for trial in history.ended)
    assert_mirrored(folder, mirrored(folder, store))


def test_a_stopped_trial_ended_as_planned(store: str, tmp_path: Path) -> None:
    class StopsEvenOnes:
        def stops(self, trial: int, epoch: int, value: float) -> bool:
            return trial % 2 == 0

    folder = begin(tmp_path / "s", space=TINY, max_trials=10)
    assert play(folder, rungs=StopsEvenOnes()).count("stopped") == 5
    client = mirrored(folder, store)
    assert_mirrored(folder, client)
    stopped = [run for run in runs_of(client) if run.data.tags.get("striate.end") == "stopped"]
    assert {run.info.status for run in stopped} == {"FINISHED"}


def test_many_metrics_of_a_search_are_told_in_calls_that_a_store_takes(store: str, tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=TINY, max_trials=130)
    play(folder)
    assert_mirrored(folder, mirrored(folder, store), every=20)


def test_paths_become_names_that_mlflow_takes() -> None:
    assert mlflow_name("edges.feedback[conv8>conv5].include") == "edges.feedback/conv8:conv5.include"
    assert len(mlflow_name("a" * 999)) == 250
