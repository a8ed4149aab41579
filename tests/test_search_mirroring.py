"""The mirror as a process of its own: it ends by itself, whatever becomes of the driver and of MLflow."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, Striate
from mlflow import MlflowClient
from mlflow_stores import assert_mirrored
from written_searches import Fates, begin, play

from search.cli.ui import serving
from search.home import Home
from search.interruption import Interruption
from search.mirror_process import CURSOR, MirrorProcess, is_mirrored, lag, mirroring, why_behind
from search.record import Record
from space.errors import RecordError

KILL_THE_DRIVER = """
import os, signal, sys
from pathlib import Path
from search.mirror_process import MirrorProcess
from written_searches import begin, play
folder = begin(Path(sys.argv[1]), space=sys.argv[2], max_trials=10)
def die(history):
    if len(history.ended) == 4:
        print(mirror.process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
mirror = MirrorProcess(folder, sys.argv[3], folder / "artifacts")
play(folder, on_event=die)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_end(process: int) -> None:
    """Wait for a process that is not our child."""
    handle = os.pidfd_open(process)
    select.select([handle], [], [])
    os.close(handle)


def test_it_catches_up_and_ends_with_its_driver(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    folder = begin(tmp_path / "s", space=TINY, max_trials=12)
    process = MirrorProcess(folder, store, folder / "artifacts")
    play(folder, Fates(chance=0.1, failed=0.1))
    process.close()
    assert (process.behind, process.process.returncode) == (None, 0)
    assert lag(folder) == 0
    assert not is_mirrored(folder)
    assert_mirrored(folder, MlflowClient(store))


def test_a_killed_driver_is_told_as_killed(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    folder = tmp_path / "s"
    command = [sys.executable, "-c", KILL_THE_DRIVER, str(folder), str(TINY), store]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    wait_for_end(int(done.stdout))
    assert lag(folder) == 0
    assert_mirrored(folder, MlflowClient(store))


@pytest.mark.long
def test_killed_while_it_mirrors_it_is_made_good(tmp_path: Path, striate: Striate) -> None:
    home = Home(tmp_path / "searches")
    folder = begin(home.path / "s", space=TINY, max_trials=130)
    play(folder, Fates(chance=0.1, failed=0.1))
    record = Record(folder, read_only=True)
    seen = 0
    for _ in range(3):
        process = MirrorProcess(folder, home.tracking_uri, home.artifacts)
        while record.cursor(CURSOR) == seen and lag(folder):
            with pytest.raises(subprocess.TimeoutExpired):
                process.process.wait(0.05)
        seen = record.cursor(CURSOR)
        process.process.kill()
        process.process.communicate()
    record.close()
    assert lag(folder) > 0
    done = striate("sync", "s")
    assert done.returncode == 0, done.stderr
    assert lag(folder) == 0
    assert_mirrored(folder, MlflowClient(home.tracking_uri), every=20)


def test_an_mlflow_that_is_away_is_caught_up_with_when_it_is_back(tmp_path: Path, striate: Striate) -> None:
    home, port = Home(tmp_path / "searches"), free_port()
    server = f"http://127.0.0.1:{port}"
    folder = begin(home.path / "s", space=TINY, max_trials=6, tracking_uri=server)
    process = MirrorProcess(folder, server, None)
    play(folder, Fates(failed=0.2))
    process.close()
    assert process.behind is not None
    assert why_behind(folder) == process.behind
    done = striate("sync")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: MLflow at {server} does not answer: ")
    assert done.stderr.endswith("is its server up?\n")
    assert len(done.stderr.splitlines()) == 1
    shown = striate("status").stdout
    assert "events behind (" in shown and "sync s" in shown
    with Interruption() as interruption, serving(home, port, interruption):
        done = striate("sync")
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"MLflow has all {Record(folder).events()[-1].number} events of s.\n"
        assert_mirrored(folder, MlflowClient(server))
        record = Record(folder)
        record.move_cursor(CURSOR, 0)
        record.close()
        assert striate("sync").returncode == 0
        assert_mirrored(folder, MlflowClient(server))  # a server, too, ignores what it has
    assert "behind" not in striate("status").stdout


def test_one_process_mirrors_a_search(tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=TINY)
    with mirroring(folder):
        assert is_mirrored(folder)
        with pytest.raises(RecordError, match="s is being mirrored; wait until it has ended"), mirroring(folder):
            pass
    assert not is_mirrored(folder)


def test_a_mirror_that_another_one_keeps_out_says_so(tmp_path: Path) -> None:
    folder = begin(tmp_path / "s", space=TINY, max_trials=2)
    play(folder)
    with mirroring(folder):
        process = MirrorProcess(folder, f"sqlite:///{tmp_path / 'mlflow.db'}", None)
        process.close()
    assert process.behind is not None and "s is being mirrored" in process.behind
    assert lag(folder) > 0


def test_a_folder_of_our_name_is_not_taken_for_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "__init__.py").write_text("raise SystemExit(77)")
    monkeypatch.chdir(tmp_path)
    folder = begin(tmp_path / "s", space=TINY, max_trials=1)
    process = MirrorProcess(folder, f"sqlite:///{tmp_path / 'mlflow.db'}", folder / "artifacts")
    play(folder)
    process.close()
    assert process.behind is None
