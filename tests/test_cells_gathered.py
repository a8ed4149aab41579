"""Weight gradients that are computed once over all steps, against those of every step in double precision."""

import copy

import pytest
import torch

from cells import gathered
from cells.network import Network
from space.parse import parse_architecture

STEPS = 21  # more than are gathered at once
DOCUMENT = f"""
striate: 1
name: recurrent
input: {{channels: 1, size: 4, classes: 3}}
time: {{steps: {STEPS}}}
areas:
  V1: {{drive: [conv: {{kernel: 1, channels: 32}}]}}
  V2:
    drive: [conv: {{kernel: 1, channels: 32}}]
    cell: {{type: reciprocal_gated, keep: {{kernel: 3}}, admit: {{kernel: 1}}}}
  V3: {{drive: [conv: {{kernel: 3, channels: 8}}, elu]}}
edges: {{feedback: [{{from: V3, to: V2, via: [conv: {{kernel: 3}}]}}]}}
train: {{data: digits, learning_rate: 0.1}}
"""


def networks():
    """One in single precision, where it pays, and its twin in double precision, where nothing is gathered."""
    network = Network(parse_architecture(DOCUMENT, "recurrent.yaml")[1], 0)
    return network, copy.deepcopy(network).double()


def images(seed=0, number=2):
    return torch.randn(number, 1, 4, 4, generator=torch.Generator().manual_seed(seed))


def loss(network, shown):
    logits = network(shown.to(next(network.parameters()).dtype))
    return (logits * torch.linspace(-1, 2, logits.numel(), dtype=logits.dtype).view_as(logits)).square().sum()


def gradients(network, value, **options):
    return torch.autograd.grad(value, list(network.parameters()), **options)


def assert_alike(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=0, atol=1e-5 * float(other.abs().max()))


@pytest.fixture(autouse=True)
def _also_small_weights(monkeypatch):
    """In networks that are quick to test."""
    monkeypatch.setattr(gathered, "LARGE", 1)


@pytest.fixture
def counted(monkeypatch):
    """How often a weight's gradient was computed."""
    calls = []

    def counting(x_NCHW, *arguments):
        calls.append(len(x_NCHW))
        return torch.nn.grad.conv2d_weight(x_NCHW, *arguments)

    monkeypatch.setattr(gathered, "conv2d_weight", counting)
    return calls


def test_the_gradients_are_those_of_every_step_and_computed_once_for_sixteen(counted):
    network, twin = networks()
    assert_alike(gradients(network, loss(network, images())), gradients(twin, loss(twin, images())))
    assert counted and max(counted) == 2 * gathered.STEPS
    assert len(counted) < STEPS, "there are five convolutions of twenty steps each"


def test_two_passes_do_not_see_each_other():
    network, twin = networks()
    first, second = loss(network, images(0)), loss(network, images(1))
    assert_alike(gradients(network, second), gradients(twin, loss(twin, images(1))))
    assert_alike(gradients(network, first, retain_graph=True), gradients(twin, loss(twin, images(0))))
    assert_alike(gradients(network, first), gradients(twin, loss(twin, images(0))))


def test_what_is_computed_again_gives_the_same_gradients(counted):
    network, twin = networks()
    network.recompute(6)
    assert_alike(gradients(network, loss(network, images())), gradients(twin, loss(twin, images())))
    assert counted


def test_gradients_of_gradients_are_right():
    found = []
    for network in networks():
        first = gradients(network, loss(network, images()), create_graph=True)
        found.append(gradients(network, sum(each.square().sum() for each in first)))
    assert_alike(*found)


def test_a_part_of_the_weights_may_be_frozen():
    network, twin = networks()
    for each in (network, twin):
        each.get_submodule("areas.V2.cell.keep_output").weight.requires_grad_(False)
        loss(each, images()).backward()
    for one, other in zip(network.parameters(), twin.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
        if one.grad is not None:
            assert_alike([one.grad], [other.grad])


def test_it_is_only_of_networks_that_learn_in_single_precision_where_weights_are_large(counted, monkeypatch):
    network, twin = networks()
    with torch.no_grad():
        network(images())
    gradients(twin, loss(twin, images()))
    assert not counted
    gradients(network, loss(network, images(number=40)))
    assert set(counted) == {1}, "forty images have too many pixels, and what none has reached has few"
    counted.clear()
    monkeypatch.setattr(gathered, "LARGE", 2**19)
    gradients(network, loss(network, images()))
    assert not counted
    assert gathered._placeholders.get() is None
