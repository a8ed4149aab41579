"""What planning an unroll gains: a training step planned, beside the same step unrolled as it is written.

    python -m benchmarks.unroll [--images 8] [--rounds 5] [--device cpu] [ARCHITECTURE …]

For each architecture one training step (forward, gradient, update) is timed in turn: naive (every area at every step,
nothing shared), planned, both also with channels-last maps, and the bare convolutions that are live, forward and
backward, on maps of their shapes. Naive is there twice: on our operations, so that the plan is all that differs, and
in plain torch, on the convolutions and pools that torch takes by itself, as one would write it without us. Ratios are
of times of the same round, medians with their range over the rounds; so they hardly depend on how fast the machine is.
On a CPU times are of the processor, on one thread. On a GPU each is timed by itself, as the memory would not do for
all, and also in bfloat16 as one captured graph, as networks are trained there.

What a plan can gain is told too. Fewer multiply-adds are live, but autograd goes back through nothing that no answer
depends on, in the naive step either: so the arithmetic of a whole step, as torch counts it, shrinks less. A greater
ratio of times than that of arithmetic is won by doing it better, not by doing less.
"""

from __future__ import annotations

import argparse
import copy
import functools
import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cells.cell import Cell, State
from cells.layout import laid_out
from cells.network import Network
from cells.operations import Conv2d, DepthwiseConv2d, MaxPool, module, pad_same
from cells.winograd import weights_transformed_once
from space.cost import declared, live
from space.model import Training
from space.nodes import EdgeNode, Graph
from space.operations import Convolution, Operation, Shape
from space.parse import find, parse_architecture
from space.unroll import unroll
from space.wiring import IMAGE
from trainers.execution import Execution
from trainers.step import Step

ARCHITECTURES = ("convrnn-median", "rgc-2018")
AS_TRAINED = ", bfloat16, captured"
DIFFERENCE = {"cpu": 1e-4, "cuda": 1e-2}  # of logits that may lie between two orders of sums; a GPU cuts mantissas


class Naive(nn.Module):
    """A network whose forward pass does what the biological unroll says, step by step, for nets without norms.

    Arguments:
        network: whose modules are run.
        plain: let convolutions and pools be torch's own.

    """

    def __init__(self, network: Network, *, plain: bool = False) -> None:
        super().__init__()
        self.network = in_plain_torch(network) if plain else network
        self.plain = plain
        graph = network.graph
        self.drives = [[self.operation(each) for each in area.drive] for area in graph.areas]
        self.posts = [[self.operation(each) for each in area.post] for area in graph.areas]
        self.edges = {edge.name: [self.operation(each) for each in edge.operations] for edge in graph.edges}
        self.cells = [self.cell(rank) for rank in range(len(graph.areas))]

    def operation(self, operation: Operation) -> nn.Module:
        """The network's module of an operation, or one that learns nothing."""
        if isinstance(operation, Convolution):
            return self.network.get_submodule(operation.path)
        return torchs_own(module(operation)) if self.plain else module(operation)

    def cell(self, rank: int) -> Cell:
        """The network's cell of an area."""
        found = self.network.get_submodule(f"areas.{self.network.graph.areas[rank].name}.cell")
        assert isinstance(found, Cell)
        return found

    def answers(self, images_NCHW: Tensor) -> Tensor:
        """The last answer alone, `(1, N, K)`."""
        found: Tensor = self(images_NCHW)
        return found[None]

    def loss(self, answers_SNK: Tensor, labels_N: Tensor) -> Tensor:
        """The network's."""
        return self.network.loss(answers_SNK, labels_N)

    @weights_transformed_once()
    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Logits `(N, K)`."""
        graph = self.network.graph
        shapes = [(len(images_NCHW), *area.output_shape) for area in graph.areas]
        outputs = [laid_out(images_NCHW.new_zeros(shape), images_NCHW) for shape in shapes]
        states: list[State | None] = [None] * len(graph.areas)
        for _ in range(graph.steps - 1):
            updated = []
            for rank in range(len(graph.areas)):
                ports: dict[str, Tensor] = {}
                for edge in graph.edges:
                    if edge.target == rank:
                        arrived = self.arrival(edge, images_NCHW if edge.source == IMAGE else outputs[edge.source])
                        ports[edge.port] = ports[edge.port] + arrived if edge.port in ports else arrived
                r_NCHW = ports.pop("drive")
                x_NCHW = r_NCHW
                for each in self.drives[rank]:
                    x_NCHW = each(x_NCHW)
                if "input" in ports:
                    x_NCHW = x_NCHW + ports["input"]
                cell, state = self.cells[rank], states[rank]
                projected = cell.project(x_NCHW, r_NCHW)
                y_NCHW, states[rank] = cell.update(projected, ports, cell.initial(x_NCHW) if state is None else state)
                for each in self.posts[rank]:
                    y_NCHW = each(y_NCHW)
                updated.append(y_NCHW)
            outputs = updated
        logits: Tensor = self.network["readout"](outputs[-1])
        return logits

    def arrival(self, edge: EdgeNode, read: Tensor) -> Tensor:
        """What an edge brings."""
        for each in self.edges[edge.name]:
            read = each(read)
        return read


class Plain(nn.Module):
    """A convolution the way that torch takes by itself."""

    def __init__(self, ours: Conv2d | DepthwiseConv2d) -> None:
        super().__init__()
        self.weight = ours.weight
        self.bias = ours.bias if isinstance(ours, Conv2d) else None
        self.kernel, self.stride = ours.kernel, ours.stride
        self.groups = len(ours.weight) if isinstance(ours, DepthwiseConv2d) else 1

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """What ours gives."""
        padded, padding = pad_same(x_NCHW, self.kernel, self.stride)
        return F.conv2d(padded, self.weight, self.bias, self.stride, padding, groups=self.groups)


class PlainPool(nn.Module):
    """A maximum the way that torch takes by itself."""

    def __init__(self, ours: MaxPool) -> None:
        super().__init__()
        self.kernel, self.stride = ours.kernel, ours.stride

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """What ours gives."""
        padded, padding = pad_same(x_NCHW, self.kernel, self.stride, value=float("-inf"))
        return F.max_pool2d(padded, self.kernel, self.stride, padding)


def torchs_own(each: nn.Module) -> nn.Module:
    """A module, or where it is computed in a way of ours, one that does the same in torch's."""
    match each:
        case Conv2d() | DepthwiseConv2d():
            return Plain(each)
        case MaxPool():
            return PlainPool(each)
    return each


