"""What all tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

settings.register_profile("striate", deadline=None)  # a busy machine is no fault; all else as usual, or as usual in CI
settings.load_profile("striate")

STRIATE = Path(sys.executable).parent / "striate"
TINY = Path(__file__).parent / "spaces" / "tiny.yaml"

Striate = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Sums in another order give other last digits."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Images are prepared for the tests alone, and for the commands that they run."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("STRIATE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def run_striate(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command line as a user does."""
    environment = {key: value for key, value in os.environ.items() if key != "STRIATE_HOME"}
    command = [str(STRIATE), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def striate(tmp_path: Path) -> Striate:
    """The command line, in a folder of its own."""
    return lambda *arguments: run_striate(*arguments, cwd=tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which one real search of 12 trials was launched and finished, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    done = run_striate("launch", TINY, "--trials", 12, "--slots", 2, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout
