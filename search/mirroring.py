"""The process that mirrors a search: `python -m search.mirroring FOLDER TRACKING_URI [ARTIFACTS]`.

It goes on for as long as its standard input is open, then catches up and ends. So it also ends, and says what became of
the search, when the driver is killed.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

from search.mirror import Mirror
from search.mirror_process import mirroring, note_behind
from search.record import Record, is_driven
from space.errors import RecordError

NICENESS = 19  # trials, which Ray runs at 15, come first
SECONDS_BETWEEN_SYNCS = 2.0
MOST_SECONDS_BETWEEN_TRIES = 60.0
SECONDS_BETWEEN_TRIES = 0.5
TRIES = 20  # to get the lock, once the search is over
FORSAKEN_SECONDS = 120.0  # after which it leaves an MLflow that is away to `striate sync`, where nobody waits for it


def follow(folder: Path, tracking_uri: str, artifacts: Path | None, is_over: Callable[[float], bool]) -> None:
    """Bring MLflow up to date again and again, until the search is over and all of it is told.

    Arguments:
        folder: of the search.
        tracking_uri: of the MLflow store.
        artifacts: as `Mirror` has it.
        is_over: waits so many seconds, or until the search is no longer driven; whether it is not.

    """
    mirror: Mirror | None = None
    wait = 0.0
    over_since: float | None = None
    while over_since is None or time.monotonic() - over_since < FORSAKEN_SECONDS:
        if is_over(wait) and over_since is None:
            over_since = time.monotonic()
        try:
            mirror = mirror or Mirror(Record(folder), tracking_uri, artifacts)
            for _ in mirror.sync():
                over_since = over_since and time.monotonic()
            if over_since is not None:
                mirror.finish(killed=not is_driven(folder))
            note_behind(folder, None)
            wait = SECONDS_BETWEEN_SYNCS
        except Exception as error:  # whatever MLflow raises, and however often
            if mirror is not None:
                mirror.record.close()
            mirror = None  # half of an event may be done: the next one begins at the cursor again
            note_behind(folder, error)
            wait = min(max(1.0, 2 * wait), MOST_SECONDS_BETWEEN_TRIES)
        else:
            if over_since is not None:
                mirror.record.close()
                return
    sys.exit(1)


def _wait_for_end(seconds: float) -> bool:
    """Wait so long, or until the standard input has ended; once it has, it is waited for less patiently."""
    if select.select([sys.stdin], [], [], 0)[0]:
        time.sleep(min(seconds, 1.0))
        return True
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def _yield_to_trials() -> None:
    """Be nice; where Linux first divides the time among sessions, it is the niceness of the session that counts."""
    os.nice(NICENESS)
    for _ in range(3):
        try:
            Path("/proc/self/autogroup").write_text(str(NICENESS))
        except BlockingIOError:  # one in a tenth of a second on a machine
            time.sleep(0.2)
        except OSError:
            return
        else:
            return


def main() -> None:
    """Mirror, once nobody else mirrors the search."""
    _yield_to_trials()
    folder, tracking_uri, *artifacts = sys.argv[1:]
    tries = 0
    while True:
        try:
            with mirroring(Path(folder)):
                return follow(Path(folder), tracking_uri, Path(artifacts[0]) if artifacts else None, _wait_for_end)
        except RecordError as error:
            tries += _wait_for_end(SECONDS_BETWEEN_TRIES)
            if tries == TRIES:
                note_behind(Path(folder), error)
                sys.exit(1)


if __name__ == "__main__":
    main()
