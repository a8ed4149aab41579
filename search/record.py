"""The record of a search: one SQLite file of events, the truth that everything else is read from.

An event is written, and on disk, before anything is acted on: killing the search at any moment loses no finished
measurement. Nothing in the file is ever changed but the cursors of those who read along.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.lock import held, holder, is_held
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
            `interrupted`, `ended`, `retried` (of a trial).
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


def _tell_trials_apart(connection: sqlite3.Connection) -> None:
    """Trials have keys and sizes, failures have kinds, and a search has more budgets than trials."""

    def newer(kind: str, trial: int, payload: dict[str, Any]) -> dict[str, Any]:
        match kind:
            case "created" | "started":
                return {**payload, "budget": {"max_trials": payload.pop("max_trials", 0)}}
            case "stopped":
                return {"status": payload["why"], "why": ""}
            case "asked":
                return {"key": f"unknown:{trial}", "duplicate_of": None, "replicate_of": None, **payload}
            case "interrupted":
                return {"kind": "", "reason": ""}
            case "ended":
                return {"kind": "error" if payload["end"] == "failed" else "", "reason": "", **payload}
        return payload

    rows = connection.execute("SELECT number, kind, trial, payload FROM event").fetchall()
    changed = [(json.dumps(newer(kind, trial, json.loads(text))), number) for number, kind, trial, text in rows]
    connection.executemany("UPDATE event SET payload = ? WHERE number = ?", changed)


# In order; the file's user_version says how many of them it has seen. Append only.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_create_events, _tell_trials_apart)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event to be written; fields as `Event` has them."""

    kind: str
    trial: int = 0
    attempt: int = 0
    payload: dict[str, Any] = field(default_factory=dict)


class Record:
    """The open record of one search; each thread opens its own.

    Arguments:
        folder: of the search.
        read_only: nothing in the folder is changed.

    Raises:
        RecordError: there is no record, or it cannot be read.

    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self.file = folder / FILE
        if not self.file.is_file():
            raise RecordError(
                f"a search's folder holds {FILE}, but {folder} does not; `striate status` shows the latest"
            )
        with self._told():
            self._connection = _connect(self.file, "ro" if read_only else "rw")
            if not read_only:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
            self._migrate(read_only=read_only)

    @classmethod
    def create(cls, folder: Path, **payload: Any) -> Record:
        """Begin the record of a new search with the event `created`; whole, or not at all.

        Raises:
            RecordError: the folder cannot be written, or holds a search already.

        """
        unfinished = folder / f".{FILE}.unfinished"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            unfinished.unlink(missing_ok=True)
            connection = _connect(unfinished, "rwc")
            for migration in MIGRATIONS:
                migration(connection)
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            _insert(connection, Entry("created", payload=payload))
            connection.close()
            (folder / FILE).hardlink_to(unfinished)  # which, unlike a rename, never takes another's place
            unfinished.unlink()
        except FileExistsError:
            unfinished.unlink(missing_ok=True)
            way_out = "go on with `striate launch --resume`, or give another --name"
            raise RecordError(
                f"a new search has a folder of its own, but {folder} holds one already; {way_out}"
            ) from None
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise RecordError(f"{folder} cannot be written: {reason}; give another folder with --home") from None
        return cls(folder)

    def _version(self) -> int:
        """How many migrations the file has seen."""
        (seen,) = self._connection.execute("PRAGMA user_version").fetchone()
        if seen > len(MIGRATIONS):
            raise RecordError(f"{self.file} was written by a newer version of striate; install that one")
        if seen == 0:  # a record is there with its first event, or not at all
            rule = f"a record begins with how its search was created, but {self.file} is empty"
            raise RecordError(f"{rule}; copy it again from where it came, or delete its folder")
        return int(seen)

    def _migrate(self, *, read_only: bool) -> None:
        """Bring a record of an older version up to date; for one who only reads it, a copy in memory."""
        seen = self._version()
        if seen == len(MIGRATIONS):
            return
        if read_only:
            copy = sqlite3.connect(":memory:", isolation_level=None)
            self._connection.backup(copy)
            self._connection.close()
            self._connection = copy
        for version, migration in enumerate(MIGRATIONS[seen:], start=seen + 1):
            with self._transaction():
                migration(self._connection)
                self._connection.execute(f"PRAGMA user_version = {version}")
        if read_only:
            self._connection.execute("PRAGMA query_only = ON")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite raises, told in one sentence."""
        try:
            yield
        except sqlite3.Error as error:
            rule = "is it whole, and of a search, and is there room on the disk"
            raise RecordError(f"{self.file} cannot be used as a record: {error}; {rule}?") from None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def append(self, *entries: Entry) -> list[Event]:
        """Write events, all or none; they are on disk when this returns. Numbers that are not finite become null."""
        with self._told(), self._transaction():
            return [_insert(self._connection, entry) for entry in entries]

    def events(self, after: int = 0) -> list[Event]:
        """Every event whose number is above `after`, in order."""
        query = "SELECT number, at, kind, trial, attempt, payload FROM event WHERE number > ? ORDER BY number"
        with self._told():
            rows = self._connection.execute(query, (after,)).fetchall()
        return [Event(n, at, kind, trial, attempt, json.loads(text)) for n, at, kind, trial, attempt, text in rows]

    def cursor(self, reader: str) -> int:
        """The last event that a reader has dealt with."""
        with self._told():
            row = self._connection.execute("SELECT event FROM cursor WHERE reader = ?", (reader,)).fetchone()
        return int(row[0]) if row else 0

    def move_cursor(self, reader: str, event: int) -> None:
        """Note that a reader has dealt with everything up to an event."""
        with self._told(), self._transaction():
            self._connection.execute("INSERT OR REPLACE INTO cursor (reader, event) VALUES (?, ?)", (reader, event))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=60)


def _insert(connection: sqlite3.Connection, entry: Entry) -> Event:
    at = time.time()
    text = json.dumps(_finite(entry.payload), allow_nan=False)
    number = connection.execute(
        "INSERT INTO event (at, kind, trial, attempt, payload) VALUES (?, ?, ?, ?, ?)",
        (at, entry.kind, entry.trial, entry.attempt, text),
    ).lastrowid
    assert number is not None
    return Event(number, at, entry.kind, entry.trial, entry.attempt, json.loads(text))


@contextmanager
def driving(folder: Path) -> Iterator[None]:
    """Hold the lock of the one process that may drive a search; the system lets it go however the process ends.

    Raises:
        RecordError: another process holds it, or the folder cannot be written.

    """
    with ExitStack() as stack:
        try:
            stack.enter_context(held(folder / LOCK))
        except BlockingIOError:
            raise _driven(folder) from None
        except OSError as error:
            rule = "a search is driven from where it can be"
            raise RecordError(f"{folder} cannot be written: {error.strerror}; {rule}") from None
        yield


def refuse_driven(folder: Path) -> None:
    """Refuse early what `driving` would refuse later.

    Raises:
        RecordError: another process drives the search.

    """
    if is_driven(folder):
        raise _driven(folder)


def _driven(folder: Path) -> RecordError:
    rule = f"one process drives a search, but {folder.name} is driven by process {holder(folder / LOCK)}"
    return RecordError(f"{rule}; stop that one first")


def is_driven(folder: Path) -> bool:
    """Whether a process drives the search now."""
    return is_held(folder / LOCK)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
