"""Scikit-learn's handwritten digits: 1,797 real images of 8×8 pixels that come with the package.

The images of one writer follow one another in the file, so the last fifth, which serves as test images, is almost all
by people whose hand the training images do not show (the file does not say where one writer ends).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from space.errors import DataError
from trainers.data.dataset import DataSet, Images

NAME = "digits"
TEST_IMAGES = 360
_BRIGHTEST = 16


def load(folder: Path | None) -> DataSet:
    """Read the digits, which lie in no folder.

    Raises:
        DataError: a folder was given.

    """
    if folder is not None:
        raise DataError(f"{NAME} come with scikit-learn, but the folder {folder} was given; leave --data-dir out")
    from sklearn.datasets import load_digits  # takes a second to import, and nothing else needs it

    found = load_digits()
    pixels = np.round(found.images * (255 / _BRIGHTEST)).astype(np.uint8)[:, None]
    images = Images(pixels, found.target.astype(np.int64))
    is_test = np.arange(len(images)) >= len(images) - TEST_IMAGES
    return DataSet(NAME, 10, images[~is_test], images[is_test])
