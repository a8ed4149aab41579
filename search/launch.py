"""Launching a search, or going on with one: record, mirror, engine and display put together."""

from __future__ import annotations

import random
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from search.asks import Asks
from search.driver import Driver
from search.export import BEST_FILE, architecture_text, write_text
from search.history import History
from search.home import Home
from search.record import Record, driving
from search.settings import SearchSettings
from space.errors import DataError, Problem, SpecificationError
from space.model import Architecture
from space.parse import find, parse_space
from space.space import Space
from space.tree import locate
from trainers.data import registry


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a search stopped.

    Arguments:
        why: `finished` or `interrupted`.
        folder: of the search.
        history: of it.
        best: file of the best architecture, or None where no trial is complete.
        behind: why MLflow could not be brought up to date, or None where it was.

    """

    why: str
    folder: Path
    history: History
    best: Path | None
    behind: str | None


def create(home: Home, space_name: str, settings: SearchSettings, max_trials: int) -> Path:
    """Begin the record of a new search, after everything that it needs was found to be there.

    Returns:
        The search's folder.

    Raises:
        StriateError: the space is wrong, the data is not there or does not fit, or the folder cannot be written.

    """
    text, file = find(space_name)
    space = parse_space(text, file)
    Asks(space, settings)
    _check_data(space, settings.data_folder)
    folder = home.folder(settings.name)
    identity = uuid.uuid4().hex
    Record.create(folder, id=identity, settings=settings.plain(), max_trials=max_trials, space=text, file=file).close()
    return folder


def _check_data(space: Space, folder: str | None) -> None:
    architecture: Architecture
    architecture, _ = space.fill(space.sample(random.Random(0)))
    path = "train.data"
    try:
        data = registry.load(architecture.train.data, Path(folder) if folder else None)
        path = "input"
        data.check_fits(architecture.input)
    except DataError as error:
        raise SpecificationError([Problem(locate(space.tree, path), path, str(error))]) from None


def drive(
    home: Home,
    folder: Path,
    *,
    max_trials: int | None,
    slots: int | None,
    on_event: Callable[[History], None],
) -> Outcome:
    """Run a search's trials until there are as many as wanted, or until Ctrl-C.

    Arguments:
        home: where the search lives.
        folder: of the search.
        max_trials: how many trials there shall be in all; None for as many as were wanted the last time.
        slots: how many run at once; None for one for each GPU, or CPU where there is none.
        on_event: called after each event.

    """
    from search import engine, mirror  # slow to import: everything that can be refused was refused before

    with driving(folder):
        driver = Driver(folder, on_event)
        slots = slots or engine.default_slots()
        max_trials = max_trials or driver.history.max_trials
        tracking_uri = driver.settings.tracking_uri
        artifacts = None if tracking_uri else home.artifacts
        mirroring = mirror.MirrorThread(folder, tracking_uri or home.tracking_uri, artifacts)
        mirroring.start()
        why = "failed"
        try:
            with _interruptible():
                driver.start(max_trials, slots=slots)
                if driver.has_more:
                    engine.run(driver, slots)
            why = "finished"
        except KeyboardInterrupt:
            why = "interrupted"
        finally:
            with _uninterruptible():
                driver.stop(why)
                mirroring.close()
        best = None
        if driver.history.best is not None:
            best = folder / BEST_FILE
            write_text(best, architecture_text(driver.history, driver.history.best))
        return Outcome(why, folder, driver.history, best, mirroring.behind)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let a polite kill end the search as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _uninterruptible() -> Iterator[None]:
    """Let a second Ctrl-C wait until what must be written is written."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
