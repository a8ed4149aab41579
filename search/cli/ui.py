"""`striate ui`: the MLflow UI on a search."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated, TextIO

import typer

from search.cli.options import DEFAULT_HOME, HomeOption, SearchArgument, output
from search.driver import settings_of, space_of
from search.history import History
from search.home import Home
from search.interruption import Interruption
from search.mirror_addresses import search_address, trials_address
from space.errors import StriateError

LOG = "mlflow-server.log"
_BETWEEN_LOOKS = 0.2  # seconds


def ui(
    name: SearchArgument = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at, on this machine only.")] = 5000,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Serve the MLflow UI of the home folder's searches, and print the address of one.

    Example: striate ui digits-1
    """
    searches = Home(home)
    history = History.read(searches.existing(name))
    settings = settings_of(history)
    tracking_uri = settings.tracking_uri
    console = output()
    with Interruption() as interruption:
        if not tracking_uri:
            console.print("Starting the MLflow UI …")
        from search import mirror  # takes seconds

        interruption.check()
        server = tracking_uri or f"http://127.0.0.1:{port}"
        with nullcontext() if tracking_uri else serving(searches, port, interruption):
            store = tracking_uri or searches.tracking_uri
            found = mirror.find_parent(store, history.created["id"], space_of(history).name)
            if found is None:
                way_out = f"`striate sync {settings.name}` brings it there"
                console.print(f"{server}: MLflow does not have this search yet; {way_out}.")
            else:
                console.print(f"Search: {search_address(server, *found)}")
                console.print(f"Trials: {trials_address(server, *found)}")
            if not tracking_uri:
                console.print("Serving; Ctrl-C ends it.")
                while not interruption.requested:
                    time.sleep(_BETWEEN_LOOKS)


@contextmanager
def serving(home: Home, port: int, interruption: Interruption) -> Iterator[None]:
    """An MLflow server that answers, and that ends with us; what it says goes into a file of the home folder.

    Raises:
        KeyboardInterrupt: a signal came before it answered.
        StriateError: it ended, the port is taken, or the folder cannot be written.

    """
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", home.tracking_uri, "--default-artifact-root", str(home.artifacts)]
    _refuse_taken(port)
    with _log(home.path / LOG) as log:
        # Where the user happens to be, a folder named like a module would be taken for it, by uvicorn even under -P.
        process = subprocess.Popen(command, cwd=sys.prefix, stdout=log, stderr=log, start_new_session=True)
        try:
            while not _answers(port):
                interruption.check()
                if process.poll() is not None:
                    raise StriateError(
                        f"the MLflow server ended with status {process.returncode}; see {home.path / LOG}"
                    )
                time.sleep(_BETWEEN_LOOKS)
            yield
        finally:
            with suppress(ProcessLookupError):  # the server has ended by itself
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _log(file: Path) -> TextIO:
    try:
        return file.open("w")
    except OSError as error:
        rule = f"the MLflow server writes into the folder of all searches, but {file} cannot be written"
        raise StriateError(f"{rule}: {error.strerror}; give a copy of that folder with --home") from None


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


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
