"""Launching a search, or going on with one: record, mirror, engine and display put together."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search.asks import Asks
from search.data import fitting_data
from search.driver import Driver
from search.export import BEST_FILE, architecture_text, write_text
from search.history import History
from search.home import Home
from search.interruption import Interruption
from search.record import Record, driving
from search.settings import SearchSettings
from space.errors import StriateError
from space.space import Space

if TYPE_CHECKING:
    from search.mirror import MirrorThread

CHECKED_SAMPLES = 32


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


def create(home: Home, space: Space, settings: SearchSettings, max_trials: int) -> Path:
    """Begin the record of a new search, after everything that it needs was found to be there.

    Returns:
        The search's folder.

    Raises:
        StriateError: the data is not there or does not fit, or the folder cannot be written.

    """
    Asks(space, settings)
    _check_data(space, settings.data_folder)
    folder = home.folder(settings.name)
    identity = uuid.uuid4().hex
    decided = settings.plain()
    Record.create(
        folder, id=identity, settings=decided, max_trials=max_trials, space=space.text, file=space.file
    ).close()
    return folder


def _check_data(space: Space, folder: str | None) -> None:
    """Refuse data that is not there, or that a network of the space could not read."""
    rng = random.Random(0)
    checked = set()
    for _ in range(CHECKED_SAMPLES if space.holes else 1):
        architecture, _ = space.fill(space.sample(rng))
        reads = (architecture.train.data, architecture.input, architecture.time.stimulus.frames)
        if reads not in checked:
            checked.add(reads)
            fitting_data(space, architecture, Path(folder) if folder else None)


def drive(
    home: Home, folder: Path, *, max_trials: int | None, slots: int | None, on_event: Callable[[History], None]
) -> Outcome:
    """Run a search's trials until there are as many as wanted, or until Ctrl-C.

    Arguments:
        home: where the search lives.
        folder: of the search.
        max_trials: how many trials there shall be in all; None for as many as were wanted the last time.
        slots: how many run at once; None for as many as the last time, or one for each GPU, or CPU where there is none.
        on_event: called after each write to the record.

    Raises:
        StriateError: the search cannot go on; what was finished is in the record.

    """
    with Interruption() as interruption, driving(folder):
        from search import engine, mirror  # slow to import: everything that can be refused was refused before

        driver = Driver(folder, on_event)
        _check_data(driver.space, driver.settings.data_folder)
        slots = slots or driver.history.started.get("slots") or engine.default_slots()
        engine.check_slots(slots)
        driver.start(max_trials or driver.history.max_trials, slots)
        tracking_uri = driver.settings.tracking_uri
        mirroring = mirror.MirrorThread(
            folder, tracking_uri or home.tracking_uri, None if tracking_uri else home.artifacts
        )
        mirroring.start()
        why = "failed"
        try:
            if driver.has_more:
                interruption.check()
                engine.run(driver, slots, interruption)
            why = "finished"
        except KeyboardInterrupt:
            why = "interrupted"
        except StriateError:
            raise
        except Exception as error:
            way_out = f"go on with `striate launch --resume {folder.name}`"
            raise StriateError(f"the search stopped: {type(error).__name__}: {error}; {way_out}") from error
        finally:
            _stop(driver, why, mirroring)
        best = None
        if driver.history.best is not None:
            best = folder / BEST_FILE
            write_text(best, architecture_text(driver.history, driver.history.best))
        return Outcome(why, folder, driver.history, best, mirroring.behind)


def _stop(driver: Driver, why: str, mirroring: MirrorThread) -> None:
    try:
        driver.stop(why)
    finally:
        mirroring.close()
