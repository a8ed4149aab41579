"""Proxies of untrained networks, against the same sums written out; and that nothing notices that they are measured."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from random_networks import images_of
from test_trainers_checkpoint import PLAIN, RANDOM, assert_same_training, numbers, trainer_of

from cells.network import Network
from space.parse import find, parse_architecture
from trainers.execution import Execution
from trainers.proxies import gradient_norm, proxies, synflow

LINEAR = """
striate: 1
name: linear
input: {channels: 2, size: 3, classes: 4}
time: {steps: 2}
areas:
  V1: {drive: [conv: {kernel: 1, channels: 3}]}
train: {data: digits, learning_rate: 0.1}
"""
PLAINLY = Execution()


def network_of(document):
    """A network with random numbers for all its parameters, biases too."""
    network = Network(parse_architecture(document, "file.yaml")[1], 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return network


def values(network):
    return {name: each.detach().double().numpy() for name, each in network.named_parameters()}


def linear():
    """The network, and its two matrices and biases."""
    network = network_of(LINEAR)
    found = values(network)
    names = ("areas.V1.drive.0.weight", "areas.V1.drive.0.bias", "readout.weight", "readout.bias")
    W, b, V, d = (found[name] for name in names)
    assert len(found) == 4
    return network, W[:, :, 0, 0], b, V, d


def test_the_gradient_norm_is_that_of_the_loss_of_a_batch():
    network, W, b, V, d = linear()
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(7, 2, 3, 3)).astype(np.float32), rng.integers(0, 4, 7)
    x = images.astype(np.float64).mean(axis=(2, 3))
    hidden = x @ W.T + b
    odds = np.exp(hidden @ V.T + d)
    errors = (odds / odds.sum(axis=1, keepdims=True) - np.eye(4)[labels]) / 7
    parts = (errors.T @ hidden, errors.sum(axis=0), (errors @ V).T @ x, (errors @ V).sum(axis=0))
    expected = np.sqrt(sum(np.square(part).sum() for part in parts))
    found = gradient_norm(network, torch.tensor(images), torch.tensor(labels), PLAINLY)
    assert found == pytest.approx(expected, rel=1e-5)


def test_synflow_of_a_linear_network_is_the_sum_over_its_paths():
    """Of R = Σ |V||W|1: each path counts once for each parameter on it."""
    network, W, _, V, _ = linear()
    paths = abs(V).sum(axis=0) @ abs(W).sum(axis=1)
    assert synflow(network, (2, 3, 3)) == pytest.approx(2 * paths, rel=1e-12)


RECURRENT = """
edges:
  lateral: [{from: V1, to: V1, via: [conv: {kernel: 1}]}]
