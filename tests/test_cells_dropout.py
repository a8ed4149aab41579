"""Dropout: noise of its own for each image while training, nothing in evaluation."""

import torch

from cells.network import Network
from space.parse import parse_architecture

DROPOUT = "dropout: {rate: 0.5}"


def network_with(last, delay=1):
    """One area that reads itself through a convolution and one more operation."""
    text = f"""
striate: 1
name: dropped
input: {{channels: 1, size: 20, classes: 2}}
time: {{steps: 3, unroll: sweep}}
areas:
  V1: {{drive: [conv: {{kernel: 1, channels: 2}}]}}
edges:
  lateral:
    - {{from: V1, to: V1, via: [conv: {{kernel: 1}}, {last}], delay: {delay}}}
readout: {{pool: none}}
train: {{data: digits, learning_rate: 0.1}}
"""
    network = Network(parse_architecture(text, "dropped.yaml")[1], 0)
    with torch.no_grad():
        network.get_parameter("edges.V1>V1.0.bias").fill_(1.0)
    return network


def test_evaluation_drops_nothing():
    images = torch.randn(4, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    dropping, plain = network_with(DROPOUT).eval(), network_with("identity").eval()
    with torch.no_grad():
        assert torch.equal(dropping(images), plain(images))
        assert not torch.equal(dropping.train()(images), plain(images))


def test_images_that_are_alike_are_dropped_apart():
    """Also where the image has not reached what is dropped, which is then the same for all of them."""
    for delay in (1, 3):
        network = network_with(DROPOUT, delay)
        with torch.no_grad():
            one, other = network(torch.ones(2, 1, 20, 20))
            assert not torch.equal(one, other)
