"""What an architecture costs, against counts by hand and counts made on the torch network as it runs."""

import itertools
import math
import random

import pytest
import torch
from random_networks import architecture
from torch.utils.flop_counter import FlopCounterMode

from cells.network import Network
from space.cost import area_multiply_adds, declared, edge_multiply_adds, live
from space.graph import lower
from space.model import Area, Conv, Link, SimpleRNN
from space.operations import count
from space.parse import find, parse_architecture, parse_space

SMALL = """
striate: 1
name: small
input: {channels: 3, size: 10, classes: 7}
time: {steps: 6}
areas:
  V1: {drive: [conv: {kernel: 5, stride: 2, channels: 4}, elu]}
  V2:
    drive: [conv: {kernel: 3, channels: 6, separable: true}]
    cell: {type: lstm, gates: {kernel: 3}, norm: layer}
    post: [max_pool: {kernel: 2, stride: 2}]
  V4:
    drive: []
    cell:
      type: searched
      hidden:
        channels: 2
        from_input: {kernel: 2}
        keep: {sources: {self: {kernel: 3, separable: true}}}
      output: {keep: none, from_hidden: {kernel: 1}, bypass: true}
edges:
  feedback:
    - {from: V4, to: V1, via: [resize: {mode: bilinear}, conv: {kernel: 3}]}
"""
TRAIN = "train: {data: digits, learning_rate: 0.1}\n"


