"""A lowered architecture as a torch network, which runs its plan."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cells import decoding
from cells.cell import Cell
from cells.conv_gru import ConvGRU
from cells.conv_lstm import ConvLSTM
from cells.feedforward import Feedforward
from cells.initialise import initialise
from cells.intersection import Intersection
from cells.normalisation import MOMENTUM, Norm, Statistics
from cells.operations import module
from cells.reciprocal_gated import ReciprocalGated
from cells.searched import Searched
from cells.simple_rnn import SimpleRNN
from cells.tasks import Run, run_of
from cells.time_decay import TimeDecay
from cells.ugrnn import UGRNN
from cells.winograd import weights_transformed_once
from space import model, operations
from space.nodes import Graph
from space.plan import Plan, Task, plan

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


class Named(nn.Module):
    """Modules by the names of a file, which torch's own dictionary refuses where they are its attributes (`half`)."""

    def __getitem__(self, name: str) -> nn.Module:
        found = self._modules[name]
        assert found is not None
        return found

    def place(self, path: str, module: nn.Module) -> None:
        """Register a module at a path of names, in dictionaries that are made where they are missing."""
        first, _, rest = path.partition(".")
        if not rest:
            self._modules[first] = module
            return
        inner = self._modules.setdefault(first, Named())
        assert isinstance(inner, Named)
        inner.place(rest, module)


class Readout(nn.Module):
    """A linear map to classes, of the spatial mean or of the whole map."""

    def __init__(self, node: operations.Linear) -> None:
        super().__init__()
        self.pool = node.pool
        self.weight = nn.Parameter(torch.empty(node.outputs, node.inputs))
        self.bias = nn.Parameter(torch.empty(node.outputs))

    def forward(self, y_NCHW: Tensor) -> Tensor:
        """Read `(N, C, H, W)` out to logits `(N, classes)`."""
        features = y_NCHW.mean(dim=(2, 3)) if self.pool == "mean" else y_NCHW.flatten(1)
        return nn.functional.linear(features, self.weight, self.bias)


class Network(Named):
    """A convolutional recurrent network.

    Arguments:
        lowered: what to build. The names and shapes of the parameters are those of `lowered.parameters`.
        seed: decides every initial weight; each parameter's depends on the seed and on its place alone.

    """

    def __init__(self, lowered: Graph, seed: int) -> None:
        super().__init__()
        self.graph = lowered
        self.momentum = MOMENTUM  # of running statistics
        self.convolutions: dict[str, tuple[operations.Convolution, nn.Module]] = {}  # the first use of each path
        self.norms: dict[str, Norm] = {}
        self._register()
        initialise(self, lowered, seed)
        self.run(plan(lowered))

    def _register(self) -> None:
        for area in self.graph.areas:
            for operation in area.drive:
                self._add(operation)
            self.place(f"areas.{area.name}.cell", CELLS[type(area.cell)](area))
            for operation in area.post:
                self._add(operation)
        for edge in self.graph.edges:
            for operation in edge.operations:
                self._add(operation)
        self.place("readout", Readout(self.graph.readout))

    def _add(self, operation: operations.Operation) -> None:
        """Register what learns at its path, or a convolution of untied weights at a path of each step."""
        match operation:
            case operations.Convolution(path=path, steps=steps):
                for place in [path] if steps is None else [f"{path}.{step}" for step in steps]:
                    if place not in self.convolutions:
                        self.convolutions[place] = operation, module(operation)
                        self.place(place, self.convolutions[place][1])
            case operations.Normalisation(path=path):
                if path not in self.norms:
                    self.norms[path] = Norm(operation)
                    self.place(path, self.norms[path])
                self.norms[path].provide(operation)

    def run(self, planned: Plan) -> None:
        """Let this plan be what a forward pass does."""
        self.plan = planned
        self._stretches = [[(task, run_of(self, task)) for task in stretch] for stretch in planned.stretches]
        self.statistics = [each for each in self.modules() if isinstance(each, Statistics)]

    def recompute(self, steps: int | None) -> None:
        """Keep the maps of this many steps at a time only, and compute those inside again for the gradient.

        With None all maps are kept. What passes from one stretch of steps to the next is kept in either case.
        """
        self.run(plan(self.graph, steps))

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Logits `(N, classes)` of images `(N, C, H, W)`, or of sequences `(N, T, C, H, W)` where frames are shown."""
        return self.decoded(self.answers(images_NCHW))

    def decoded(self, answers_SNK: Tensor) -> Tensor:
        """Logits `(N, classes)` that the answers of several steps come to."""
        return decoding.decoded(answers_SNK, self.graph.decoding)

    def loss(self, answers_SNK: Tensor, labels_N: Tensor) -> Tensor:
        """The loss that the architecture is trained by, of what `answers` gave."""
        return decoding.loss(answers_SNK, labels_N, self.graph.decoding)

    def answers(self, images_NCHW: Tensor) -> Tensor:
        """Logits `(S, N, classes)` of each step that is answered, those of `graph.answer.steps`."""
        for statistics in self.statistics:
            statistics.forget()
        places: dict[int, object] = {}
        for stretch in self._stretches:
            if len(self._stretches) > 1 and torch.is_grad_enabled():
                places = checkpoint(self._compute, stretch, images_NCHW, places, use_reentrant=False)
            else:
                places = self._compute(stretch, images_NCHW, places)
        for statistics in self.statistics:
            statistics.remember(self.momentum)
        logits = [cast("Tensor", places[each]) for each in self.plan.answers]
        return torch.stack([each.expand(len(images_NCHW), -1) for each in logits])

    def _compute(
        self, stretch: list[tuple[Task, Run]], images_NCHW: Tensor, given: dict[int, object]
    ) -> dict[int, object]:
        """Do some tasks on what those before them left, and leave what is still to be read."""
        places = dict(given)
        with weights_transformed_once():
            for task, run in stretch:
                found = run(images_NCHW, *(places[each] for each in task.reads))
                places.update(zip(task.gives, found, strict=True))
                for each in task.frees:
                    del places[each]
        return places

    def cell(self, rank: int) -> Cell:
        """The cell of an area."""
        areas = self["areas"]
        assert isinstance(areas, Named)
        area = areas[self.graph.areas[rank].name]
        assert isinstance(area, Named)
        found = area["cell"]
        assert isinstance(found, Cell)
        return found
