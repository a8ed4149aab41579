"""Where searches live: one folder, `searches` unless one says otherwise, with a folder for each search.

searches/
    digits-1/record.sqlite    what happened, event by event
    digits-1/best.yaml        the best architecture, written when the search stops
    mlflow.db                 the MLflow store that mirrors all of them, unless a server does
    mlflow-artifacts/
"""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from search.record import FILE
from space.errors import UsageError, did_you_mean
from space.forms import is_name


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of all searches."""

    path: Path

    @property
    def tracking_uri(self) -> str:
        """The MLflow store in this folder."""
        return f"sqlite:///{self.path.resolve() / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        """Where that store keeps artifacts."""
        return self.path.resolve() / "mlflow-artifacts"

    def searches(self) -> list[str]:
        """Names of the searches, the one that was written last at the end."""
        return [record.parent.name for record in sorted(self.path.glob(f"*/{FILE}"), key=_written_at)]

    def folder(self, name: str) -> Path:
        """Where a search of this name lives.

        Raises:
            UsageError: the name cannot be that of a folder.

        """
        if not is_name(name):
            rule = "a search's name is a letter, then up to 63 letters, digits, `_` or `-`"
            raise UsageError(f"{rule}, but {name!r} was given; choose another")
        return self.path / name

    def existing(self, name: str | None) -> Path:
        """The folder of an existing search; without a name, of the one that was written last.

        Raises:
            UsageError: there is none.

        """
        names = self.searches()
        if not names:
            what = "no search" if name is None else f"no search {name!r}, nor any other,"
            way_out = "begin one with `striate launch digits`, or name another folder with --home"
            raise UsageError(f"there is {what} in the folder {self.path.resolve()}; {way_out}")
        if name is None:
            return self.path / names[-1]
        if name not in names:
            raise UsageError(f"there is no search {name!r} in {self.path}; {did_you_mean(name, names)}")
        return self.path / name

    def free_name(self, space: str) -> str:
        """A name for a new search on a space: its own with the next number."""
        return next(name for k in itertools.count(1) if not (self.path / (name := f"{space}-{k}")).exists())


def _written_at(record: Path) -> float:
    """When a record was last written; while a search runs, its write-ahead log changes (that of a reader is empty)."""
    times = []
    for path in (record, record.with_name(f"{record.name}-wal")):
        with suppress(FileNotFoundError):  # a log goes with the last who has the record open
            found = path.stat()
            times += [found.st_mtime] if found.st_size else []
    return max(times, default=0.0)
