"""`striate ui`: the MLflow UI on a search."""

from __future__ import annotations

import os
import socket
import sys
from typing import Annotated

import typer

from search.cli.options import DEFAULT_HOME, HomeOption, SearchArgument, output
from search.driver import settings_of, space_of
from search.history import History
from search.home import Home
from space.errors import StriateError


def ui(
    name: SearchArgument = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at, on this machine only.")] = 5000,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Serve the MLflow UI of the home folder's searches, and print the address of one.

    Example: striate ui digits-1
    """
    from search import mirror

    searches = Home(home)
    history = History.read(searches.existing(name))
    tracking_uri = settings_of(history).tracking_uri
    server = tracking_uri or f"http://127.0.0.1:{port}"
    found = mirror.find_parent(tracking_uri or searches.tracking_uri, history.created["id"], space_of(history).name)
    console = output()
    if found is None:
        console.print(f"{server}: MLflow does not have this search yet; `striate launch --resume` brings it there.")
    else:
        console.print(f"Search: {mirror.search_address(server, *found)}")
        console.print(f"Trials: {mirror.trials_address(server, *found)}")
    if tracking_uri:
        return
    _refuse_taken(port)
    console.print("The server takes some seconds to answer; Ctrl-C ends it.")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", searches.tracking_uri, "--default-artifact-root", str(searches.artifacts)]
    os.execv(sys.executable, command)  # it takes our place, so that what ends this command ends the server


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            way_out = "give another one with --port"
            raise StriateError(
                f"port {port} is to be listened at, but it is not free: {error.strerror}; {way_out}"
            ) from None
