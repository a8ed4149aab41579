"""Fashion-MNIST (Xiao et al. 2017): 70,000 images of clothes, 28×28 pixels, in four IDX files, plain or gzipped.

`fashion-mnist-small` is made of it for machines without a GPU: the first 7,500 training images, and all test images,
at 14×14 pixels, each the mean of four.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from space.errors import DataError
from trainers.data.dataset import DataSet, Images
from trainers.data.mapped import mapped

NAME = "fashion-mnist"
SMALL = "fashion-mnist-small"
SMALL_TRAIN = 7_500
VERSION = 1  # of this reader: the images that it prepared are found by it
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CLASSES = 10
SIZE = 28
_UNSIGNED_BYTES = 0x08


def load(folder: Path | None) -> DataSet:
    """Read the four files from `folder`, or from where the Debian package puts them; prepared once on a machine.

    Raises:
        DataError: a file is missing or is not what its header says.

    """
    sources = _sources(folder)
    train, test = mapped(NAME, VERSION, sources, lambda: (_images(*sources[:2]), _images(*sources[2:])))
    return DataSet(NAME, CLASSES, train, test)


def load_small(folder: Path | None) -> DataSet:
    """Read fewer and smaller images of the same files.

    Raises:
        DataError: a file is missing or is not what its header says.

    """

    def read() -> tuple[Images, Images]:
        train, test = _images(*sources[:2]), _images(*sources[2:])
        return _halved(train, SMALL_TRAIN), _halved(test, len(test))

    sources = _sources(folder)
    return DataSet(SMALL, CLASSES, *mapped(SMALL, VERSION, sources, read))


def _halved(images: Images, first: int) -> Images:
    """The first so many images with half as many pixels each way, each the mean of four, a half rounded to even."""
    pixels = images.pixels[:first]
    count, channels, height, width = pixels.shape
    blocks = pixels.reshape(count, channels, height // 2, 2, width // 2, 2)
    return Images(blocks.mean(axis=(3, 5)).round().astype(np.uint8), images.labels[:first])


def _sources(folder: Path | None) -> list[Path]:
    folder = folder or DEBIAN_FOLDER
    return [_find(folder, name) for part in ("train", "t10k") for name in _names(part)]


def _names(part: str) -> tuple[str, str]:
    return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"


def _images(pixels_path: Path, labels_path: Path) -> Images:
    pixels, labels = read_idx(pixels_path, axes=3), read_idx(labels_path, axes=1)
    if pixels.shape[1:] != (SIZE, SIZE) or not len(pixels):
        rule = f"{pixels_path} holds images of {SIZE}×{SIZE} pixels"
        raise DataError(f"{rule}, but its header says {pixels.shape}; get it again")
    if len(labels) != len(pixels):
        rule = f"{labels_path} holds a label for each image, but {len(labels):,} for {len(pixels):,} images"
        raise DataError(f"{rule}; get both files again")
    if labels.max() >= CLASSES:
        raise DataError(f"{labels_path} holds labels below {CLASSES}, but one is {labels.max()}; get it again")
    return Images(pixels[:, None], labels.astype(np.int64))


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    way_out = "`apt-get install dataset-fashion-mnist` brings it, or give the folder of its IDX files with --data-dir"
    raise DataError(f"{NAME} is read from IDX files, but {folder} has no {name}[.gz]; {way_out}")


def read_idx(path: Path, axes: int) -> npt.NDArray[np.uint8]:
    """An array of unsigned bytes with so many axes from an IDX file.

    Raises:
        DataError: the file cannot be read, or is not what its header says.

    """
    damaged = f"{path} is an IDX file of {axes} axes of bytes"
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{damaged}, but reading it failed: {error}; get it again") from None
    header = 4 + 4 * axes
    if len(raw) < header or raw[:4] != bytes((0, 0, _UNSIGNED_BYTES, axes)):
        raise DataError(f"{damaged}, but its header is {raw[:4].hex()!r}; get it again")
    shape = tuple(int(size) for size in np.frombuffer(raw, dtype=">u4", count=axes, offset=4))
    if len(raw) != header + math.prod(shape):
        raise DataError(f"{damaged}, but holds {len(raw) - header:,} bytes where its header says {shape}; get it again")
    return np.frombuffer(raw, dtype=np.uint8, offset=header).reshape(shape)
