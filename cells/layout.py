"""How maps lie in memory: channel after channel, or pixel after pixel with the channels of each together.

One map that lies otherwise spoils those that are computed from it and from others, and all that follow.
"""

from __future__ import annotations

import torch
from torch import Tensor


def layout_of(x_NCHW: Tensor) -> torch.memory_format:
    """How a map lies, as far as that can be seen of it: one of one channel or one pixel lies both ways."""
    last = x_NCHW.is_contiguous(memory_format=torch.channels_last) and not x_NCHW.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def laid_out(read: Tensor, like_NCHW: Tensor) -> Tensor:
    """A map `(N, C, H, W)` laid out as another is, if that has its channels together."""
    last = layout_of(like_NCHW) == torch.channels_last
    return read.contiguous(memory_format=torch.channels_last) if last and read.dim() == 4 else read
