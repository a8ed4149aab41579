"""What docker-compose.yml says, and its services as processes of this machine instead of containers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::([?-])([^}]*))?\})")


class UnsetError(Exception):
    """A variable that must be set is not."""


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """A string of a compose file, as the specification has its variables filled in.

    Raises:
        UnsetError: a required one is not given; with the file's own message.

    """

    def value(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if name is None:
            return "$"
        if variables.get(name):
            return variables[name]
        if kind == "?":
            raise UnsetError(f"{name}: {rest}")
        return rest or ""

    return _VARIABLE.sub(value, text)


def services() -> dict[str, dict[str, Any]]:
    """The services of the file, by name, with variables left as they are written."""
    return dict(yaml.safe_load(FILE.read_text())["services"])


class Processes:
    """Services of the compose file as processes.

    Arguments:
        folder: in which they write; its path must be short, for there will be sockets in it.
        variables: of the compose file.
        places: text of the compose file → what takes its place here: hosts, ports and folders.
        changed: environment that is another here.

    """

    def __init__(
        self, folder: Path, variables: Mapping[str, str], places: Mapping[str, str], changed: Mapping[str, str]
    ) -> None:
        self.folder = folder
        self.variables = variables
        self.places = places
        self.changed = changed
        self.started: list[subprocess.Popen[bytes]] = []

    def command(self, service: str) -> list[str]:
        """What the service runs; where it has an entry point, its arguments are given at each start."""
        said = services()[service]
        return [self._here(each) for each in said.get("entrypoint") or said["command"]]

    def environment(self, service: str) -> dict[str, str]:
        """The environment of the service, over that of the tests, with this very code."""
        said = {name: self._here(str(value)) for name, value in services()[service]["environment"].items()}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **said, **self.changed}

    def start(self, service: str, *more: str) -> subprocess.Popen[bytes]:
        """Start it, with more arguments; what it prints goes to a file in the folder."""
        log = self.folder / f"{service}-{len(self.started)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*self.command(service), *more],
                cwd=self.folder,
                env=self.environment(service),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End everything that was started, and what a Ray node left behind."""
        for process in self.started:
            kill(process.pid)
            process.wait()
        for pid, _, command in _processes():
            if str(self.folder) in command and pid != os.getpid():
                kill(pid)

    def _here(self, text: str) -> str:
        text = interpolate(text, self.variables)
        for place, here in self.places.items():
            text = text.replace(place, here)
        return text


def kill(pid: int) -> None:
    """Kill a process and all that it started at once, as the end of a container does."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        for child in [child for child, parent, _ in _processes() if parent == pid]:
            kill(child)
        os.kill(pid, signal.SIGKILL)


def _processes() -> Iterator[tuple[int, int, str]]:
    """Every process: its id, that of the one that started it, its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            yield int(folder.name), int(parent), (folder / "cmdline").read_text()
