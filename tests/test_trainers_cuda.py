"""What runs on a GPU does the same there: networks, a captured step, memory as it is predicted."""

import copy
import dataclasses
import gc

import pytest
import torch
from random_networks import gradients_of, images_of, network_of
from test_trainers_execution import SETTINGS, dropping, rgc

from cells.network import Network
from search.slots import IN_BFLOAT16, RESERVE
from space.cost import live
from space.model import Training
from space.parse import find, parse_architecture
from trainers.data import registry
from trainers.data.dataset import Images, Split, search_split
from trainers.device import DeviceSplit
from trainers.execution import Execution
from trainers.loop import Trainer, train
from trainers.proxies import proxies
from trainers.step import Step

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
GPU = torch.device("cuda")
BATCH_NORM = """
striate: 1
name: norms
input: {channels: 1, size: 8, classes: 10}
time: {steps: 6}
areas:
  V1:
    drive: [conv: {kernel: 3, channels: 8}, norm: {kind: batch, statistics: step}, relu]
    absent: undefined
  V2:
    absent: undefined
    drive: [conv: {kernel: 3, channels: 8, separable: true}, norm: {kind: batch}]
    cell: {type: gru, gates: {kernel: 3}, candidate: {kernel: 3}}
  IT: {drive: [conv: {kernel: 2, stride: 2, channels: 16}, elu]}
edges: {feedback: [{from: IT, to: V1, via: [resize: {mode: bilinear}, conv: {kernel: 1}]}]}
train: {data: digits, learning_rate: 0.05}
"""


def batch_norms():
    return parse_architecture(BATCH_NORM, "norms.yaml")[1]


