"""The same masks for dropout in two ways to compute one network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cells.network import Network
from space import operations


@dataclass
class Masks:
    """What dropout keeps: decided by where and when it happens, so that two ways to compute the same agree on it."""

    seed: int

    def dropped(self, x_NCHW: Tensor, rate: float, place: tuple[object, ...]) -> Tensor:
        digest = hashlib.sha256(repr((self.seed, *place)).encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        kept = torch.rand(x_NCHW.shape, generator=generator) >= rate
        return x_NCHW * kept / (1 - rate)


class PlannedMasks(TorchFunctionMode):
    """While it lasts, dropout keeps what `masks` decides by the place and step of each dropout of the plan in turn."""

    def __init__(self, network: Network, masks: Masks) -> None:
        super().__init__()
        dropouts = [node for node in network.plan.nodes if isinstance(node.kind, operations.Dropout)]
        self.places = iter([(node.owner, node.of_edge, node.name, node.step) for node in dropouts])
        self.masks = masks

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not F.dropout:
            return func(*args, **(kwargs or {}))
        x, rate, training = _dropout_arguments(*args, **(kwargs or {}))
        place = next(self.places)
        return self.masks.dropped(x, rate, place) if training else x


def _dropout_arguments(x, p=0.5, training=True, inplace=False):
    return x, p, training
