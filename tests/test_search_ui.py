"""`striate ui`: it can be stopped while it starts, and its server never outlives it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import STRIATE, Striate

from search.cli.ui import LOG, serving
from search.home import Home
from search.interruption import Interruption
from space.errors import StriateError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_starts_ends_it(sent: signal.Signals, finished: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "finished"
    shutil.copytree(finished[0], folder)
    command = [str(STRIATE), "ui", "--port", str(free_port())]
    with subprocess.Popen(
        command, cwd=folder, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Starting the MLflow UI …\n"
        os.killpg(process.pid, sent)
        printed = process.stdout.read()
    assert (process.returncode, printed) == (130, "")


def test_a_signal_while_its_server_starts_ends_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, port = Home(tmp_path), free_port()
    started: list[int] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self.pid)

    monkeypatch.setattr("search.cli.ui.subprocess.Popen", Noted)
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt), serving(home, port, interruption):
            raise AssertionError("it does not serve")
    assert (tmp_path / LOG).exists(), "the server was started"
    (server,) = started
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_server_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no data base")
    rule = f"the MLflow server ended with status .*; see {tmp_path / LOG}"
    with (
        Interruption() as interruption,
        pytest.raises(StriateError, match=rule),
        serving(Home(tmp_path), free_port(), interruption),
    ):
        raise AssertionError("it does not serve")


def test_a_folder_of_searches_that_cannot_be_written_is_told(
    finished: tuple[Path, str], tmp_path: Path, striate: Striate
) -> None:
    shutil.copytree(finished[0] / "searches" / "tiny-1", tmp_path / "searches" / "tiny-1")
    (tmp_path / "searches" / LOG).mkdir()  # which nobody writes, not even root
    done = striate("ui", "--port", free_port())
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and f"{LOG} cannot be written: Is a directory; give a copy" in done.stderr


def test_a_folder_named_like_a_module_is_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").write_text("raise SystemExit('this is the user's own')")
    monkeypatch.chdir(tmp_path)
    with Interruption() as interruption, serving(Home(tmp_path), port := free_port(), interruption):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60) as answer:
            assert answer.status == 200
