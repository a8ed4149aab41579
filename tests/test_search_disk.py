"""A disk that fills up under the record: told in a sentence, nothing lost, and gone on with once there is room."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TINY, run_striate
from played_search import Play, asks, planted

from search.history import History
from space.errors import RecordError


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def enlarge(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=20M", str(folder)], check=True)


def test_a_full_disk_loses_nothing_that_was_recorded(small_disk: Path, tmp_path: Path) -> None:
    whole = Play(tmp_path / "whole", planted, trials=200)
    whole.create()
    expected = asks(whole.run())
    play = Play(small_disk / "search", planted, trials=200)
    play.create()
    with pytest.raises(RecordError, match="is there room on the disk"):
        play.run()
    before = History.read(play.folder)
    assert 0 < len(before.ended) < len(expected)
    play.done = {trial.number: max(trial.reports, default=0) for trial in before.trials.values()}
    enlarge(small_disk)
    after = play.run()
    assert asks(after) == expected
    for trial in before.ended:
        assert after.trials[trial.number] == trial


def test_the_command_says_it_in_a_sentence(small_disk: Path) -> None:
    nobody = "http://127.0.0.1:9"
    (small_disk / "ballast").write_bytes(b"x" * 180_000)  # room for the record to begin, and for little more
    done = run_striate("launch", TINY, "--trials", 40, "--mlflow", nobody, cwd=small_disk)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
