"""What a data set is, and the fixed split of its training images that a search may see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from space.errors import DataError
from space.model import Input

SEARCH_SPLIT = "search-1"  # the number changes when the rule of `search_split` does
FINAL_SPLIT = "final"


@dataclass(frozen=True, slots=True)
class Images:
    """Labelled images, of those that are stored together.

    Arguments:
        stored: `(M, C, H, W)`, unsigned bytes; may be a memory map, which choosing images leaves alone.
        labels: `(N,)`, class numbers from 0.
        rows: `(N,)`, which of the stored images these are; None for all, in their order.

    """

    stored: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64] | None = None

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """`(N, C, H, W)`; a copy unless they are all that are stored."""
        return self.stored if self.rows is None else self.stored[self.rows]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which: npt.NDArray[np.bool_]) -> Images:
        rows = np.flatnonzero(which) if self.rows is None else self.rows[which]
        return Images(self.stored, self.labels[which], rows)


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set: `classes` to tell apart, training images, and test images that only a final evaluation reads."""

    name: str
    classes: int
    train: Images
    test: Images

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(C, H, W)` of an image."""
        channels, height, width = self.train.stored.shape[1:]
        return channels, height, width

    def check_fits(self, given: Input) -> None:
        """Refuse an architecture whose input is not these images.

        Raises:
            DataError: channels, size or classes differ.

        """
        channels, size, _ = self.shape
        if (given.channels, given.size, given.classes) != (channels, size, self.classes):
            wanted = f"{{channels: {channels}, size: {size}, classes: {self.classes}}}"
            has = f"{{channels: {given.channels}, size: {given.size}, classes: {given.classes}}}"
            raise DataError(f"the input is that of the data: {self.name} needs input: {wanted}, but it is {has}")


@dataclass(frozen=True, slots=True)
class Split:
    """Images to train on and images to score on, under a name that every number from them carries."""

    name: str
    train: Images
    score: Images


def search_split(data: DataSet) -> Split:
    """The split of the training images that searches train and score on: of each class, every sixth is for scoring."""
    held_out = np.zeros(len(data.train), dtype=np.bool_)
    for label in range(data.classes):
        held_out[np.flatnonzero(data.train.labels == label)[5::6]] = True
    return Split(SEARCH_SPLIT, data.train[~held_out], data.train[held_out])


def final_split(data: DataSet) -> Split:
    """All training images, and the test images to score on."""
    return Split(FINAL_SPLIT, data.train, data.test)
