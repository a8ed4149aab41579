"""Images that are prepared once on a machine, and mapped into the memory of every process that reads them.

~/.cache/striate/                             or the folder that STRIATE_CACHE names
    fashion-mnist-0a1b2c3d4e5f6071/           after a checksum of the source files and of their reader's version
        train-pixels.npy  train-labels.npy  test-pixels.npy  test-labels.npy
        sha256                                of these; what does not agree with it is prepared again

The system keeps one copy of a mapped file for all processes, and reads a page of it when it is first used.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from space.errors import DataError
from trainers.data.dataset import Images
from trainers.durable import sync

VARIABLE = "STRIATE_CACHE"
CHECKSUMS = "sha256"
_ARRAYS = ("train-pixels", "train-labels", "test-pixels", "test-labels")


def cache_folder() -> Path:
    """Where prepared images lie: STRIATE_CACHE if it is set, else in the user's cache folder."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "striate"


def mapped(
    name: str, version: int, sources: Sequence[Path], read: Callable[[], tuple[Images, Images]]
) -> tuple[Images, Images]:
    """Training and test images as read-only memory maps; of several processes at once, one prepares them.

    Arguments:
        name: of the data set.
        version: of its reader, to be changed with what `read` returns.
        sources: the files that `read` reads.
        read: reads them.

    Raises:
        DataError: `read` raises it, a source cannot be read, or the cache folder cannot be written.

    """
    folder = cache_folder().absolute() / f"{name}-{_source_checksum(version, sources)}"
    try:
        return _opened(folder) or _prepared(folder, read)
    except OSError as error:
        rule = f"{name} is prepared once for all processes, but {folder.parent} cannot be written"
        raise DataError(f"{rule}: {error.strerror}; name another folder with {VARIABLE}") from None


def _source_checksum(version: int, sources: Sequence[Path]) -> str:
    checksum = hashlib.sha256(f"{version}\n".encode())
    for path in sources:
        try:
            checksum.update(f"{path.name} {_digest(path)}\n".encode())  # a reader may go by the name
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}; get it again") from None
    return checksum.hexdigest()[:16]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksums(folder: Path) -> str:
    """What `sha256sum *.npy` prints, but in our order."""
    return "".join(f"{_digest(folder / f'{array}.npy')}  {array}.npy\n" for array in _ARRAYS)


def _opened(folder: Path) -> tuple[Images, Images] | None:
    """What is prepared in a folder, or None where that is missing or damaged."""
    try:
        if (folder / CHECKSUMS).read_bytes() != _checksums(folder).encode():
            return None
        found = [np.load(folder / f"{array}.npy", mmap_mode="r") for array in _ARRAYS]
    except FileNotFoundError:
        return None
    return Images(*found[:2]), Images(*found[2:])


def _prepared(folder: Path, read: Callable[[], tuple[Images, Images]]) -> tuple[Images, Images]:
    """Prepare a folder unless another process has, which is waited for; the system frees the lock of a killed one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _opened(folder)
        if found is None:
            _write(folder, read())
            found = _opened(folder)
    if found is None:
        raise DataError(f"{folder} was just written, but does not hold what was written; see whether the disk is sound")
    return found


def _write(folder: Path, parts: tuple[Images, Images]) -> None:
    """Write arrays beside the folder, and put them in its place when all of them are on the disk."""
    part = folder.with_name(f"{folder.name}.part")
    for old in (part, folder):  # of a killed process, or damaged; whoever has mapped it keeps what was mapped
        if old.exists():
            shutil.rmtree(old)
    part.mkdir()
    values = (array for images in parts for array in (images.pixels, images.labels))
    for array, value in zip(_ARRAYS, values, strict=True):
        np.save(part / f"{array}.npy", value)
    (part / CHECKSUMS).write_text(_checksums(part))
    for path in (*part.iterdir(), part):
        sync(path)
    part.rename(folder)
    sync(folder.parent)
