"""The planned unroll is the naive one: answers, gradients, running statistics, and evaluation after training.

Everything is in double precision. A difference counts against the largest number of its tensor, if that is above one.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch
from dropout_masks import Masks, PlannedMasks
from hypothesis import HealthCheck, given, settings
from naive_unroll import NaiveUnroll
from nasty_networks import nasty_architectures
from random_networks import SMALLEST, images_of, lowered, shrunk

from cells.network import Network
from space.graph import lower
from space.operations import Normalisation
from space.parse import LIBRARY, find, parse_architecture, parse_space

LABELS = torch.tensor([0, 2])


def network_of(graph, noise, seed=0):
    """In double precision, every number moved off its start, running statistics too."""
    network = Network(graph, seed).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += noise * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        for buffer in network.buffers():
            buffer += torch.rand(buffer.shape, generator=generator, dtype=torch.float64)
    return network


def assert_same(ours, wanted, name):
    assert ours.shape == wanted.shape, (name, ours.shape, wanted.shape)
    size = max(1.0, float(wanted.detach().abs().max()))
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-10 * size, msg=lambda told: f"{name}: {told}")


def check_pass(network, naive, images, *, seed, training):
    """One forward and backward pass of each; gives the losses."""
    network.train(training)
    with PlannedMasks(network, Masks(seed)):
        answers = network.answers(images)
    wanted = naive.answers(images, masks=Masks(seed), training=training)
    assert_same(answers, wanted, "answers")
    assert_same(network.loss(answers, LABELS), naive.loss(wanted, LABELS), "loss")
    return network.loss(answers, LABELS), naive.loss(wanted, LABELS)


def check(architecture, graph, noise=0.3):
    """The whole comparison, for one architecture."""
    network, twin = network_of(graph, noise), network_of(graph, noise)
    naive = NaiveUnroll(architecture, twin)
    check_pass(network, naive, images_of(graph, 9), seed=0, training=False)
    optimisers = [torch.optim.SGD(each.parameters(), lr=0.01, momentum=0.9) for each in (network, twin)]
    for step in range(3):
        losses = check_pass(network, naive, images_of(graph, step), seed=step, training=True)
        for loss, optimiser in zip(losses, optimisers, strict=True):
            optimiser.zero_grad()
            loss.backward()
        wanted = dict(twin.named_parameters())
        for name, parameter in network.named_parameters():
            pair = [torch.zeros_like(each) if each.grad is None else each.grad for each in (parameter, wanted[name])]
            assert_same(*pair, f"gradient of {name} at step {step}")
        for name, buffer in network.named_buffers():
            assert_same(buffer, naive.buffers[name], f"{name} after step {step}")
        for each, optimiser in zip((network, twin), optimisers, strict=True):
            torch.nn.utils.clip_grad_norm_(each.parameters(), 1.0)
            optimiser.step()
    with torch.no_grad():
        check_pass(network, naive, images_of(graph, 9), seed=0, training=False)


CORNERS = {
    "dropout reads what is the same for all images, and drops for each image on its own": """
time: {steps: 5}
areas:
  V1: {drive: [conv: {kernel: 1, channels: 2}]}
  V2: {drive: [conv: {kernel: 1, channels: 2}, dropout: {rate: 0.5}], cell: {type: simple, hidden: {kernel: 1}}}
""",
    "an answer does not depend on the image": """
time: {steps: 4}
areas:
  V1: {drive: [conv: {kernel: 1, channels: 2}]}
  V2: {drive: [conv: {kernel: 1, channels: 2}], joins: {drive: multiply}}
edges: {forward: [{from: image, to: V1}, {from: V1, to: V2}, {from: image, to: V2}]}
readout: {loss: every}
""",
    "an answer is a bias": """
time: {steps: 4}
areas:
  V1: {drive: [conv: {kernel: 1, channels: 2}]}
  V2: {drive: [conv: {kernel: 1, channels: 2, bias: false}], joins: {drive: multiply}}
