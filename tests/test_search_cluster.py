"""`--address`: what cannot be a Ray cluster, or cannot be used as one, is refused in a sentence."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from conftest import TINY, Striate

from search.task import Task
from space.errors import StriateError


@pytest.mark.parametrize("address", ["nonsense", "ray://127.0.0.1:6379", "127.0.0.1:99999", "127.0.0.1:", "auto"])
def test_an_address_is_a_host_and_a_port(address: str, striate: Striate, tmp_path: Path) -> None:
    done = striate("launch", TINY, "--address", address)
    assert done.returncode == 2
    assert f"--address is HOST:PORT of a Ray cluster, but '{address}' was given" in done.stderr
    assert not (tmp_path / "searches").exists()


def test_nothing_is_begun_where_nobody_answers(striate: Striate, tmp_path: Path) -> None:
    with socket.socket() as bound:  # but it does not listen
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        done = striate("launch", TINY, "--address", address)
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert f"the Ray cluster at {address} does not answer: Connection refused; give the address" in told
    assert not (tmp_path / "searches").exists()


def test_a_node_without_the_searchs_folder_says_so(tmp_path: Path) -> None:
    from search.engine import TrialWorker

    class Worker(TrialWorker):  # without Ray, which would give it a process of its own
        def __init__(self, task: Task) -> None:
            self.begun = self.failure = None
            self.reset_config({"task": task})

    task = Task(
        number=1, attempt=1, architecture="", data_folder=None, checkpoint=str(tmp_path / "away" / "trial-1.pt")
    )
    with pytest.raises(StriateError, match=r"all nodes of a cluster share, .* has no .*away; mount it there"):
        Worker(task).step()
