"""Ctrl-C in the middle of a search, and going on with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from conftest import STRIATE, TINY, run_striate
from mlflow import MlflowClient

from search.history import History
from search.home import Home
from search.record import Record


def statuses(home: Home) -> Counter[str]:
    client = MlflowClient(home.tracking_uri)
    experiment = client.get_experiment_by_name("tiny")
    return Counter(run.info.status for run in client.search_runs([experiment.experiment_id]))


def test_a_second_ctrl_c_does_not_wait_for_mlflow_and_tells_how_to_go_on(tmp_path: Path) -> None:
    with socket.socket() as silent:  # it takes connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [str(STRIATE), "launch", str(TINY), "--trials", "12", "--slots", "2", "--mlflow", server]
        with subprocess.Popen(
            command, cwd=tmp_path, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            for waited_for in ("0/12 trials  starting workers", "Interrupted; "):
                for line in process.stdout:
                    if line.startswith(waited_for):
                        break
                os.killpg(process.pid, signal.SIGINT)
            printed = process.stdout.read()
    assert process.returncode == 130, printed
    assert "Traceback" not in printed
    assert "Search tiny-1 interrupted" not in printed, "it waited"
    assert printed.splitlines()[-1].endswith("striate launch --resume tiny-1"), printed
    assert History.read(tmp_path / "searches" / "tiny-1").status == "interrupted"


@pytest.mark.parametrize("sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_ctrl_c_stops_a_search_and_it_goes_on(sent: signal.Signals, tmp_path: Path) -> None:
    command = [str(STRIATE), "launch", str(TINY), "--trials", "12", "--slots", "2"]
    # A session of its own, so that the signal reaches the whole process group, as a terminal's Ctrl-C does.
    with subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("4/12 trials"):
                break
        if sent is signal.SIGINT:
            os.killpg(process.pid, sent)
        else:  # as a service manager does
            process.send_signal(sent)
        printed = process.stdout.read()
    home = Home(tmp_path / "searches")
    folder = home.path / "tiny-1"
    assert process.returncode == 130, printed
    assert "Traceback" not in printed
    assert "striate launch --resume tiny-1" in printed
    stopped = History(Record(folder).events())
    assert stopped.status == "interrupted"
    assert 4 <= len(stopped.ended) < 12
    assert statuses(home) == {"KILLED": 1, "FINISHED": len(stopped.ended)}, "nothing is left RUNNING"

    done = run_striate("launch", "--resume", "tiny-1", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    went_on = History(Record(folder).events())
    assert went_on.status == "finished"
    assert sorted(trial.number for trial in went_on.ended) == list(range(1, 13))
    for trial in stopped.ended:  # nothing that was finished was trained again
        assert went_on.trials[trial.number] == trial
    for trial in stopped.unfinished:  # what was under way kept its number and its candidate
        again = went_on.trials[trial.number]
        assert (again.candidate, again.seed) == (trial.candidate, trial.seed)
        assert again.attempt == trial.attempt + 1
    assert statuses(home) == {"FINISHED": 13}


def test_a_killed_search_goes_on(tmp_path: Path) -> None:
    command = [str(STRIATE), "launch", str(TINY), "--trials", "8", "--slots", "2"]
    with subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("3/8 trials"):
                break
        process.kill()
        process.stdout.read()
    home = Home(tmp_path / "searches")
    folder = home.path / "tiny-1"
    killed = History(Record(folder).events())
    assert killed.status == "running", "nobody was there to say more"
    shown = run_striate("status", "tiny-1", cwd=tmp_path).stdout
    assert "killed" in shown
    assert "launch --resume tiny-1" in shown
    fewer = run_striate("launch", "--resume", "tiny-1", "--trials", "2", cwd=tmp_path)
    assert fewer.returncode == 2
    assert "give more, or leave it out" in fewer.stderr
    done = run_striate("launch", "--resume", "tiny-1", "--trials", "9", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    went_on = History(Record(folder).events())
    assert sorted(trial.number for trial in went_on.ended) == list(range(1, 10))
    for trial in killed.ended:
        assert went_on.trials[trial.number] == trial
    assert statuses(home) == {"FINISHED": 10}


def test_a_search_does_not_wait_for_an_mlflow_that_is_away(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
    done = run_striate("launch", TINY, "--trials", "3", "--mlflow", nobody, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 trials ended" in done.stdout
    assert "MLflow is behind" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    shown = run_striate("ui", cwd=tmp_path)
    assert shown.returncode == 1
    assert "does not answer" in shown.stderr


def test_a_search_goes_on_when_nobody_reads_what_it_prints(tmp_path: Path) -> None:
    command = [str(STRIATE), "launch", str(TINY), "--trials", "4"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.wait()
    assert len(History.read(tmp_path / "searches" / "tiny-1").ended) == 4
