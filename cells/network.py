"""A lowered architecture as a torch network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cells.cell import Cell
from cells.conv_gru import ConvGRU
from cells.conv_lstm import ConvLSTM
from cells.feedforward import Feedforward
from cells.initialise import initialise
from cells.intersection import Intersection
from cells.operations import sequence
from cells.reciprocal_gated import ReciprocalGated
from cells.searched import Searched
from cells.simple_rnn import SimpleRNN
from cells.time_decay import TimeDecay
from cells.ugrnn import UGRNN
from cells.unroll import unroll
from space import graph, model

CELLS: dict[type, type[Cell]] = {
    model.Feedforward: Feedforward,
    model.TimeDecay: TimeDecay,
    model.SimpleRNN: SimpleRNN,
    model.ConvGRU: ConvGRU,
    model.ConvLSTM: ConvLSTM,
    model.UGRNN: UGRNN,
    model.Intersection: Intersection,
    model.ReciprocalGated: ReciprocalGated,
    model.Searched: Searched,
}


class Area(nn.Module):
    """An area's operations: `drive` before its cell, `post` after it."""

    def __init__(self, node: graph.AreaNode) -> None:
        super().__init__()
        self.drive = sequence(node.drive)
        self.cell = CELLS[type(node.cell)](node)
        self.post = sequence(node.post)


class Readout(nn.Module):
    """A linear map to classes, of the spatial mean or of the whole map."""

    def __init__(self, node: graph.Linear) -> None:
        super().__init__()
        self.pool = node.pool
        self.weight = nn.Parameter(torch.empty(node.outputs, node.inputs))
        self.bias = nn.Parameter(torch.empty(node.outputs))

    def forward(self, y_NCHW: Tensor) -> Tensor:
        """Read `(N, C, H, W)` out to logits `(N, classes)`."""
        features = y_NCHW.mean(dim=(2, 3)) if self.pool == "mean" else y_NCHW.flatten(1)
        return nn.functional.linear(features, self.weight, self.bias)


class Named(nn.Module):
    """Modules by the names of a file, which torch's own dictionary refuses where they are its attributes (`half`)."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self._modules.update(modules)

    def __getitem__(self, name: str) -> nn.Module:
        found = self._modules[name]
        assert found is not None
        return found


class Network(nn.Module):
    """A convolutional recurrent network.

    Arguments:
        lowered: what to build. The names and shapes of the parameters are those of `lowered.parameters`.
        seed: decides every initial weight; each parameter's depends on the seed and its own name alone.

    """

    def __init__(self, lowered: graph.Graph, seed: int) -> None:
        super().__init__()
        self.graph = lowered
        self.areas = Named({node.name: Area(node) for node in lowered.areas})
        self.feedback = Named({edge.name: sequence(edge.operations) for edge in lowered.feedback})
        self.readout = Readout(lowered.readout)
        initialise(self, lowered, seed)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Logits `(N, classes)` of the last step, of images `(N, C, H, W)` that are shown at every step."""
        return unroll(self, images_NCHW)
