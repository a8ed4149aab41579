"""How a network is executed on a device: what differs between a CPU and a GPU, in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cells.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Choices that change how fast a network runs and how much memory it takes, and beyond rounding not what it does.

    Arguments:
        bfloat16: keep maps in bfloat16, and compute convolutions and matrix products in it; weights stay 32-bit.
        channels_last: lay out maps with their channels together, as the fast convolutions of GPUs read them.
        capture: record a whole training step once and replay it (a CUDA graph), so that launching costs nothing.
        compiled: let torch.compile fuse the operations; it takes minutes at the start, and pays in long training.
        recompute_steps: forget the maps of this many steps of the unroll at a time, and compute them again when the
            gradient needs them; less memory for a third more computing. None keeps them all.

    """

    bfloat16: bool = False
    channels_last: bool = False
    capture: bool = False
    compiled: bool = False
    recompute_steps: int | None = None

    @classmethod
    def of(cls, device: torch.device) -> Execution:
        """What is fastest without waiting: all but compiling on a GPU; on a CPU 32 bits, laid out as images are."""
        on_gpu = device.type == "cuda"
        return cls(bfloat16=on_gpu, channels_last=on_gpu, capture=on_gpu)

    def prepare(self, network: Network) -> Network:
        """Lay a network out for this execution, in place."""
        if self.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.recompute(self.recompute_steps)
        return network

    def answers(self, network: Network) -> Callable[[Tensor], Tensor]:
        """The network's answers `(S, N, K)` in 32 bits, of images `(N, C, H, W)`, computed this way."""
        run = torch.compile(network.answers) if self.compiled else network.answers

        def answers(images_NCHW: Tensor) -> Tensor:
            if self.channels_last and images_NCHW.dim() == 4:
                images_NCHW = images_NCHW.contiguous(memory_format=torch.channels_last)
            if not self.bfloat16:
                return run(images_NCHW)
            with torch.autocast(images_NCHW.device.type, torch.bfloat16):
                found: Tensor = run(images_NCHW.bfloat16())  # what is made to go with them is as short as they
            return found.float()

        return answers
