"""Images for the device that trains: bytes stay bytes, and each batch is normalised there when it is used.

On a CPU the pixels stay where they are stored, as in a memory map that all processes share. On a GPU they are copied
to its memory, unless they would take much of it: then each batch is gathered in the host's memory and sent.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainers.data.dataset import Images, Split

COMFORTABLE = 1 / 16  # of a GPU's free memory, which several processes may share, for the pixels of one set of images
_CHUNK = 4_096


def default_device() -> torch.device:
    """The first GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True, slots=True)
class DeviceImages:
    """Labelled images for a device.

    Arguments:
        pixels_NCHW: unsigned bytes of all stored images, on the device or in the host's memory.
        labels_N: on the device.
        mean: per channel, `(C, 1, 1)`, in units of a byte; on the device.
        deviation: likewise.
        rows_N: which of the stored images these are, where the pixels are; None for all, in their order.

    """

    pixels_NCHW: Tensor
    labels_N: Tensor
    mean: Tensor
    deviation: Tensor
    rows_N: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels_N)

    def batches(self, order_N: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Normalised images `(n, C, H, W)` and labels `(n,)` in the given order; the last batch may be smaller."""
        at = order_N.to(self.pixels_NCHW.device)
        rows_N = at if self.rows_N is None else self.rows_N[at]
        for rows, which in zip(rows_N.split(size), order_N.split(size), strict=True):
            pixels_NCHW = self.pixels_NCHW[rows].to(self.mean.device)
            yield (pixels_NCHW.float() - self.mean) / self.deviation, self.labels_N[which]


@dataclass(frozen=True, slots=True)
class DeviceSplit:
    """A split on a device, normalised by the statistics of the images it trains on."""

    name: str
    device: torch.device
    train: DeviceImages
    score: DeviceImages

    @classmethod
    def of(cls, split: Split, device: torch.device) -> DeviceSplit:
        """Provide a split for a device."""
        mean_C, variance_C = _statistics(split.train)
        mean = torch.tensor(mean_C, dtype=torch.float32)[:, None, None].to(device)
        deviation = torch.tensor(variance_C, dtype=torch.float32).clamp_min(1e-12).sqrt()[:, None, None].to(device)

        def provided(images: Images) -> DeviceImages:
            labels_N = torch.tensor(images.labels, device=device)
            if device.type == "cuda" and _fits_comfortably(images, device):
                return DeviceImages(_over(images.pixels).to(device), labels_N, mean, deviation)
            rows_N = None if images.rows is None else _over(images.rows)
            return DeviceImages(_over(images.stored), labels_N, mean, deviation, rows_N)

        return cls(split.name, device, provided(split.train), provided(split.score))


def _over(array: npt.NDArray[Any]) -> Tensor:
    """A tensor in the memory of an array; nothing writes to it, so that the array may be read-only."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _fits_comfortably(images: Images, device: torch.device) -> bool:
    free, _ = torch.cuda.mem_get_info(device)
    image_bytes = images.stored[:1].nbytes
    return len(images) * image_bytes <= COMFORTABLE * free


def _statistics(images: Images) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and variance of each channel `(C,)`, without a copy of all pixels; sums of whole numbers are exact."""
    channels = images.stored.shape[1]
    sums, squares = np.zeros((2, channels), dtype=np.int64)
    rows = np.arange(len(images)) if images.rows is None else images.rows
    for first in range(0, len(rows), _CHUNK):
        pixels = images.stored[rows[first : first + _CHUNK]]
        sums += pixels.sum(axis=(0, 2, 3), dtype=np.int64)
        squares += np.square(pixels, dtype=np.uint16).sum(axis=(0, 2, 3), dtype=np.int64)
    pixels_of_channel = len(rows) * images.stored[0, 0].size
    mean_C = sums / pixels_of_channel
    return mean_C, squares / pixels_of_channel - mean_C**2
