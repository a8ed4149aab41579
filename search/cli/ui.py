"""`striate ui`: the MLflow UI on a search."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from search.cli.options import DEFAULT_HOME, HomeOption, SearchArgument, output
from search.driver import settings_of, space_of
from search.history import History
from search.home import Home
from search.record import Record


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
    record = Record(searches.existing(name))
    history = History(record.events())
    record.close()
    tracking_uri = settings_of(history).tracking_uri
    server = tracking_uri or f"http://127.0.0.1:{port}"
    found = mirror.find_parent(tracking_uri or searches.tracking_uri, history.created["id"], space_of(history).name)
    console = output()
    if found is None:
        console.print(f"{server}: MLflow does not have this search yet; `striate launch --resume` brings it there.")
    else:
        console.print(f"Search: {mirror.search_address(server, *found)}", markup=False)
        console.print(f"Trials: {mirror.trials_address(server, *found)}", markup=False)
    if tracking_uri:
        return
    console.print("The server takes some seconds to answer; Ctrl-C ends it.")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", searches.tracking_uri, "--default-artifact-root", str(searches.artifacts)]
    raise typer.Exit(subprocess.run(command, check=False).returncode)
