"""A disk that fills up under the record: told in a sentence, nothing lost, and gone on with once there is room."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import TINY, run_striate
from played_search import Play, asks, planted

from search.budget import Budget
from search.history import History
from search.record import Record
from search.settings import SearchSettings
from space.errors import RecordError


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode and not os.environ.get("CI"):
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    assert mounted.returncode == 0, mounted.stderr
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


def test_what_cannot_be_written_of_a_report_is_said_in_a_sentence(tmp_path: Path) -> None:
    settings = SearchSettings(name="full", sampler="random", seed=0, tracking_uri="http://127.0.0.1:9")
    folder = tmp_path / "full"
    budget = Budget(max_trials=2).plain()
    Record.create(
        folder, id="full", settings=settings.plain(), budget=budget, space=TINY.read_text(), file="tiny.yaml"
    ).close()
    with closing(sqlite3.connect(folder / "record.sqlite")) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON event WHEN NEW.kind = 'reported'"
            " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    done = run_striate("launch", "--resume", "full", "--home", tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.startswith("Error: ") and "database or disk is full" in last, done.stderr
    assert "Traceback" not in done.stderr
