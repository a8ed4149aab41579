"""Images on the device that trains: bytes stay bytes there, and each batch is normalised when it is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainers.data.dataset import Images, Split


def default_device() -> torch.device:
    """The first GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True, slots=True)
class DeviceImages:
    """Labelled images on a device; `mean` and `deviation` are per channel, `(C, 1, 1)`, in units of a byte."""

    pixels_NCHW: Tensor
    labels_N: Tensor
    mean: Tensor
    deviation: Tensor

    def __len__(self) -> int:
        return len(self.labels_N)

    def batches(self, order_N: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Normalised images `(n, C, H, W)` and labels `(n,)` in the given order; the last batch may be smaller."""
        for which in order_N.split(size):
            images_NCHW = (self.pixels_NCHW[which].float() - self.mean) / self.deviation
            yield images_NCHW, self.labels_N[which]


@dataclass(frozen=True, slots=True)
class DeviceSplit:
    """A split on a device, normalised by the statistics of the images it trains on."""

    name: str
    device: torch.device
    train: DeviceImages
    score: DeviceImages

    @classmethod
    def of(cls, split: Split, device: torch.device) -> DeviceSplit:
        """Copy a split to a device."""
        pixels, axes = split.train.pixels, (0, 2, 3)
        mean_C = pixels.mean(axis=axes)
        # numpy's std makes doubles of all pixels first; squares of bytes fit 16 bits, and their sum is exact.
        variance_C = np.square(pixels, dtype=np.uint16).mean(axis=axes) - mean_C**2
        mean = torch.tensor(mean_C, dtype=torch.float32)[:, None, None]
        deviation = torch.tensor(variance_C, dtype=torch.float32).clamp_min(1e-12).sqrt()[:, None, None]

        def copy(images: Images) -> DeviceImages:
            # Arrays read from files are read-only, and torch warns of tensors over those: it gets a copy of its own.
            pixels_NCHW = torch.tensor(images.pixels, device=device)
            labels_N = torch.tensor(images.labels, device=device)
            return DeviceImages(pixels_NCHW, labels_N, mean.to(device), deviation.to(device))

        return cls(split.name, device, copy(split.train), copy(split.score))