edges: {forward: [{from: image, to: V1}, {from: V1, to: V2}, {from: image, to: V2}]}
readout: {loss: every}
""",
    "a batch norm of what is the same for all images counts all of them": """
time: {steps: 4}
areas:
  V1: {drive: [conv: {kernel: 1, channels: 2}]}
  V2: {drive: [conv: {kernel: 2, channels: 2}, norm: {kind: batch}], joins: {drive: multiply}}
edges: {forward: [{from: image, to: V1}, {from: V1, to: V2}, {from: image, to: V2}]}
readout: {loss: every}
""",
    "norms of one name have their own at other steps": """
time: {steps: 5}
areas:
  V1:
    drive: [conv: {kernel: 1, channels: 2}, norm: {kind: batch, affine: step, statistics: step, weights: n}]
    absent: undefined
  V2:
    drive: [conv: {kernel: 1, channels: 2}, norm: {kind: batch, affine: step, statistics: step, weights: n}]
    absent: undefined
""",
    "running statistics leave out what enters a hidden state too late": """
time: {steps: 6}
areas:
  V1:
    drive: [conv: {kernel: 1, channels: 2}]
    cell: {type: reciprocal_gated, keep: {kernel: 1}, admit: {kernel: 1}}
    absent: undefined
  V2: {drive: [conv: {kernel: 1, channels: 2}], absent: undefined}
edges:
  feedback: [{from: V2, to: V1, enters: hidden, via: [norm: {kind: batch}, conv: {kernel: 1}]}]
""",
    "what is concatenated at a drive is resized to the first of it": """
time: {steps: 3}
areas:
  V1: {drive: [conv: {kernel: 1, channels: 2}], post: [max_pool: {kernel: 2, stride: 2}]}
  V2: {drive: [conv: {kernel: 1, channels: 2}], joins: {drive: concat}}
edges:
  forward:
    - {from: image, to: V1}
    - {from: V1, to: V2}
    - {from: image, to: V2, via: [resize: {mode: bilinear}]}
""",
}


@pytest.mark.parametrize("corner", CORNERS)
def test_the_planned_unroll_is_the_naive_one_in_a_corner(corner):
    text = f"""
striate: 1
name: corner
input: {{channels: 2, size: 4, classes: 3}}
train: {{data: digits, learning_rate: 0.1}}
{CORNERS[corner]}"""
    check(*parse_architecture(text, "corner.yaml"))


SPACES = {path.stem: parse_space(*find(path.stem)) for path in sorted(LIBRARY.glob("*.yaml"))}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("seed", range(5))
def test_the_planned_unroll_of_a_sample_is_the_naive_one(name, seed):
    space = SPACES[name]
    small = shrunk(space.fill(space.sample(random.Random(seed)))[0], SMALLEST.get(name, 32))
    check(small, lower(small), noise=0.05)


def reads_nothing(graph):
    """Whether the mean of a map is read out whose mean is the same whatever it was made of.

    Then nothing before it matters in numbers, though it does in structure: the naive unroll, which finds by gradients
    which occurrences of batch norms matter, finds none.
    """
    last = graph.areas[-1].post[-1:]
    return graph.readout.pool == "mean" and any(
        isinstance(each, Normalisation) and each.groups == each.channels for each in last
    )


def test_the_planned_unroll_of_a_nasty_network_is_the_naive_one():
    """Of what is drawn the lowering refuses about half: pools larger than their map, circles without a delay, untied
    weights that matter at no step, batch norms of what is the same for all images."""
    drawn = Counter()

    @settings(max_examples=900, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(nasty_architectures())
    def compare(architecture):
        graph = lowered(architecture)
        if graph and reads_nothing(graph):
            graph = None
        drawn["refused" if graph is None else "compared"] += 1
        if graph:
            check(architecture, graph)

    compare()
    assert drawn["compared"] >= 300, drawn