def in_plain_torch(network: Network) -> Network:
    """A copy on torch's own convolutions."""
    network = copy.deepcopy(network)
    for name, each in list(network.named_modules()):
        if isinstance(each, Conv2d | DepthwiseConv2d):
            network.set_submodule(name, torchs_own(each))
    return network


@dataclass(frozen=True, slots=True)
class Bare:
    """One live convolution: its weight, and the map that it reads."""

    convolution: Convolution
    shape: Shape


def bare_convolutions(graph: Graph) -> list[Bare]:
    """The convolutions of maps of images that an answer depends on."""
    found = unroll(graph)
    nodes = found.nodes
    return [
        Bare(node.kind, nodes[node.inputs[0]].shape)
        for node, matters in zip(nodes, found.live(), strict=True)
        if matters and isinstance(node.kind, Convolution) and node.inputs and node.of_image
    ]


def bare_step(graph: Graph, images: int, device: str, layout: torch.memory_format) -> Callable[[], None]:
    """Run each of them, and its gradients to the map and to the weight; maps and weights are made before."""
    modules: dict[str, nn.Module] = {}
    work: list[tuple[nn.Module, Tensor]] = []
    maps: dict[Shape, Tensor] = {}
    for each in bare_convolutions(graph):
        if each.convolution.path not in modules:
            layer = module(each.convolution).to(device)
            for parameter in layer.parameters():
                nn.init.normal_(parameter, std=0.01)
            modules[each.convolution.path] = layer.to(memory_format=layout)  # type: ignore[call-overload]
        if each.shape not in maps:
            maps[each.shape] = torch.randn(images, *each.shape, device=device).to(memory_format=layout)
        work.append((modules[each.convolution.path], maps[each.shape]))

    def step() -> None:
        with weights_transformed_once():
            given = [layer(read.detach().requires_grad_()) for layer, read in work]
        torch.autograd.backward(given, [each.detach() for each in given])

    return step


