"""Ends a process in which something hangs, even where Python itself is stuck."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def watched(trace: Path, seconds: float) -> Iterator[None]:
    """End this process unless the block ends in time; where it hung is then written to a file."""
    with trace.open("w") as file:
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            trace.unlink(missing_ok=True)


def was_ended(trace: Path) -> bool:
    """Whether a process was ended so."""
    return trace.is_file() and trace.stat().st_size > 0
