"""The unroll of an architecture, literally: every area at every step, for the whole batch, nothing shared or left out.

It is written from the definition of the language with plain loops, and is what the planned unroll is held against. From
the network under test it takes the parameters and buffers by their names, one step of each cell, and the shapes of
maps; from the rest of the project nothing. Parameters that a network does not have, because their step does not matter,
are not a number here: what they reach must not reach an answer.

Shapes: S answers, N images, C channels, H × W pixels, K classes, T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from dropout_masks import Masks
from torch import Tensor

from cells.network import Network
from space import model
from space.model import Architecture

EPSILON = 1e-5
MOMENTUM = 0.1
ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "elu": F.elu,
    "relu": F.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "identity": lambda x_NCHW: x_NCHW,
}


@dataclass(frozen=True)
class Edge:
    """An edge with its defaults written out; `source` is a rank, or None for the image."""

    name: str
    source: int | None
    target: int
    port: str
    delay: int
    active: model.Active
    via: tuple[model.EdgeStep, ...]
    sets_the_map: bool

    def is_active(self, step: int) -> bool:
        return self.active.first <= step and (self.active.last is None or step <= self.active.last)


def edges_of(architecture: Architecture, network: Network) -> list[Edge]:
    """All edges in the order in which they are joined: as in the file, forward ones first."""
    names = [area.name for area in architecture.areas]
    if architecture.edges.forward is None:
        forward = [model.ForwardEdge(source=a, target=b) for a, b in zip(["image", *names], names, strict=False)]
    else:
        forward = list(architecture.edges.forward)
    edges = architecture.edges
    found: list[Edge] = []
    fed: set[int] = set()
    for each in (*forward, *edges.lateral, *edges.feedback, *edges.skip):
        source = None if each in forward and each.source == "image" else names.index(each.source)
        target = names.index(each.target)
        delay = each.delay
        if delay is None:
            upwards = source is None or source < target
            delay = 0 if source is None or (upwards and architecture.time.unroll == "sweep") else 1
        twins = sum(other.name.partition("#")[0] == each.name for other in found)
        name = f"{each.name}#{twins + 1}" if twins else each.name
        first = each.enters == "drive" and (source is None or source < target) and target not in fed
        fed |= {target} if first else set()
        found.append(Edge(name, source, target, each.enters, delay, each.active, each.via, first))
    return found


class NaiveUnroll:
    """A network by its definition.

    Arguments:
        architecture: what to compute.
        network: a network of it, whose parameters are read where they are; its buffers are copied, and the copies kept
            up to date by the definition of running statistics.

    """

    def __init__(self, architecture: Architecture, network: Network) -> None:
        self.architecture = architecture
        self.time = architecture.time
        self.shown = min(self.time.stimulus.shown or self.time.steps, self.time.steps)
        self.nodes = network.graph.areas  # for shapes
        self.cells = [network["areas"][area.name]["cell"] for area in architecture.areas]
        self.edges = edges_of(architecture, network)
        self.parameters = dict(network.named_parameters())
        self.buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}

    def answers(
        self,
        images: Tensor,
        *,
        masks: Masks | None = None,
        training: bool = False,
        on_edge: Callable[[str, int, Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Logits `(S, N, K)` of images `(N, C, H, W)`, or `(N, T, C, H, W)` where frames are shown.

        Arguments:
            images: what is shown.
            masks: what dropout keeps in training.
            training: whether batch norms read the batch, and move; and dropout drops.
            on_edge: gets an edge's name, the step, and what it brings; gives what it brings instead.

        """
        run = _Run(self, images, training, masks, on_edge)
        answers = self._answers(run)
        if training and run.normed:
            whole = _Run(self, images, training, None, on_edge)  # so that no mask happens to hide what matters
            run.remember(whole.matter(self._answers(whole)))
        return answers

    def _answers(self, run: _Run) -> Tensor:
        last, delay = len(self.architecture.areas) - 1, self.readout_delay
        emitted = [[run.area(rank, step) for rank in range(last + 1)] for step in range(self.time.steps)]
        return torch.stack([self._read_out(emitted[step - delay][last]) for step in self.answered()])

    def logits(self, answers: Tensor) -> Tensor:
        """The answers `(S, N, K)` decoded to `(N, K)`, image by image."""
        readout = self.architecture.readout
        chosen = []
        for image in range(answers.shape[1]):
            of_image = answers[:, image]
            confidences = [float(torch.softmax(each.detach(), dim=0).max()) for each in of_image]
            match readout.decode:
                case "last":
                    chosen.append(of_image[-1])
                case "mean":
                    chosen.append(sum(of_image) / len(of_image))
                case "sum":
                    chosen.append(sum(of_image))
                case "max_confidence":
                    chosen.append(of_image[confidences.index(max(confidences))])
                case "threshold":
                    sure = [at for at, each in enumerate(confidences) if each >= readout.threshold]
                    chosen.append(of_image[sure[0] if sure else -1])
        return torch.stack(chosen)

    def loss(self, answers: Tensor, labels: Tensor) -> Tensor:
        """The loss of the decoded answer, or the mean over the steps of the loss of each."""
        every = self.architecture.readout.loss == "every"
        of_steps = [F.cross_entropy(each, labels) for each in (answers if every else [self.logits(answers)])]
        return sum(of_steps) / len(of_steps)

    @property
    def readout_delay(self) -> int:
        delay = self.architecture.readout.delay
        if delay is None:
            return 1 if self.time.unroll == "biological" else 0
        return delay

    def answered(self) -> list[int]:
        """The last step, or all at which the image can have reached the read-out."""
        readout, last = self.architecture.readout, len(self.architecture.areas) - 1
        if readout.decode == "last" and readout.loss == "answer":
            return [self.time.steps - 1]
        reached: dict[tuple[int, int], tuple[bool, bool]] = {}
        for step in range(self.time.steps):
            for rank in range(last + 1):
                self._reached(rank, step, reached)
        delay = self.readout_delay
        return [step for step in range(delay, self.time.steps) if reached[last, step - delay][1]]

    def _reached(self, rank: int, step: int, known: dict[tuple[int, int], tuple[bool, bool]]) -> tuple[bool, bool]:
        """Whether an area emits anything at a step, and whether the image can be in it."""
        if (rank, step) in known:
            return known[rank, step]
        area = self.architecture.areas[rank]
        defined, reached = area.absent != "undefined", False
        for edge in self.edges:
            at = step - edge.delay
            if edge.target == rank and edge.is_active(step) and at >= 0:
                if edge.source is None:
                    found = (at < self.shown or self.time.stimulus.after is not None, at < self.shown)
                else:
                    found = self._reached(edge.source, at, known)
                defined, reached = defined or found[0], reached or found[1]
        if not isinstance(area.cell, model.Feedforward):
            reached = reached or (defined and known.get((rank, step - 1), (False, False))[1])
        known[rank, step] = defined, reached
        return known[rank, step]

    def _read_out(self, y_NCHW: Tensor) -> Tensor:
        pooled = y_NCHW.mean(dim=(2, 3)) if self.architecture.readout.pool == "mean" else y_NCHW.flatten(1)
        return pooled @ self.parameters["readout.weight"].T + self.parameters["readout.bias"]


