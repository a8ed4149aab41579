"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 60,000 colour images of 32×32 pixels, from their binary archives.

A record is a byte for the class (in CIFAR-100 one for the superclass before it), and then red, green and blue, each row
after row. The archives for Python are pickles, which could run anything, and are not read.
"""

from __future__ import annotations

import functools
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from space.errors import DataError
from trainers.data.dataset import DataSet, Images
from trainers.data.mapped import mapped

VERSION = 1  # of this reader: the images that it prepared are found by it
SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
HOME_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"


@dataclass(frozen=True, slots=True)
class _Archive:
    """One of the two.

    Arguments:
        name: of the data set.
        file: the archive.
        folder: what it holds.
        classes: to tell apart.
        label: which byte of a record is the class; the pixels follow it.
        train: files of training images.
        test: file of test images.

    """

    name: str
    file: str
    folder: str
    classes: int
    label: int
    train: tuple[str, ...]
    test: str

    def load(self, folder: Path | None) -> DataSet:
        """Read the archive or what was in it, from a folder; prepared once on a machine.

        Raises:
            DataError: neither is there, or they are not what they should be.

        """
        sources, content = self._found(folder)

        def read() -> tuple[Images, Images]:
            parts = [self._images(content, name) for name in self.train]
            pixels, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
            return Images(pixels, labels), Images(*self._images(content, self.test))

        return DataSet(self.name, self.classes, *mapped(self.name, VERSION, sources, read))

    def _found(self, folder: Path | None) -> tuple[list[Path], Callable[[str], bytes]]:
        """The files to read, and what gives the bytes of one of the parts by its name."""
        way_out = f"get it from {HOME_PAGE} and give its folder with --data-dir"
        if folder is None:
            raise DataError(f"{self.name} is read from {self.file}, and lies in no usual place; {way_out}")
        names = [*self.train, self.test]
        for place in (folder / self.folder, folder):
            missing = [name for name in names if not (place / name).is_file()]
            if not missing:
                return [place / name for name in names], functools.partial(_file, place)
            if len(missing) < len(names):
                rule = f"{self.name} is read from {self.file}"
                raise DataError(f"{rule}, but of it {place} has no {missing[0]}; {way_out}")
        archive = folder / self.file
        if archive.is_file():
            return [archive], functools.partial(_member, archive, self.folder)
        raise DataError(f"{self.name} is read from {self.file} or the files in it, but {folder} has neither; {way_out}")

    def _images(self, content: Callable[[str], bytes], name: str) -> tuple[np.ndarray, np.ndarray]:
        raw, record = content(name), self.label + 1 + PIXELS
        if not raw or len(raw) % record:
            rule = f"{name} of {self.name} holds records of {record:,} bytes"
            raise DataError(f"{rule}, but {len(raw):,} bytes; get it again from {HOME_PAGE}")
        records = np.frombuffer(raw, dtype=np.uint8).reshape(-1, record)
        labels = records[:, self.label].astype(np.int64)
        if labels.max() >= self.classes:
            rule = f"{name} of {self.name} holds classes below {self.classes}"
            raise DataError(f"{rule}, but one is {labels.max()}; get it again from {HOME_PAGE}")
        return records[:, self.label + 1 :].reshape(-1, *SHAPE), labels


def _file(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def _member(archive: Path, folder: str, name: str) -> bytes:
    """A file in an archive; nothing is unpacked to the disk."""
    try:
        with tarfile.open(archive, "r:gz") as opened:
            member = opened.getmember(f"{folder}/{name}")
            found = opened.extractfile(member) if member.isreg() else None
            if found is not None:
                return found.read()
    except (OSError, EOFError, KeyError, tarfile.TarError, zlib.error) as error:
        raise DataError(f"{archive} holds {name}, but reading it failed: {error}; get it from {HOME_PAGE}") from None
    raise DataError(f"{archive} holds {name} as a file, but it is none; get it from {HOME_PAGE}")


CIFAR10 = _Archive(
    "cifar10",
    "cifar-10-binary.tar.gz",
    "cifar-10-batches-bin",
    classes=10,
    label=0,
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test="test_batch.bin",
)
CIFAR100 = _Archive(
    "cifar100",
    "cifar-100-binary.tar.gz",
    "cifar-100-binary",
    classes=100,
    label=1,
    train=("train.bin",),
    test="test.bin",
)
