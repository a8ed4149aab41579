"""The address of a Ray cluster, refused before anything slow is done where nobody can be there."""

from __future__ import annotations

import re
import socket

from space.errors import StriateError, UsageError

CONNECT_SECONDS = 5.0
WAY_OUT = "give the address that `ray start --head` printed"
_ADDRESS = re.compile(r"([\w.-]+|\[[\da-fA-F:]+\]):(\d{1,5})")


def refuse_unreachable(address: str) -> None:
    """Refuse what is no address, or one at which nothing listens.

    Raises:
        UsageError: it is not HOST:PORT.
        StriateError: nothing listens there.

    """
    parts = _ADDRESS.fullmatch(address)
    if parts is None or int(parts[2]) > 65535:
        rule = f"--address is HOST:PORT of a Ray cluster, but {address!r} was given"
        raise UsageError(f"{rule}; {WAY_OUT}, or leave it out to run on this machine")
    try:
        socket.create_connection((parts[1].strip("[]"), int(parts[2])), CONNECT_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise StriateError(f"the Ray cluster at {address} does not answer: {reason}; {WAY_OUT}") from None