@dataclass
class _Run:
    """One forward pass."""

    naive: NaiveUnroll
    images: Tensor
    training: bool
    masks: Masks | None
    on_edge: Callable[[str, int, Tensor], Tensor] | None
    emitted: dict[tuple[int, int], Tensor | None] = field(default_factory=dict)
    states: dict[tuple[int, int], tuple[Tensor, ...]] = field(default_factory=dict)
    normed: list[tuple[str, Tensor, Tensor, Tensor]] = field(default_factory=list)

    def area(self, rank: int, step: int) -> Tensor | None:
        """What an area emits at a step; None where it is not computed."""
        if (rank, step) not in self.emitted:
            self.emitted[rank, step] = self._area(rank, step)
        return self.emitted[rank, step]

    def _area(self, rank: int, step: int) -> Tensor | None:
        area, node, cell = self.naive.architecture.areas[rank], self.naive.nodes[rank], self.naive.cells[rank]
        arrived: dict[str, list[Tensor]] = {}
        for edge in self.naive.edges:
            if edge.target == rank and edge.is_active(step):
                brought = self._brought(edge, step)
                if brought is not None:
                    arrived.setdefault(edge.port, []).append(brought)
        if not arrived and area.absent == "undefined":
            return None
        ports = {port: _joined(getattr(area.joins, port), found) for port, found in arrived.items()}
        if "drive" in ports or area.absent == "zeros":
            r = ports.pop("drive", self._zeros(node.input_shape))
            x = self._sequence(area.drive, r, f"areas.{area.name}.drive", (rank, False, "drive"), step, None)
        else:
            r, x = self._zeros(node.input_shape), self._zeros(node.shape)
        if "input" in ports:
            x = x + ports.pop("input")
        state = self.states.get((rank, step - 1))
        if state is None:
            state = cell.initial(self._zeros(node.shape))
        h, self.states[rank, step] = cell.update(cell.project(x, r), ports, state)
        return self._sequence(area.post, h, f"areas.{area.name}.post", (rank, False, "post"), step, None)

    def _brought(self, edge: Edge, step: int) -> Tensor | None:
        """What an active edge brings, or None."""
        source = self._image(step - edge.delay) if edge.source is None else None
        if edge.source is not None and step >= edge.delay:
            source = self.area(edge.source, step - edge.delay)
        target = self.naive.nodes[edge.target]
        if source is None:
            if target.absent != "zeros":
                return None
            shape = self.images.shape[-3:] if edge.source is None else self.naive.nodes[edge.source].output_shape
            source = self._zeros(shape)
        size = (target.input_shape if edge.port == "drive" else target.shape)[1]
        place = (self.naive.edges.index(edge), True, "via")
        to = None if edge.sets_the_map else size
        brought = self._sequence(edge.via, source, f"edges.{edge.name}", place, step, to)
        return self.on_edge(edge.name, step, brought) if self.on_edge else brought

    def _image(self, step: int) -> Tensor | None:
        stimulus = self.naive.time.stimulus
        if 0 <= step < self.naive.shown:
            return self.images[:, step] if stimulus.frames else self.images
        if step >= 0 and stimulus.after is not None:
            return self._zeros(self.images.shape[-3:]) + stimulus.after
        return None

    def _zeros(self, shape: tuple[int, ...]) -> Tensor:
        return self.images.new_zeros(len(self.images), *shape)

    def _parameter(self, name: str, *shape: int) -> Tensor:
        known = {**self.naive.parameters, **self.naive.buffers}
        return known[name] if name in known else self.images.new_full(shape, torch.nan)

    def _sequence(
        self,
        operations: tuple[model.EdgeStep | model.Step, ...],
        x: Tensor,
        path: str,
        place: tuple[object, ...],
        step: int,
        size: int | None,
    ) -> Tensor:
        for position, operation in enumerate(operations):
            here = f"{path}.{position}"
            match operation:
                case str():
                    x = ACTIVATIONS[operation](x)
                case model.MaxPool(kernel=kernel, stride=stride):
                    x = F.max_pool2d(_padded(x, kernel, stride, -torch.inf), kernel, stride)
                case model.AvgPool(kernel=kernel, stride=stride):
                    sums = F.avg_pool2d(_padded(x, kernel, stride), kernel, stride, divisor_override=1)
                    there = _padded(torch.ones_like(x), kernel, stride)
                    x = sums / F.avg_pool2d(there, kernel, stride, divisor_override=1)
                case model.Resize(mode=mode):
                    x = x if size is None else F.interpolate(x, size=(size, size), mode=mode)
                case model.Dropout(rate=rate):
                    if self.training and rate and self.masks:
                        x = self.masks.dropped(x, rate, (*place, step))
                case model.Norm():
                    x = self._norm(operation, x, here, step)
                case model.Conv() | model.EdgeConv() | model.TransposedConv():
                    x = self._convolved(operation, x, here, step, place)
        return x

    def _convolved(
        self,
        operation: model.Conv | model.EdgeConv | model.TransposedConv,
        x: Tensor,
        here: str,
        step: int,
        place: tuple[object, ...],
    ) -> Tensor:
        path = f"weights.{operation.weights}" if operation.weights else here
        path = f"{path}.{step}" if operation.untied else path
        inputs, kernel, stride = x.shape[1], operation.kernel, operation.stride
        outputs = operation.channels or self._channels_at_the_end_of(place, inputs)
        last = path
        if isinstance(operation, model.TransposedConv):
            weight = self._parameter(f"{path}.weight", inputs, outputs, kernel, kernel)
            x = _transposed(x, weight, stride)
        elif operation.separable:
            last = f"{path}.pointwise"
            own = self._parameter(f"{path}.depthwise.weight", inputs, 1, kernel, kernel)
            across = self._parameter(f"{last}.weight", outputs, inputs, 1, 1)
            x = F.conv2d(F.conv2d(_padded(x, kernel, stride), own, None, stride, groups=inputs), across)
        else:
            weight = self._parameter(f"{path}.weight", outputs, inputs, kernel, kernel)
            x = F.conv2d(_padded(x, kernel, stride), weight, None, stride)
        return x + self._parameter(f"{last}.bias", outputs)[:, None, None] if operation.bias else x

    def _channels_at_the_end_of(self, place: tuple[object, ...], inputs: int) -> int:
        """Those of the port that an edge enters."""
        position, of_edge, _ = place
        assert of_edge and isinstance(position, int)
        edge = self.naive.edges[position]
        if edge.sets_the_map:
            return inputs
        target, cell = self.naive.nodes[edge.target], self.naive.architecture.areas[edge.target].cell
        if edge.port == "hidden" and isinstance(cell, model.Searched):
            assert cell.hidden
            return cell.hidden.channels
        return (target.input_shape if edge.port == "drive" else target.shape)[0]

    def _norm(self, norm: model.Norm, x: Tensor, here: str, step: int) -> Tensor:
        path = f"weights.{norm.weights}" if norm.weights else here
        images, channels = x.shape[:2]
        if norm.kind == "batch":
            kept = f"{path}.statistics.{step if norm.statistics == 'step' else 'shared'}"
            if self.training:
                mean = x.mean(dim=(0, 2, 3))
                variance = ((x - mean[:, None, None]) ** 2).mean(dim=(0, 2, 3))
            else:
                mean = self._parameter(f"{kept}.running_mean", channels)
                variance = self._parameter(f"{kept}.running_var", channels)
            out = (x - mean[:, None, None]) / (variance[:, None, None] + EPSILON).sqrt()
            if self.training:
                out = out if out.requires_grad else out.requires_grad_()  # to see whether an answer depends on it
                numbers = x.numel() // channels
                self.normed.append((kept, mean, variance * numbers / (numbers - 1), out))
        else:
            groups = {"group": norm.groups, "layer": 1, "instance": channels}[norm.kind]
            parts = x.reshape(images, groups, -1)
            mean = parts.mean(dim=2, keepdim=True)
            variance = ((parts - mean) ** 2).mean(dim=2, keepdim=True)
            out = ((parts - mean) / (variance + EPSILON).sqrt()).reshape(x.shape)
        if norm.affine == "none":
            return out
        path = f"{path}.{step}" if norm.affine == "step" else path
        scale, shift = (self._parameter(f"{path}.{part}", channels)[:, None, None] for part in ("weight", "bias"))
        return out * scale + shift

    def matter(self, answers: Tensor) -> list[bool]:
        """Of each evaluation of a batch norm, whether the answers depend on it."""
        mixture = torch.linspace(1, 2, answers.numel(), dtype=answers.dtype).view_as(answers).sin()
        outputs = [out for _, _, _, out in self.normed]
        slopes = torch.autograd.grad((answers * mixture).sum(), outputs, allow_unused=True)
        return [slope is not None and bool(slope.any()) for slope in slopes]

    def remember(self, matter: list[bool]) -> None:
        """Move the running statistics towards the mean over those evaluations that matter."""
        seen: dict[str, list[tuple[Tensor, Tensor]]] = {}
        for (kept, mean, variance, _), matters in zip(self.normed, matter, strict=True):
            if matters:
                seen.setdefault(kept, []).append((mean.detach(), variance.detach()))
        for kept, found in seen.items():
            for name, values in zip(("running_mean", "running_var"), zip(*found, strict=True), strict=True):
                before = self.naive.buffers[f"{kept}.{name}"]
                after = (1 - MOMENTUM) * before + MOMENTUM * sum(values) / len(values)
                self.naive.buffers[f"{kept}.{name}"] = after


def _joined(join: str, terms: list[Tensor]) -> Tensor:
    if join == "concat":
        return torch.cat(terms, dim=1)
    joined = terms[0]
    for term in terms[1:]:
        joined = joined * term if join == "multiply" else joined + term
    return joined


def _padded(x_NCHW: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """So that ⌈size / stride⌉ windows fit; of an odd number of rows or columns, one more after the map."""
    pads = []
    for size in (x_NCHW.shape[3], x_NCHW.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x_NCHW, pads, value=value)


def _transposed(x_NCHW: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The transpose, as the gradient of the convolution that it is the transpose of."""
    images, _, height, width = x_NCHW.shape
    with torch.enable_grad():
        read = x_NCHW.new_zeros(images, weight.shape[1], height * stride, width * stride, requires_grad=True)
        given = F.conv2d(_padded(read, weight.shape[-1], stride), weight, None, stride)
        (found,) = torch.autograd.grad(given, read, x_NCHW, create_graph=True)
    return found
