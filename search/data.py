"""The data that an architecture names: found, and found to fit, before anything is trained."""

from __future__ import annotations

from pathlib import Path

from space.errors import DataError, Problem, SpecificationError
from space.model import Architecture
from space.space import Space
from space.tree import locate
from trainers.data import registry
from trainers.data.dataset import DataSet


def fitting_data(space: Space, architecture: Architecture, folder: Path | None) -> DataSet:
    """The data of an architecture of a space.

    Raises:
        SpecificationError: it is not there, or not what the architecture reads; it says where in the space's file.

    """
    path = "train.data"
    try:
        data = registry.load(architecture.train.data, folder)
        path = "input"
        data.check_fits(architecture.input)
        path = "time.stimulus.frames"
        if architecture.time.stimulus.frames:
            rule = f"with `frames` each step is shown an image of its own, but {data.name} has single images"
            raise DataError(f"{rule}; take `frames` away")
    except DataError as error:
        raise SpecificationError([Problem(locate(space.tree, path), path, str(error))]) from None
    return data
