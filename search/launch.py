"""Launching a search, or going on with one: record, mirror, engine and display put together."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from search.asks import Asks
from search.budget import Budget
from search.data import fitting_data
from search.driver import Driver, settings_of, space_of
from search.export import BEST_FILE, architecture_text, write_text
from search.history import History
from search.home import Home
from search.interruption import Interruption
from search.mirror_process import MirrorProcess
from search.record import Record, driving
from search.settings import SearchSettings
from search.slots import choose, predicted_memory
from space.errors import SpecificationError, StriateError
from space.model import Architecture
from space.space import Space
from space.tree import Hole, Integers, Mapping, Scalar

CHECKED_SAMPLES = 32


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a search stopped.

    Arguments:
        status: `finished` or `interrupted`.
        folder: of the search.
        history: of it.
        best: file of the best architecture, or None where no trial is complete.
        behind: why MLflow could not be brought up to date, or None where it was.

    """

    status: str
    folder: Path
    history: History
    best: Path | None
    behind: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is given for one start of a search; what is not given stays as it was.

    Arguments:
        budget: parts of the budget, by name.
        slots: how many trials run at once.
        gpus: how many GPUs of this machine to use.
        address: of a Ray cluster.

    """

    budget: dict[str, float | None] = field(default_factory=dict)
    slots: int | None = None
    gpus: int | None = None
    address: str | None = None


def create(home: Home, space: Space, settings: SearchSettings, budget: Budget) -> Path:
    """Begin the record of a new search, after everything that it needs was found to be there.

    Returns:
        The search's folder.

    Raises:
        StriateError: the data is not there or does not fit, or the folder cannot be written.

    """
    Asks(space, settings)
    check_data(space, settings.data_folder)
    folder = home.folder(settings.name)
    identity = uuid.uuid4().hex
    decided = settings.plain()
    Record.create(
        folder, id=identity, settings=decided, budget=budget.plain(), space=space.text, file=space.file
    ).close()
    return folder


def check_data(space: Space, folder: str | None) -> None:
    """Refuse data that is not there, or that a network of the space could not read.

    Raises:
        SpecificationError: it says where in the space's file.

    """
    checked = set()
    for architecture in _some(space):
        reads = (architecture.train.data, architecture.input, architecture.time.stimulus.frames)
        if reads not in checked:
            checked.add(reads)
            fitting_data(space, architecture, Path(folder) if folder else None)


def drive(
    home: Home,
    folder: Path,
    *,
    given: Given,
    on_event: Callable[[History], None],
    before: Callable[[Driver], object] = lambda driver: None,
) -> Outcome:
    """Run a search's trials until its budget is spent, or until Ctrl-C.

    Arguments:
        home: where the search lives.
        folder: of the search.
        given: what was given for this start.
        on_event: called after each write to the record.
        before: called with the driver before anything runs.

    Raises:
        StriateError: the search cannot go on; what was finished is in the record.

    """
    with Interruption() as interruption, driving(folder):
        from search import cluster, engine  # slow to import: what can be refused before was refused

        history = History.read(folder)
        settings, space = settings_of(history), space_of(history)
        rungs = engine.Asha(settings, most_epochs(space)) if settings.scheduler == "asha" else None
        driver = Driver(folder, on_event, rungs)
        check_data(driver.space, driver.settings.data_folder)
        before(driver)
        driver.budget = driver.budget.changed(**given.budget)
        tracking_uri = settings.tracking_uri
        artifacts = None if tracking_uri else home.artifacts
        mirroring = MirrorProcess(folder, tracking_uri or home.tracking_uri, artifacts)
        status = "failed"
        try:
            interruption.check()
            if driver.history.unfinished or driver.has_more:
                with cluster.connected(given.address, given.gpus, interruption) as machine:
                    needed = predicted_memory(space) if machine.gpu_memory else []
                    wanted = given.slots or driver.history.started.get("asked_slots")
                    slots = choose(machine, needed, wanted)
                    driver.start(slots, wanted)
                    interruption.check()
                    engine.run(driver, slots, interruption)
            status = "finished"
        except KeyboardInterrupt:
            status = "interrupted"
        except StriateError:
            raise
        except Exception as error:
            way_out = f"go on with `striate launch --resume {folder.name}`"
            raise StriateError(f"the search stopped: {type(error).__name__}: {error}; {way_out}") from error
        finally:
            _stop(driver, status, mirroring)
        best = None
        if driver.history.best is not None:
            best = folder / BEST_FILE
            write_text(best, architecture_text(driver.history, driver.history.best))
        return Outcome(status, folder, driver.history, best, mirroring.behind)


def _stop(driver: Driver, status: str, mirroring: MirrorProcess) -> None:
    try:
        driver.stop(status)
    finally:
        mirroring.close()


def most_epochs(space: Space) -> int:
    """The most epochs that a candidate of a space is trained for."""
    train = space.tree.entries.get("train")
    node = train.entries.get("epochs") if isinstance(train, Mapping) else None
    match node:
        case Scalar(int(value)):
            return value
        case Hole(domain=Integers(high=high)):
            return high
    return max(architecture.train.epochs for architecture in _some(space))


def _some(space: Space) -> Iterator[Architecture]:
    """Architectures of a space, drawn; but for those whose parts do not fit together, which are trials that fail."""
    rng = random.Random(0)
    for _ in range(CHECKED_SAMPLES if space.holes else 1):
        candidate = space.sample(rng)
        with suppress(SpecificationError):
            yield space.fill(candidate)[0]