def counted_as_it_runs(graph):
    """Multiply-adds of each image and once for the batch, as torch counts them while the network runs."""
    network, totals = Network(graph, 0), []
    for images in (1, 3):
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(images, *graph.input_shape))
        totals.append(counter.get_total_flops() // 2)
    each = (totals[1] - totals[0]) // 2
    return each, totals[0] - each


def saved_for_the_gradient(graph, images, recompute=None):
    """Bytes of the maps that autograd keeps, each once."""
    network, kept = Network(graph, 0), {}
    network.recompute(recompute)

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage  # held, so that no other map gets its address
        return tensor

    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = network(torch.randn(images, *graph.input_shape, generator=torch.Generator().manual_seed(0)))
    assert logits.requires_grad
    return sum(storage.nbytes() for address, storage in kept.items() if address not in own)


def multiply_adds_of_areas(graph):
    """Of each area at one step, with the edges that enter it."""
    return [
        area_multiply_adds(area) + sum(edge_multiply_adds(edge, graph) for edge in graph.edges if edge.target == rank)
        for rank, area in enumerate(graph.areas)
    ]


def small():
    return parse_architecture(SMALL + TRAIN, "small.yaml")[1]


def test_a_small_network_by_hand():
    """10 px; V1 at 5 px, V2 at 5 px and pooled to 3, V4 at 3 px; five steps and a read-out.

    V1: 25·(5·5·3·4) = 7,500, and the edge 25·(9·6·4) = 5,400. V2: separable 25·(9·4 + 4·6) = 1,500, gates over x and
    over h 2·25·(9·6·24) = 64,800. V4: W_xc 9·(4·6·2) = 432, self 9·(9·2 + 2·2) = 198, W_ch 9·(2·6) = 108.
    Read-out 6·7.
    """
    graph = small()
    assert multiply_adds_of_areas(graph) == [7_500 + 5_400, 1_500 + 64_800, 432 + 198 + 108]
    assert declared(graph).multiply_adds == 5 * (12_900 + 66_300 + 738) + 42


def test_what_is_live_of_a_small_network_by_hand():
    """One area of 36 pixels at steps 0 to 3: the drive is the same at all of them, and W_h*h is b at the first."""
    cell = SimpleRNN(hidden=Link(kernel=3))
    area = Area(name="V1", drive=(Conv(kernel=3, channels=4),), cell=cell)
    graph = lower(architecture(area, steps=5))
    drive, hidden, readout = 36 * 9 * 2 * 4, 36 * 9 * 4 * 4, 4 * 3
    assert live(graph).multiply_adds == drive + 3 * hidden + readout
    assert declared(graph).multiply_adds == 4 * (drive + hidden) + readout
    assert live(graph).batch_multiply_adds == 0


def test_the_parameters_of_a_small_network_by_hand():
    """V1 300 + 4, its edge 216 + 4. V2 4·9 + 24 + 6, gates 2·1,296 + 24, norms 2·24 + 2·6.

    V4: W_xc 48 + 2, the gate 18 + 4 + 2, W_ch 12 + 6.
    """
    graph = small()
    v4 = (48 + 2) + (18 + 4 + 2) + (12 + 6)
    parts = [count(part.parameters) for _, part in graph.parts() if part.parameters]
    assert parts == [304, 66 + 2_592 + 24 + 48 + 12, v4, 220, 6 * 7 + 7]
    assert sum(parts) == graph.parameter_count


def test_the_base_network_at_one_step_by_hand():
    """3×3 convolutions of its maps (figure 3): pixels · 9 · channels in · channels out."""
    graph = parse_architecture(*find("convrnn-base"))[1]
    wanted = [
        64**2 * 49 * 3 * 64,
        32**2 * 9 * 64 * 128,
        32**2 * 9 * 128 * 128,
        32**2 * 9 * 2 * 128 * 128,
        16**2 * 9 * 2 * 128 * 128,
        16**2 * 9 * (128 * 256 + 256 * 256),
        8**2 * 9 * 2 * 256 * 256,
        4**2 * 9 * 2 * 256 * 256,
        4**2 * 9 * (256 * 512 + 512 * 512),
        4**2 * 9 * 2 * 512 * 512,
    ]
    assert multiply_adds_of_areas(graph) == wanted
    assert declared(graph).multiply_adds == 10 * sum(wanted) + 512 * 1000
    assert live(graph).multiply_adds == sum(wanted) + 512 * 1000  # nothing recurs, so each area is computed once


SAMPLES = [(name, seed) for name in ("digits", "fashion") for seed in range(8)]


def sampled(name, seed):
    space = parse_space(*find(name))
    return space.fill(space.sample(random.Random(seed)))[1]


SEARCHED = [("fashion-small", seed) for seed in range(8, 16)]


@pytest.mark.parametrize(("name", "seed"), [*SAMPLES, *SEARCHED])
def test_what_is_live_is_what_the_network_computes_as_it_runs(name, seed):
    """Beside it is only what searched cells project: to gates of what is zero at first, to what no later step reads."""
    graph = sampled(name, seed)
    found, (each, once) = live(graph), counted_as_it_runs(graph)
    if name == "fashion-small":  # of searched cells
        assert found.multiply_adds <= each <= 1.5 * found.multiply_adds
    else:
        assert each == found.multiply_adds
    assert once == found.batch_multiply_adds


def test_without_states_exactly_what_is_live_runs():
    graph = parse_architecture(*find("digits-feedforward"))[1]
    found = live(graph)
    assert (found.multiply_adds, found.batch_multiply_adds) == counted_as_it_runs(graph)


@pytest.mark.parametrize(("name", "seed"), [*SAMPLES, *SEARCHED])
def test_the_estimate_of_memory_is_close_to_what_autograd_keeps(name, seed):
    graph, images = sampled(name, seed), 32
    activations = live(graph).memory_bytes(images) - 3 * 4 * live(graph).parameters
    assert 0.85 < saved_for_the_gradient(graph, images) / activations < 1.25


def test_memory_grows_with_the_batch_by_the_same_for_each_image():
    graph = small()
    sizes = [declared(graph).memory_bytes(batch) for batch in range(4)]
    assert sizes[0] == 4 * 3 * sum(math.prod(shape) for shape in graph.parameters.values())
    assert len({after - before for before, after in itertools.pairwise(sizes)}) == 1
    assert all(live(graph).memory_bytes(batch) < size for batch, size in enumerate(sizes) if batch)