def training_step(network: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], None]:
    """Forward, gradient and update."""
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6, momentum=0.9, nesterov=True)

    def step() -> None:
        loss = F.cross_entropy(network(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def seconds(step: Callable[[], None], device: str) -> float:
    """How long a step takes."""
    gc.collect()
    if device == "cpu":  # time of this process alone, whatever else the machine does
        begun = time.process_time()
        step()
        return time.process_time() - begun
    torch.cuda.synchronize()
    begun = time.perf_counter()
    step()
    torch.cuda.synchronize()
    return time.perf_counter() - begun


def in_turn(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """The times of every step in each round."""
    times: dict[str, list[float]] = {each: [] for each in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for each, step in steps.items():
            times[each].append(seconds(step, "cpu"))
    return times


def one_by_one(steps: Iterable[tuple[str, Callable[[], None]]], rounds: int, device: str) -> dict[str, list[float]]:
    """The times of each step, whose memory is free before the next one's is taken."""
    times: dict[str, list[float]] = {}
    for each, step in steps:
        step()
        step()
        times[each] = [seconds(step, device) for _ in range(rounds)]
        del step
        gc.collect()
        torch.cuda.empty_cache()
    return times


def arithmetic(graph: Graph, images: int) -> float:
    """How many times the operations of a planned step's convolutions a naive one has, as torch counts them.

    In 64 bits, where none of them is done in fewer operations than its sums have. In plain torch the weight gradients
    of depthwise convolutions would be counted too high.
    """
    network = Network(graph, 0).double()
    some = torch.randn(images, *graph.input_shape, dtype=torch.float64)
    labels = torch.zeros(images, dtype=torch.int64)
    counted = []
    for each in (Naive(network), network):
        with FlopCounterMode(display=False) as counter:
            training_step(each, some, labels)()
        counted.append(counter.get_total_flops())
    return counted[0] / counted[1]


def ratio(name: str, above: list[float], below: list[float], device: str) -> str:
    """The median of the ratios of each round, and their range; of what was not timed in rounds, that of the medians."""
    if device != "cpu":
        return f"  {name}: {statistics.median(above) / statistics.median(below):.2f}"
    found = sorted(one / other for one, other in zip(above, below, strict=True))
    return f"  {name}: {statistics.median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})"


def steps_of(graph: Graph, images: int, device: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """What is timed, by name."""
    generator = torch.Generator().manual_seed(0)
    some = torch.randn(images, *graph.input_shape, generator=generator).to(device)
    labels = torch.randint(graph.readout.outputs, (images,), generator=generator).to(device)
    for layout, name in ((torch.contiguous_format, ""), (torch.channels_last, " channels-last")):
        network = Network(graph, 0).to(device).to(memory_format=layout)  # type: ignore[call-overload]
        shown = some.to(memory_format=layout)
        peers = {"naive": Naive(network)}
        if device == "cpu":  # on a GPU only gates and biases are ours, and in 32 bits only the biases
            peers["plain"] = Naive(network, plain=True)
        with torch.no_grad():
            wanted = network(shown)
            for each in peers.values():
                difference = (each(shown) - wanted).abs().max() / wanted.abs().max()
                assert difference < DIFFERENCE[torch.device(device).type], f"planned and naive differ by {difference}"
        for peer, each in peers.items():
            yield f"{peer}{name}", training_step(each, shown, labels)
        yield f"planned{name}", training_step(network, shown, labels)
        yield f"bare{name}", bare_step(graph, images, device, layout)
    if device != "cpu":
        execution = Execution.of(torch.device(device))
        settings = Training(data="digits", batch_size=images, learning_rate=1e-6)
        for peer, unrolled in (("naive", Naive), ("planned", lambda each: each)):
            step = Step(unrolled(execution.prepare(Network(graph, 0).to(device))), settings, execution)
            yield f"{peer}{AS_TRAINED}", functools.partial(step, some, labels, 1e-6)


def report_gpu(graph: Graph, images: int, device: str, times: dict[str, list[float]]) -> None:
    """The ratio to the naive float32 step, images per second, and the peak of memory beside what was predicted."""
    naive, planned = (f"{peer}{AS_TRAINED}" for peer in ("naive", "planned"))
    for peer in ("naive", "planned", naive):
        print(ratio(f"{peer} / {planned}", times[peer], times[planned], device))
    for each in ("naive", "planned", naive, planned):
        print(f"  {each}: {images / statistics.median(times[each]):,.0f} images a second")
    some = torch.randn(images, *graph.input_shape, device=device)
    labels = torch.zeros(images, dtype=torch.int64, device=device)
    settings = Training(data="digits", batch_size=images, learning_rate=1e-6)
    for name, execution in (("in float32", Execution()), ("as trained", Execution.of(torch.device(device)))):
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step = Step(execution.prepare(Network(graph, 0).to(device)), settings, execution)
        step(some, labels, 1e-6)
        peak = torch.cuda.max_memory_allocated() - before
        print(f"  peak of memory {name}: {peak / live(graph).memory_bytes(images):.2f} of what is predicted")
        del step


def main() -> None:
    """Print the ratios of each architecture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architectures", nargs="*", default=ARCHITECTURES)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)  # waiting threads would count as work
    for name in given.architectures:
        _, graph = parse_architecture(*find(name))
        whole, needed = declared(graph), live(graph)
        print(f"{name}: {given.images} images of {graph.input_shape[1]} px, T = {graph.steps}")
        print(f"  multiply-adds: {whole.multiply_adds / needed.multiply_adds:.2f}× fewer are live")
        if given.device == "cpu":
            print(f"  arithmetic of a training step: {arithmetic(graph, given.images):.2f}× less than naive")
        steps = steps_of(graph, given.images, given.device)
        if given.device == "cpu":
            times = in_turn(dict(steps), given.rounds)
        else:
            times = one_by_one(steps, given.rounds, given.device)
        for each, found in times.items():
            print(f"  {each}: {statistics.median(found):.4g} s a step")
        for peer in ("plain", "naive") if given.device == "cpu" else ("naive",):
            for above, below in (("", ""), ("", " channels-last"), (" channels-last", " channels-last")):
                one, other = f"{peer}{above}", f"planned{below}"
                print(ratio(f"{one} / {other}", times[one], times[other], given.device))
        if given.device != "cpu":
            report_gpu(graph, given.images, given.device, times)
        for layout in ("", " channels-last"):
            one, other = f"planned{layout}", f"bare{layout}"
            print(ratio(f"{one} / {other}", times[one], times[other], given.device))


if __name__ == "__main__":
    main()
