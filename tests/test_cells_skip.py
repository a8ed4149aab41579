"""Skip edges: a network of four areas with two of them, against the same computation written out by hand."""

import pytest
import torch
import torch.nn.functional as F

from cells.network import Network
from space.errors import SpecificationError
from space.parse import parse_architecture

TEXT = """\
striate: 1
name: skipping
input: {channels: 2, size: 8, classes: 3}
time: {steps: STEPS}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 3}, relu]}
  V2: {drive: [conv: {kernel: 3, channels: 4}], post: [max_pool: {kernel: 2, stride: 2}]}
  V4: {drive: [conv: {kernel: 3, channels: 5}], cell: {type: feedforward, input: {activation: elu}}}
  IT: {drive: [conv: {kernel: 3, channels: 6}, tanh]}
edges:
  skip:
    - {from: V1, to: V4, enters: input, via: [resize: {mode: bilinear}, conv: {kernel: 1}]}
    - {from: V2, to: IT, enters: input, via: [conv: {kernel: 3}]}
train: {data: digits, learning_rate: 0.1}
"""
TOLERANCE = 1e-12
DRIVES = tuple(f"areas.{name}.drive.0" for name in ("V1", "V2", "V4", "IT"))
SKIPS = ("edges.V1>V4.1", "edges.V2>IT.0")


def network_of(steps):
    _, graph = parse_architecture(TEXT.replace("STEPS", str(steps)), "skipping.yaml")
    network = Network(graph, 3).double()
    generator = torch.Generator().manual_seed(steps)
    with torch.no_grad():
        for parameter in network.parameters():  # biases start at zero, which would hide where they are added
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return network


def images_of(number=2):
    return torch.randn(number, 2, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_hand(weights, images, steps):
    """Each area reads, at every step, what the others emitted at the step before; the skips too."""

    def convolve(x, name):
        kernel = weights[f"{name}.weight"]
        return F.conv2d(x, kernel, weights[f"{name}.bias"], padding=kernel.shape[-1] // 2)

    n = images.shape[0]
    v1, v2 = images.new_zeros(n, 3, 8, 8), images.new_zeros(n, 4, 4, 4)
    v4, it = images.new_zeros(n, 5, 4, 4), images.new_zeros(n, 6, 4, 4)
    for _ in range(steps):
        logits = F.linear(it.mean((2, 3)), weights["readout.weight"], weights["readout.bias"])
        smaller = F.interpolate(v1, size=(4, 4), mode="bilinear", align_corners=False)
        next_v1 = F.relu(convolve(images, DRIVES[0]))
        next_v2 = F.max_pool2d(convolve(v1, DRIVES[1]), 2)
        next_v4 = F.elu(convolve(v2, DRIVES[2]) + convolve(smaller, SKIPS[0]))
        next_it = torch.tanh(convolve(v4, DRIVES[3])) + convolve(v2, SKIPS[1])
        v1, v2, v4, it = next_v1, next_v2, next_v4, next_it
    return logits


@pytest.mark.parametrize("steps", [5, 6, 9])
def test_a_network_with_skips_computes_what_is_written_out_by_hand(steps):
    network, images = network_of(steps), images_of()
    wanted = by_hand(dict(network.named_parameters()), images, steps)
    torch.testing.assert_close(network(images), wanted, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("skip", SKIPS)
def test_each_skip_matters(skip):
    """What is computed by hand differs as soon as a skip is left out, so that the comparison above can fail."""
    network, images = network_of(6), images_of()
    weights = {name: each * (not name.startswith(skip)) for name, each in network.named_parameters()}
    assert (network(images) - by_hand(weights, images, 6)).abs().max() > 1e-3


def test_a_skip_brings_the_image_before_the_chain_does():
    """V1 > V4 > IT > read-out takes four steps, the chain five: with the chain cut the image still arrives."""
    network = network_of(5)
    with torch.no_grad():
        network.get_parameter(f"{DRIVES[1]}.weight").zero_()
    one, other = network(images_of()), network(images_of() + 1)
    assert (one - other).abs().max() > 1e-4


def test_an_edge_to_the_next_area_is_no_skip():
    with pytest.raises(SpecificationError, match="V1>V2"):
        parse_architecture(TEXT.replace("STEPS", "6").replace("to: V4, enters", "to: V2, enters"), "skipping.yaml")
