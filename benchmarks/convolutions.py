"""What minimal filtering gains: dense 3 × 3 convolutions by `cells.winograd`, beside those that torch takes by itself.

    python -m benchmarks.convolutions [--uses 8] [--rounds 5] [--threads 1]

Each convolution is computed so many times with the same weights, as in an unroll, forth and back to its maps and
weights, in turn both ways. Printed are the ratios of times of the same round, torch / ours, medians with their range,
for maps in both layouts; and whether layers take ours, which `cells.winograd.is_faster` decides.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from cells.winograd import convolved, is_faster, weights_transformed_once

# channels, pixels along an axis, images
SHAPES = (
    (64, 28, 8),
    (64, 28, 32),
    (96, 16, 32),
    (128, 8, 4),
    (128, 8, 8),
    (128, 8, 32),
    (128, 16, 8),
    (128, 16, 32),
    (128, 28, 16),
    (256, 8, 4),
    (256, 8, 8),
    (256, 8, 32),
    (256, 16, 8),
    (256, 16, 32),
    (512, 4, 8),
    (512, 4, 32),
    (512, 4, 128),
    (512, 7, 32),
    (1024, 7, 16),
)
LAYOUTS = ((torch.contiguous_format, ""), (torch.channels_last, " channels-last"))


def directly(x_NCHW: Tensor, weight_OCkk: Tensor, uses: int) -> list[Tensor]:
    """The convolution as torch takes it."""
    return [F.conv2d(x_NCHW, weight_OCkk, padding=1) for _ in range(uses)]


def filtered(x_NCHW: Tensor, weight_OCkk: Tensor, uses: int) -> list[Tensor]:
    """The convolution as ours."""
    with weights_transformed_once():
        return [convolved(x_NCHW, weight_OCkk, None) for _ in range(uses)]


def seconds(way: Callable[[Tensor, Tensor, int], list[Tensor]], x: Tensor, weight: Tensor, uses: int) -> float:
    """How long it takes, forth and back."""
    read, by = x.detach().requires_grad_(), weight.detach().requires_grad_()
    begun = time.perf_counter()
    torch.autograd.backward(way(read, by, uses), [x] * uses)
    return time.perf_counter() - begun


WAYS = (directly, filtered)


def main() -> None:
    """Print the ratio of each shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uses", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for channels, size, images in SHAPES:
        told = []
        for layout, name in LAYOUTS:
            x = torch.randn(images, channels, size, size).to(memory_format=layout)
            weight = (torch.randn(channels, channels, 3, 3) / 30).to(memory_format=layout)
            timed = [[seconds(way, x, weight, given.uses) for way in WAYS] for _ in range(1 + given.rounds)]
            ratios = sorted(torchs / ours for torchs, ours in timed[1:])
            told.append(f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}){name}")
        taken = "taken" if is_faster(x, weight, 1) else "not taken"
        print(f"{channels} channels, {size} × {size}, {images} images: {', '.join(told)}; {taken}", flush=True)


if __name__ == "__main__":
    main()
