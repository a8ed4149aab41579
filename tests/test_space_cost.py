"""What an architecture costs, against counts by hand and counts made on the torch network as it runs."""

import itertools
import math
import random

import pytest
import torch

from cells.network import Network, Readout
from cells.operations import Conv2d
from space.cost import area_costs, memory_bytes, multiply_adds
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
    """Multiply-adds of one image, by what each convolution and the read-out gives when the network runs."""
    network, total = Network(graph, 0), 0

    def count(module, _, given):
        nonlocal total
        for_each = module.weight[0].numel()
        total += given.numel() * for_each

    for module in network.modules():
        if isinstance(module, Conv2d | Readout):
            module.register_forward_hook(count)
    network(torch.zeros(1, *graph.input_shape))
    return total


def saved_for_the_gradient(graph, images):
    """Bytes of the maps that autograd keeps, each once."""
    network, kept = Network(graph, 0), {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage  # held, so that no other map gets its address
        return tensor

    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = network(torch.randn(images, *graph.input_shape, generator=torch.Generator().manual_seed(0)))
    assert logits.requires_grad
    return sum(storage.nbytes() for address, storage in kept.items() if address not in own)


def small():
    return parse_architecture(SMALL + TRAIN, "small.yaml")[1]


def test_a_small_network_by_hand():
    """10 px; V1 at 5 px, V2 at 5 px and pooled to 3, V4 at 3 px; five steps and a read-out.

    V1: 25·(5·5·3·4) = 7,500, and the edge 25·(9·6·4) = 5,400. V2: separable 25·(9·4 + 4·6) = 1,500, gates over x and
    over h 2·25·(9·6·24) = 64,800. V4: W_xc 9·(4·6·2) = 432, self 9·(9·2 + 2·2) = 198, W_ch 9·(2·6) = 108.
    Read-out 6·7.
    """
    graph = small()
    assert [each.multiply_adds for each in area_costs(graph)] == [7_500 + 5_400, 1_500 + 64_800, 432 + 198 + 108]
    assert multiply_adds(graph) == 5 * (12_900 + 66_300 + 738) + 42


def test_the_parameters_of_a_small_network_by_hand():
    """V1 300 + 4, its edge 216 + 4. V2 4·9 + 24 + 6, gates 2·1,296 + 24, norms 2·24 + 2·6.

    V4: W_xc 48 + 2, the gate 18 + 4 + 2, W_ch 12 + 6.
    """
    graph = small()
    costs = area_costs(graph)
    v4 = (48 + 2) + (18 + 4 + 2) + (12 + 6)
    assert [each.parameters for each in costs] == [304 + 220, 66 + 2_592 + 24 + 48 + 12, v4]
    assert [each.name for each in costs] == ["V1", "V2", "V4"]
    assert sum(each.parameters for each in costs) + (6 * 7 + 7) == graph.parameter_count


def test_the_memory_of_a_small_network_by_hand():
    """Numbers that one step gives, 25 or 9 pixels at a time.

    V1: convolution 25·4, elu 25·4, and the edge's resize 25·6 and convolution 25·4. V2: depthwise 25·4, pointwise
    25·6, gates 2·25·24, both norms 25·24 and 25·6, pool 9·6; ten sums, products and functions of its equation 25·6
    each. V4: W_xc 9·2, depthwise 9·2, pointwise 9·2, W_ch 9·6; seven of its equation 9·6 each.
    """
    v1 = 25 * (4 + 4) + 25 * (6 + 4)
    v2 = 25 * (4 + 6 + 48 + 24 + 6 + 10 * 6) + 9 * 6
    v4 = 9 * (2 + 2 + 2 + 6 + 7 * 6)
    graph = small()
    for batch in (1, 32):
        activations = 3 * 10 * 10 + 5 * (v1 + v2 + v4)
        assert memory_bytes(graph, batch) == 4 * (batch * activations + 3 * graph.parameter_count)


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
    assert [each.multiply_adds for each in area_costs(graph)] == wanted
    assert multiply_adds(graph) == 10 * sum(wanted) + 512 * 1000


SAMPLES = [(name, seed) for name in ("digits", "fashion") for seed in range(8)]


def sampled(name, seed):
    space = parse_space(*find(name))
    return space.fill(space.sample(random.Random(seed)))[1]


@pytest.mark.parametrize(("name", "seed"), SAMPLES)
def test_multiply_adds_are_those_of_the_network_as_it_runs(name, seed):
    graph = sampled(name, seed)
    assert multiply_adds(graph) == counted_as_it_runs(graph)


def test_multiply_adds_of_a_searched_cell_are_those_of_the_network_as_it_runs():
    assert multiply_adds(small()) == counted_as_it_runs(small())


@pytest.mark.parametrize(("name", "seed"), SAMPLES)
def test_the_estimate_of_memory_is_within_a_factor_of_two_of_what_autograd_keeps(name, seed):
    graph, images = sampled(name, seed), 4
    activations = memory_bytes(graph, images) - 3 * 4 * graph.parameter_count
    assert 0.5 < saved_for_the_gradient(graph, images) / activations < 2


def test_memory_grows_with_the_batch_by_the_same_for_each_image():
    graph = small()
    sizes = [memory_bytes(graph, batch) for batch in range(4)]
    assert sizes[0] == 4 * 3 * sum(math.prod(shape) for shape in graph.parameters.values())
    assert len({after - before for before, after in itertools.pairwise(sizes)}) == 1
