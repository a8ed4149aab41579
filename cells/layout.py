"""How maps lie in memory: channel after channel, or pixel after pixel with the channels of each together.

One map that lies otherwise spoils those that are computed from it and from others, and all that follow.
"""

from __future__ import annotations

import torch
from torch import Tensor


def laid_out(read: Tensor, like_NCHW: Tensor) -> Tensor:
    """A map `(N, C, H, W)` laid out as another is, if that can be seen of it."""
    last = like_NCHW.is_contiguous(memory_format=torch.channels_last) and not like_NCHW.is_contiguous()
    return read.contiguous(memory_format=torch.channels_last) if last and read.dim() == 4 else read