"""


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_synflow_counts_a_parameter_of_several_steps_once_with_its_whole_gradient(steps):
    """h ← |U|h + |W|1 for all steps but the read-out's; where no gradient is negative, Σ θ ∂R/∂θ is how R grows with
    all θ."""  # fmt: skip
    document = LINEAR.replace("steps: 2", f"steps: {steps}").replace("train:", f"{RECURRENT.strip()}\ntrain:")
    network = network_of(document)
    found = {name: abs(each) for name, each in values(network).items()}
    U, W = found["edges.V1>V1.0.weight"][:, :, 0, 0], found["areas.V1.drive.0.weight"][:, :, 0, 0]

    def summed(factor):
        h = np.zeros(3)
        for _ in range(steps - 1):
            h = factor * U @ h + factor * W.sum(axis=1)
        return (factor * found["readout.weight"] @ h).sum()

    growth = (summed(1 + 1e-5) - summed(1 - 1e-5)) / 2e-5
    assert synflow(network, (2, 3, 3)) == pytest.approx(growth, rel=1e-8)


@pytest.mark.parametrize("norm", ["{kind: batch}", "{kind: group, groups: 1}", "{kind: batch, affine: none}"])
def test_synflow_knows_norms_by_their_affine_alone(norm):
    document = LINEAR.replace("channels: 3}]", f"channels: 3}}, norm: {norm}]")
    network = network_of(document)
    found = {name: abs(each) for name, each in values(network).items()}
    scale = found.get("areas.V1.drive.1.weight")
    W = found["areas.V1.drive.0.weight"][:, :, 0, 0].sum(axis=1)
    paths = found["readout.weight"].sum(axis=0) @ (W if scale is None else scale * W)
    assert (scale is None) == ("none" in norm)
    assert synflow(network, (2, 3, 3)) == pytest.approx((2 if scale is None else 3) * paths, rel=1e-12)


def test_synflow_of_gates_is_that_of_gates_at_rest():
    """y = (1 − σ(W_a*c))∘x of a reciprocal gated cell whose states are small: half of x."""
    document = LINEAR.replace(
        "channels: 3}]", "channels: 3}], cell: {type: reciprocal_gated, keep: {kernel: 1}, admit: {kernel: 1}}"
    )
    network = network_of(document)
    found = {name: abs(each) for name, each in values(network).items()}
    paths = found["readout.weight"].sum(axis=0) @ found["areas.V1.drive.0.weight"][:, :, 0, 0].sum(axis=1)
    assert synflow(network, (2, 3, 3)) == pytest.approx(2 * paths / 2, rel=1e-12)


def test_synflow_does_not_see_what_is_shown_after_the_image():
    after = LINEAR.replace("steps: 2", "steps: 4, stimulus: {shown: 2, after: 0.5}")
    longer = LINEAR.replace("steps: 2", "steps: 4, stimulus: {shown: 2, after: 0.25}")
    lateral = f"{RECURRENT.strip()}\ntrain:"
    found = [synflow(network_of(each.replace("train:", lateral)), (2, 3, 3)) for each in (after, longer)]
    assert found[0] == found[1] > 0


def test_what_is_not_finite_is_none():
    network = network_of(LINEAR).double()
    with torch.no_grad():
        network.get_parameter("readout.weight").fill_(1e200)
        network.get_parameter("areas.V1.drive.0.weight").fill_(1e200)
    images = torch.full((2, 2, 3, 3), 1e200, dtype=torch.float64)
    assert proxies(network, images, torch.tensor([0, 1]), PLAINLY) == {"gradient_norm": None, "synflow": None}


@pytest.mark.parametrize("document", [PLAIN, RANDOM], ids=["plain", "with dropout and batch norm"])
def test_nothing_notices_that_proxies_were_measured(document):
    with_, without = trainer_of(document), trainer_of(document)
    batch = next(with_.batches())
    assert torch.equal(batch[0], next(without.batches())[0])
    before, chance = copy.deepcopy(with_.network.state_dict()), torch.get_rng_state()
    found = proxies(with_.network, *batch, with_.execution)
    assert all(value > 0 for value in found.values())
    assert torch.equal(torch.get_rng_state(), chance)
    for name, value in with_.network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(each.grad is None for each in with_.network.parameters())
    torch.rand(3)
    assert proxies(with_.network, *batch, with_.execution) == found
    results = [[trainer.run_epoch() for _ in range(2)] for trainer in (with_, without)]
    assert numbers(results[0]) == numbers(results[1])
    assert_same_training(with_, without)


ZOO = sorted(path.stem for path in (Path(__file__).parents[1] / "space" / "library" / "zoo").glob("digits-*.yaml"))


@pytest.mark.parametrize("name", ZOO)
def test_proxies_of_shipped_architectures_are_finite(name):
    _, graph = parse_architecture(*find(name))
    images = images_of(graph).float()
    found = proxies(Network(graph, 0), images, torch.zeros(len(images), dtype=torch.int64), PLAINLY)
    assert all(value is not None and value > 0 for value in found.values()), found


def test_proxies_do_not_depend_on_which_maps_are_recomputed():
    images, labels = next(trainer_of(PLAIN).batches())
    found = [
        proxies(execution.prepare(trainer_of(PLAIN).network), images, labels, execution)
        for execution in (PLAINLY, Execution(recompute_steps=1))
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-6)
