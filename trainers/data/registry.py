"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from space.errors import DataError, did_you_mean
from trainers.data import cifar, digits, fashion_mnist
from trainers.data.dataset import DataSet

READERS: dict[str, Callable[[Path | None], DataSet]] = {
    digits.NAME: digits.load,
    fashion_mnist.NAME: fashion_mnist.load,
    fashion_mnist.SMALL: fashion_mnist.load_small,
    cifar.CIFAR10.name: cifar.CIFAR10.load,
    cifar.CIFAR100.name: cifar.CIFAR100.load,
}


def load(name: str, folder: Path | None = None) -> DataSet:
    """Read a data set from `folder`, or from where it usually lies.

    Raises:
        DataError: there is no such data set, or it is missing or damaged.

    """
    if name not in READERS:
        raise DataError(f"there is no data set {name!r}; {did_you_mean(name, READERS)}")
    try:
        return READERS[name](folder)
    except OSError as error:
        rule = f"{name} is read from {folder}, which cannot be: {error.strerror}"
        raise DataError(f"{rule}; give another folder") from None
