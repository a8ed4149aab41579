"""The record: what was acknowledged is there, whatever happens to the writer."""

from __future__ import annotations

import fcntl
import json
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, Striate

from search.budget import Budget
from search.history import History
from search.record import FILE, LOCK, MIGRATIONS, Entry, Record, driving, is_driven
from space.errors import RecordError
from space.parse import find, parse_space


def test_events_come_back_in_order_as_they_were_written(tmp_path: Path) -> None:
    record = Record.create(tmp_path / "s", id="x", nested={"a": [1, 2.5, None, "b"]})
    payload = {"loss": float("nan"), "deep": {"bad": [float("inf"), 1.0]}}
    (written,) = record.append(Entry("asked", 3, 1, payload))
    assert written.payload == {"loss": None, "deep": {"bad": [None, 1.0]}}
    again = Record(tmp_path / "s")
    created, asked = again.events()
    assert (created.kind, created.payload) == ("created", {"id": "x", "nested": {"a": [1, 2.5, None, "b"]}})
    assert asked == written
    assert again.events(after=created.number) == [asked]


def test_a_cursor_stays_where_it_was_moved(tmp_path: Path) -> None:
    record = Record.create(tmp_path / "s")
    assert record.cursor("mlflow") == 0
    record.move_cursor("mlflow", 7)
    assert Record(tmp_path / "s").cursor("mlflow") == 7


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    writer = (
        "from pathlib import Path; from search.record import Entry, Record\n"
        f"record = Record.create(Path({str(tmp_path / 's')!r}))\n"
        "while True: print(record.append(Entry('asked', 1))[0].number, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [int(next(process.stdout)) for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
    numbers = [event.number for event in Record(tmp_path / "s").events()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= acknowledged[-1]


def test_a_second_search_does_not_take_a_folder(tmp_path: Path) -> None:
    Record.create(tmp_path / "s", id="first")
    with pytest.raises(RecordError, match="holds one already"):
        Record.create(tmp_path / "s", id="second")
    assert [event.payload["id"] for event in Record(tmp_path / "s").events()] == ["first"]


def test_one_process_drives_a_search(tmp_path: Path) -> None:
    Record.create(tmp_path / "s")
    holder = (
        "import sys; from pathlib import Path; from search.record import driving\n"
        f"with driving(Path({str(tmp_path / 's')!r})): print('held', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(RecordError, match=f"driven by process {process.pid}"), driving(tmp_path / "s"):
        pass
    process.kill()
    process.communicate()
    assert not is_driven(tmp_path / "s")
    with driving(tmp_path / "s"):  # the system let the lock go
        assert is_driven(tmp_path / "s")


def test_who_looks_whether_a_search_is_driven_is_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Record.create(tmp_path / "s")
    with (tmp_path / "s" / LOCK).open("w") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        monkeypatch.setattr("search.lock.time.sleep", lambda seconds: look.close())
        with driving(tmp_path / "s"):
            assert is_driven(tmp_path / "s")


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=FILE):
        Record(tmp_path)
    (tmp_path / FILE).write_text("these are not the bytes of a database" * 10)
    with pytest.raises(RecordError, match="cannot be used as a record"):
        Record(tmp_path)


def test_a_newer_record_is_refused(tmp_path: Path) -> None:
    Record.create(tmp_path / "s").close()
    connection = sqlite3.connect(tmp_path / "s" / FILE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(RecordError, match="newer version"):
        Record(tmp_path / "s")


def test_history_folds_the_life_of_trials(tmp_path: Path) -> None:
    record = Record.create(tmp_path / "s", budget={"max_trials": 9})
    asked = {"candidate": {"a": 1}, "sampler": "prior", "seed": 5, "edges": ["B>A"], "parameters": 10}
    record.append(*(Entry("asked", number, 0, {**asked, "key": str(number)}) for number in (1, 2, 3, 4)))
    told = {"kind": "", "reason": ""}
    failed = {"end": "failed", "objective": None, "kind": "out_of_memory", "reason": "MemoryError: x"}
    record.append(
        Entry("begun", 1, 1),
        Entry("reported", 1, 1, {"epoch": 1, "top1": 0.2, "seconds": 2.0, "proxies": {"synflow": 3.0}}),
        Entry("interrupted", 1, 1, {"kind": "worker_died", "reason": "y"}),
        Entry("begun", 1, 2),
        Entry("reported", 1, 2, {"epoch": 1, "top1": 0.2, "seconds": 2.5}),
        Entry("ended", 1, 2, {"end": "complete", "objective": 0.7, **told}),
        Entry("begun", 2, 1),
        Entry("ended", 2, 1, failed),
        Entry("begun", 3, 1),
        Entry("ended", 3, 1, {"end": "diverged", "objective": 0.9, **told}),  # told high, but never the best
    )
    history = History(record.events())
    assert [(trial.number, trial.end, trial.attempt) for trial in history.ended] == [
        (1, "complete", 2),
        (2, "failed", 1),
        (3, "diverged", 1),
    ]
    assert [trial.number for trial in history.unfinished] == [4]
    assert history.best is history.trials[1]
    assert history.trials[1].crashes == ["worker_died"]
    assert history.trials[1].proxies == {"synflow": 3.0}
    assert (history.trials[2].kind, history.trials[2].reason) == ("out_of_memory", "MemoryError: x")
    assert history.trained_seconds == 4.5
    assert (history.counted, history.ended_counted) == (4, 3)


def test_what_ran_when_a_search_was_killed_runs_no_more_once_it_goes_on(tmp_path: Path) -> None:
    record = Record.create(tmp_path / "s", budget={"max_trials": 9})
    asked = {"candidate": {"a": 1}, "sampler": "prior", "seed": 5, "edges": [], "parameters": 10}
    record.append(*(Entry("asked", number, 0, {**asked, "key": str(number)}) for number in (1, 2)))
    record.append(Entry("started"), Entry("begun", 1, 1), Entry("begun", 2, 1))
    assert [trial.running for trial in History(record.events()).unfinished] == [True, True]
    record.append(Entry("started"), Entry("begun", 2, 2))
    assert [trial.running for trial in History(record.events()).unfinished] == [False, True]


def first_version(folder: Path, settings: dict[str, object], space: str, candidate: dict[str, object]) -> None:
    """A search as the first version recorded it, interrupted after two of its three trials."""
    folder.mkdir(parents=True)
    connection = sqlite3.connect(folder / FILE)
    MIGRATIONS[0](connection)
    connection.execute("PRAGMA user_version = 1")
    asked = {"candidate": candidate, "sampler": "prior", "seed": 5, "edges": [], "parameters": 10}
    asked |= {"log_prior": -1.0, "log_propensity": -1.0}
    rows = [
        ("created", 0, {"id": "x", "settings": settings, "max_trials": 2, "space": space, "file": "f"}),
        ("started", 0, {"max_trials": 3, "slots": 2}),
        ("asked", 1, asked),
        ("asked", 2, asked),
        ("begun", 1, {}),
        ("reported", 1, {"epoch": 1, "top1": 0.5, "seconds": 1.0}),
        ("ended", 1, {"end": "complete", "objective": 0.5}),
        ("ended", 2, {"end": "failed", "objective": None, "reason": "x"}),
        ("stopped", 0, {"why": "interrupted"}),
    ]
    for kind, trial, payload in rows:
        query = "INSERT INTO event (at, kind, trial, attempt, payload) VALUES (0, ?, ?, 1, ?)"
        connection.execute(query, (kind, trial, json.dumps(payload)))
    connection.commit()
    connection.close()


def test_a_record_of_the_first_version_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    first_version(folder, {}, "…", {"a": 1})
    before = (folder / FILE).read_bytes()
    reader = Record(folder, read_only=True)
    history = History(reader.events())
    with pytest.raises(RecordError, match="readonly"):
        reader.append(Entry("asked", 1))
    reader.close()
    assert (folder / FILE).read_bytes() == before, "who reads it leaves it as it is"
    assert Budget.of(history).max_trials == 3
    assert history.status == "interrupted"
    assert [(trial.end, trial.kind, trial.duplicate_of) for trial in history.trials.values()] == [
        ("complete", "", None),
        ("failed", "error", None),
    ]
    assert len(set(history.keys)) == 2, "of what was never appraised nothing is a duplicate"
    writer = Record(folder)
    assert History(writer.events()).trials == history.trials
    writer.close()
    assert (folder / FILE).read_bytes() != before


def test_a_search_of_the_first_version_is_shown_and_gone_on_with(tmp_path: Path, striate: Striate) -> None:
    space = parse_space(*find(str(TINY)))
    settings: dict[str, object] = {"name": "old", "sampler": "random", "seed": 0, "data_folder": None}
    settings["tracking_uri"] = "http://127.0.0.1:9"
    first_version(tmp_path / "searches" / "old", settings, space.text, space.sample(random.Random(0)))
    shown = striate("status", "old")
    assert shown.returncode == 0, shown.stderr
    assert "2 of 3 ended" in shown.stdout
    done = striate("launch", "--resume", "old")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [trial.end for trial in History.read(tmp_path / "searches" / "old").ended] == [
        "complete",
        "failed",
        "complete",
    ]


def test_an_empty_file_is_no_record(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    for read_only in (True, False):
        with pytest.raises(RecordError, match=f"{FILE} is empty"):
            Record(tmp_path, read_only=read_only)


def test_events_written_together_are_there_together_or_not_at_all(tmp_path: Path) -> None:
    record = Record.create(tmp_path / "s")
    with pytest.raises(TypeError):
        record.append(Entry("reported", 1), Entry("ended", 1, 0, {"end": object()}))
    assert [event.kind for event in record.events()] == ["created"]
    record.append(Entry("asked", 1))  # the connection is as good as before
    assert [event.kind for event in record.events()] == ["created", "asked"]


def test_a_writer_that_was_stopped_while_it_waited_can_write_again(tmp_path: Path) -> None:
    record = Record.create(tmp_path / "s")
    other = sqlite3.connect(tmp_path / "s" / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises((KeyboardInterrupt, RecordError)):
            record._connection.execute("PRAGMA busy_timeout = 1000")
            record.append(Entry("asked", 1))
    finally:
        signal.signal(signal.SIGALRM, before)
    other.execute("ROLLBACK")
    other.close()
    record.append(Entry("stopped"))
    assert [event.kind for event in record.events()] == ["created", "stopped"]


def test_readers_change_nothing(tmp_path: Path) -> None:
    Record.create(tmp_path / "s", max_trials=1).close()
    reader = Record(tmp_path / "s", read_only=True)
    assert [event.kind for event in reader.events()] == ["created"]
    with pytest.raises(RecordError, match="readonly"):
        reader.append(Entry("asked", 1))


def test_a_damaged_record_is_told_in_one_sentence(tmp_path: Path) -> None:
    record = Record.create(tmp_path / "s")
    record.append(*(Entry("asked", number, 0, {"candidate": {"x": "y" * 500}}) for number in range(100)))
    record.close()
    file = tmp_path / "s" / FILE
    raw = bytearray(file.read_bytes())
    raw[8192:20480] = b"\xff" * 12288
    file.write_bytes(raw)
    with pytest.raises(RecordError, match="cannot be used as a record"):
        History.read(tmp_path / "s")
