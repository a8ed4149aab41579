"""`striate ui`: it can be stopped while it starts, and its server never outlives it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from conftest import STRIATE

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


def test_a_signal_while_its_server_starts_ends_both(tmp_path: Path) -> None:
    home, port = Home(tmp_path), free_port()
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt), serving(home, port, interruption):
            raise AssertionError("it does not serve")
    assert (tmp_path / LOG).exists(), "the server was started"
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # none is left
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