@pytest.fixture(autouse=True)
def _all_bits():
    """Products of 32-bit numbers as a CPU computes them."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True):
        yield


def digits(images, device=GPU):
    split = search_split(registry.load("digits", None))
    first = Images(split.train.pixels[:images], split.train.labels[:images])
    return DeviceSplit.of(Split(split.name, first, first), device)


def trained(graph, execution, data, epochs=2):
    trainer = Trainer(Network(graph, 0).to(GPU), dataclasses.replace(SETTINGS, epochs=epochs), data, execution)
    return [trainer.run_epoch() for _ in range(epochs)], trainer


@pytest.mark.parametrize("name", ["digits-rgc", "digits-feedforward", "cornet-s", "liao-poggio-3-state-resnet"])
def test_a_network_of_the_library_does_on_a_gpu_what_it_does_on_a_cpu(name):
    """In 64 bits; convolutions there are other code, and depthwise ones are not ours."""
    graph = parse_architecture(*find(name))[1]
    network, images = network_of(graph), images_of(graph)
    wanted, gradients = gradients_of(network, images)
    for layout in (torch.contiguous_format, torch.channels_last):
        there = copy.deepcopy(network).to(GPU).to(memory_format=layout)
        found, others = gradients_of(there, images.to(GPU).contiguous(memory_format=layout))
        assert_near(found, wanted, "logits")
        for each, gradient in gradients.items():
            assert_near(others[each], gradient, each)


def assert_near(found, wanted, name):
    assert found.device.type == "cuda"
    size = max(1.0, float(wanted.abs().max()))
    torch.testing.assert_close(found.cpu(), wanted, rtol=0, atol=1e-9 * size, msg=lambda told: f"{name}: {told}")


@pytest.mark.parametrize("graph", [rgc, batch_norms], ids=["gates", "batch norms"])
@pytest.mark.parametrize("execution", [
    Execution(capture=True),
    Execution(capture=True, channels_last=True),
    Execution(capture=True, recompute_steps=2),
], ids=str)  # fmt: skip
def test_another_execution_learns_the_same(graph, execution):
    """Momenta, a rate that falls, a last batch that is smaller and not captured; weights and statistics."""
    data = digits(36)
    plain, wanted = trained(graph(), Execution(), data)
    found, others = trained(graph(), execution, data)
    for one, other in zip(plain, found, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=1e-4)
        assert other.loss == pytest.approx(one.loss, rel=1e-3)
    for name, value in wanted.network.state_dict().items():
        torch.testing.assert_close(others.network.state_dict()[name], value, rtol=1e-3, atol=1e-4, msg=name)
    assert (others.step._captured is not None) == execution.capture


def test_a_compiled_training_learns_the_same():
    data, graph = digits(16), parse_architecture(*find("digits-feedforward"))[1]
    plain, _ = trained(graph, Execution(), data, 1)
    found, _ = trained(graph, Execution(compiled=True), data, 1)
    assert found[0].train_loss == pytest.approx(plain[0].train_loss, rel=1e-4)


def test_a_captured_training_goes_on_from_its_state():
    """Digit for digit, with what is dropped, which other numbers drawn in between do not change."""
    data, execution = digits(36), Execution(capture=True)
    settings = dataclasses.replace(SETTINGS, epochs=3)
    trainer = Trainer(Network(dropping(), 0).to(GPU), settings, data, execution)
    trainer.train_epoch()
    state = trainer.state()
    torch.rand(5, device=GPU)
    losses = [trainer.train_epoch(), trainer.train_epoch()]
    resumed = Trainer(Network(dropping(), 1).to(GPU), settings, data, execution)
    resumed.train_epoch()  # so that it has captured a step before
    resumed.load_state(state)
    assert [resumed.train_epoch(), resumed.train_epoch()] == losses


def test_what_is_dropped_differs_from_replay_to_replay():
    data = digits(8)
    trainer = Trainer(Network(dropping(), 0).to(GPU), SETTINGS, data, Execution(capture=True))
    trainer.network.train()
    images, labels = next(trainer.batches())
    losses = [float(trainer.step(images, labels, 0.0)) for _ in range(4)]
    assert trainer.step._captured is not None and len(set(losses)) == 4


def test_a_step_that_cannot_be_captured_learns_as_it_is():
    data, graph = digits(36), dropping()
    plain, wanted = trained(graph, Execution(), data)

    network = Network(graph, 0).to(GPU)
    network.get_submodule("readout").register_forward_hook(lambda *given: given[-1].sum().item() and None)
    trainer = Trainer(network, dataclasses.replace(SETTINGS, epochs=2), data, Execution(capture=True))
    with pytest.warns(UserWarning, match="this network's step cannot be captured, so it is slower"):
        first = trainer.run_epoch()
    found = [first, trainer.run_epoch()]
    assert [each.train_loss for each in found] == [each.train_loss for each in plain]
    for name, value in wanted.network.state_dict().items():
        assert torch.equal(trainer.network.state_dict()[name], value), name
    again, _ = trained(graph, Execution(capture=True), data)  # and the next one of the process is captured
    assert again[-1].train_loss == pytest.approx(plain[-1].train_loss, rel=1e-3)


def test_what_a_gpu_does_by_itself_learns_the_digits():
    graph = rgc()
    split = search_split(registry.load("digits", None))
    settings = Training(data="digits", epochs=5, batch_size=32, learning_rate=0.05)
    seen = []
    result = train(Network(graph, 0).to(GPU), settings, DeviceSplit.of(split, GPU), seen.append)
    assert len(seen) == 5 and result.top1 > 0.9


@pytest.mark.parametrize("graph", [rgc, batch_norms], ids=["gates", "batch norms"])
def test_proxies_are_those_of_a_cpu(graph):
    graph = graph()
    images, labels = next(Trainer(Network(graph, 0), SETTINGS, digits(36, torch.device("cpu"))).batches())
    wanted = proxies(Network(graph, 0), images, labels, Execution())
    found = proxies(Network(graph, 0).to(GPU), images.to(GPU), labels.to(GPU), Execution())
    assert found == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("name", ["convrnn-median", "rgc-2018"])
def test_the_peak_of_memory_is_what_is_predicted(name):
    """In 32 bits; of training, in half the bits, what the slots of a GPU are made for."""
    graph = parse_architecture(*find(name))[1]
    images = torch.randn(64, *graph.input_shape, device=GPU)
    labels = torch.zeros(64, dtype=torch.int64, device=GPU)
    settings = Training(data="digits", batch_size=64, learning_rate=1e-6)
    peaks = {}
    for execution in (Execution(), Execution.of(GPU)):
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        # Products of 32-bit numbers as a GPU computes them: other ones take more memory to work in.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=True, deterministic=False):
            step = Step(execution.prepare(Network(graph, 0).to(GPU)), settings, execution)
            step(images, labels, 1e-6)
        peaks[execution] = (torch.cuda.max_memory_allocated() - before) / live(graph).memory_bytes(64)
        del step
    assert 0.75 < peaks[Execution()] < 1.25
    assert 0.25 < peaks[Execution.of(GPU)] < IN_BFLOAT16 * RESERVE
