"""The process that mirrors a search to MLflow while it is driven, so that the two share nothing but the record.

MLflow is slow, and in one process with it the driver would wait for every line of it. That process ends by itself, also
when the driver is killed: what tells it is the end of its standard input.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from search.lock import held, is_held
from search.record import Record
from space.errors import RecordError

CURSOR = "mlflow"
LOCK = "mirror.lock"
LOG = "mirror.log"  # why it is behind; empty where it is not
PATIENCE_SECONDS = 6.0  # with an MLflow that failed
HANGING_SECONDS = 120.0  # with one that says nothing; starting takes long where trials have the machine
_BETWEEN_LOOKS = 0.1


class MirrorProcess:
    """The process that mirrors a search, as the one that drives it sees it.

    Arguments:
        folder: of the search.
        tracking_uri: of the MLflow store.
        artifacts: where a new experiment of a local store keeps artifacts; None leaves that to the server.

    """

    def __init__(self, folder: Path, tracking_uri: str, artifacts: Path | None) -> None:
        self.folder = folder
        self.behind: str | None = None
        note_behind(folder, None)
        # Without -P a folder named like one of ours, where the user happens to be, would be taken for it.
        command = [sys.executable, "-P", "-m", "search.mirroring", str(folder), tracking_uri]
        command += [str(artifacts)] if artifacts else []
        quiet = subprocess.DEVNULL
        # A session of its own, for Ctrl-C is not meant for it, and Linux weighs niceness between sessions.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
        )

    def close(self) -> None:
        """Let it catch up and end, or give up on an MLflow that gets nothing done for some seconds."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        record = Record(self.folder, read_only=True)
        seen, since = -1, time.monotonic()
        while self.process.poll() is None:
            cursor = record.cursor(CURSOR)
            patience = PATIENCE_SECONDS if why_behind(self.folder) else HANGING_SECONDS
            if cursor != seen:
                seen, since = cursor, time.monotonic()
            elif time.monotonic() - since > patience:
                self.process.kill()
                self.process.wait()
                self.behind = why_behind(self.folder) or f"it got nothing done for {patience:g} seconds"
                break
            time.sleep(_BETWEEN_LOOKS)
        else:
            if self.process.returncode:
                self.behind = why_behind(self.folder) or f"its process ended with status {self.process.returncode}"
        record.close()


def lag(folder: Path) -> int:
    """How many events of a search are not mirrored yet."""
    record = Record(folder, read_only=True)
    behind = len(record.events(after=record.cursor(CURSOR)))
    record.close()
    return behind


def why_behind(folder: Path) -> str | None:
    """What kept the mirror from going on when it last tried, in a few words; None where nothing did."""
    try:
        return (folder / LOG).read_text(encoding="utf-8") or None
    except OSError:
        return None


def note_behind(folder: Path, error: Exception | None) -> None:
    """Note what keeps the mirror from going on, for `why_behind`; None where nothing does."""
    with suppress(OSError):  # on a full disk nothing can be told
        (folder / LOG).write_text(f"{type(error).__name__}: {error}".splitlines()[0] if error else "", encoding="utf-8")


@contextmanager
def mirroring(folder: Path) -> Iterator[None]:
    """Hold the lock of the one process that may mirror a search; the system lets it go however the process ends.

    Raises:
        RecordError: another process holds it, or the folder cannot be written.

    """
    with ExitStack() as stack:
        try:
            stack.enter_context(held(folder / LOCK))
        except BlockingIOError:
            rule = f"one process mirrors a search, but {folder.name} is being mirrored"
            raise RecordError(f"{rule}; wait until it has ended") from None
        except OSError as error:
            rule = "a search is mirrored from where its folder can be written"
            raise RecordError(f"{rule}, but {folder} cannot: {error.strerror}; go there") from None
        yield


def is_mirrored(folder: Path) -> bool:
    """Whether a process mirrors the search now."""
    return is_held(folder / LOCK)
