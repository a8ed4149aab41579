"""The record of a search: one SQLite file of events, the truth that everything else is read from.

An event is written, and on disk, before anything is acted on: killing the search at any moment loses no finished
measurement. Nothing in the file is ever changed but the cursors of those who read along.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.errors import RecordError

FILE = "record.sqlite"
LOCK = "record.lock"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Arguments:
        number: order in the record, from 1.
        at: seconds since 1970, UTC.
        kind: one of `created`, `started`, `stopped` (of the search; trial 0), `asked`, `begun`, `reported`,
            `interrupted`, `ended` (of a trial).
        trial: number of the trial, from 1.
        attempt: which attempt at the trial, from 1.
        payload: what is to be known of it, as JSON would have it.

    """

    number: int
    at: float
    kind: str
    trial: int
    attempt: int
    payload: dict[str, Any]


def _create_events(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE event (number INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL,"
        " trial INTEGER NOT NULL, attempt INTEGER NOT NULL, payload TEXT NOT NULL)"
    )
    connection.execute("CREATE TABLE cursor (reader TEXT PRIMARY KEY, event INTEGER NOT NULL)")


# In order; the file's user_version says how many of them it has seen. Append only.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_create_events,)


class Record:
    """The open record of one search; each thread opens its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / FILE).is_file():
            raise RecordError(
                f"a search's folder holds {FILE}, but {folder} does not; `striate status` lists the searches"
            )
        try:
            self._connection = sqlite3.connect(folder / FILE, isolation_level=None, timeout=60)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._migrate()
        except sqlite3.Error as error:
            raise RecordError(
                f"{folder / FILE} cannot be opened as a record: {error}; is it the file of a search?"
            ) from None

    @classmethod
    def create(cls, folder: Path, **payload: Any) -> Record:
        """Begin the record of a new search with the event `created`; the folder must not have one yet.

        Raises:
            RecordError: the folder cannot be written, or holds a search already.

        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / FILE).touch(exist_ok=False)
        except FileExistsError:
            way_out = "go on with `striate launch --resume`, or give another --name"
            raise RecordError(
                f"a new search has a folder of its own, but {folder} holds one already; {way_out}"
            ) from None
        except OSError as error:
            raise RecordError(
                f"{folder} cannot be written: {error.strerror}; give another folder with --home"
            ) from None
        record = cls(folder)
        record.append("created", **payload)
        return record

    def _migrate(self) -> None:
        (seen,) = self._connection.execute("PRAGMA user_version").fetchone()
        if seen > len(MIGRATIONS):
            raise RecordError(f"{self.folder / FILE} was written by a newer version of striate; install that one")
        for version, migration in enumerate(MIGRATIONS[seen:], start=seen + 1):
            with self._transaction():
                migration(self._connection)
                self._connection.execute(f"PRAGMA user_version = {version}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def append(self, kind: str, trial: int = 0, attempt: int = 0, **payload: Any) -> Event:
        """Write an event; it is on disk when this returns. Numbers that are not finite become null."""
        at = time.time()
        text = json.dumps(_finite(payload), allow_nan=False)
        with self._transaction():
            cursor = self._connection.execute(
                "INSERT INTO event (at, kind, trial, attempt, payload) VALUES (?, ?, ?, ?, ?)",
                (at, kind, trial, attempt, text),
            )
        assert cursor.lastrowid is not None
        return Event(cursor.lastrowid, at, kind, trial, attempt, json.loads(text))

    def events(self, after: int = 0) -> list[Event]:
        """Every event whose number is above `after`, in order."""
        rows = self._connection.execute(
            "SELECT number, at, kind, trial, attempt, payload FROM event WHERE number > ? ORDER BY number", (after,)
        )
        return [Event(n, at, kind, trial, attempt, json.loads(text)) for n, at, kind, trial, attempt, text in rows]

    def cursor(self, reader: str) -> int:
        """The last event that a reader has dealt with."""
        row = self._connection.execute("SELECT event FROM cursor WHERE reader = ?", (reader,)).fetchone()
        return int(row[0]) if row else 0

    def move_cursor(self, reader: str, event: int) -> None:
        """Note that a reader has dealt with everything up to an event."""
        with self._transaction():
            self._connection.execute("INSERT OR REPLACE INTO cursor (reader, event) VALUES (?, ?)", (reader, event))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@contextmanager
def driving(folder: Path) -> Iterator[None]:
    """Hold the lock of the one process that may drive a search; the system lets it go however the process ends.

    Raises:
        RecordError: another process holds it.

    """
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise RecordError(
                f"one process drives a search, but {folder.name} is driven by process {holder}; stop that one first"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
