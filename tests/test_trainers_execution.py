"""Ways of executing a network: on a CPU each must do the same as the plain one, or say why it cannot."""

import dataclasses

import pytest
import torch
from random_networks import gradients_of, images_of, network_of
from test_space_cost import saved_for_the_gradient

from cells.network import Network
from space.errors import StriateError
from space.model import Training
from space.parse import find, parse_architecture
from trainers.data import registry
from trainers.data.dataset import Images, Split, search_split
from trainers.device import DeviceSplit
from trainers.execution import Execution
from trainers.loop import Trainer

SETTINGS = Training(data="digits", epochs=1, batch_size=8, learning_rate=0.05)


def rgc():
    return parse_architecture(*find("digits-rgc"))[1]


@pytest.fixture(scope="module")
def some_digits():
    split = search_split(registry.load("digits", None))
    first = Images(split.train.pixels[:32], split.train.labels[:32])
    return DeviceSplit.of(Split(split.name, first, first), torch.device("cpu"))


def trained(execution, data):
    trainer = Trainer(Network(rgc(), 0), SETTINGS, data, execution)
    result = trainer.run_epoch()
    return result, trainer.network.state_dict()


def test_on_a_cpu_nothing_is_done_that_changes_a_digit():
    assert Execution.of(torch.device("cpu")) == Execution()
    assert Execution.of(torch.device("cuda")) == Execution(bfloat16=True, channels_last=True, capture=True)


@pytest.mark.parametrize("execution", [
    Execution(channels_last=True),
    Execution(recompute_steps=2),
    Execution(capture=True),
], ids=str)  # fmt: skip
def test_another_execution_learns_the_same(execution, some_digits):
    """Capturing is of GPUs: elsewhere the step runs as it is."""
    plain, weights = trained(Execution(), some_digits)
    result, others = trained(execution, some_digits)
    assert result.train_loss == pytest.approx(plain.train_loss, rel=1e-5)
    for name, wanted in weights.items():
        torch.testing.assert_close(others[name], wanted, rtol=1e-4, atol=1e-5)


def test_bfloat16_computes_in_half_the_bits_and_learns_in_all(some_digits):
    plain, _ = trained(Execution(), some_digits)
    result, weights = trained(Execution(bfloat16=True), some_digits)
    assert all(value.dtype == torch.float32 for value in weights.values())
    assert result.train_loss == pytest.approx(plain.train_loss, rel=0.02)
    assert result.train_loss != plain.train_loss
    network, images = Network(rgc(), 0), images_of(rgc()).float()
    seen = []
    network.get_submodule("areas.IT.drive.0").register_forward_hook(lambda *given: seen.append(given[-1].dtype))
    answers = Execution(bfloat16=True).answers(network)(images)
    assert set(seen) == {torch.bfloat16} and answers.dtype == torch.float32


TRANSPOSED = """
striate: 1
name: transposed
input: {channels: 1, size: 8, classes: 10}
time: {steps: 8}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 8}], cell: {type: reciprocal_gated, keep: {kernel: 3}, admit: {kernel: 1}}}
  V2: {drive: [conv: {kernel: 2, stride: 2, channels: 8}, elu]}
edges: {feedback: [{from: V2, to: V1, via: [transposed_conv: {kernel: 2, stride: 2}]}]}
train: {data: digits, learning_rate: 0.05}
"""


@pytest.mark.parametrize("name", ["digits-rgc", "cornet-rt", "bl-2020", None])
def test_in_bfloat16_all_maps_are_kept_in_half_the_bits(name):
    """Also those that come of zeros and of biases alone, which what is added to them would follow."""
    graph, kept = (parse_architecture(*find(name)) if name else parse_architecture(TRANSPOSED, "file.yaml"))[1], []

    def keep(tensor):
        if tensor.dim() == 4 and tensor.shape[0] in (1, 3) and tensor.is_floating_point():
            kept.append(tensor.dtype)
        return tensor

    network = Network(graph, 0)
    images = torch.randn(3, *graph.input_shape, generator=torch.Generator().manual_seed(0))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        Execution(bfloat16=True).answers(network)(images)
    assert len(kept) > 20 and set(kept) == {torch.bfloat16}


@pytest.mark.parametrize("steps", [1, 2, 3, 100])
def test_recomputing_gives_the_same_gradients(steps):
    network, images = network_of(rgc()), images_of(rgc())
    logits, gradients = gradients_of(network, images)
    network.recompute(steps)
    again, recomputed = gradients_of(network, images)
    assert torch.equal(again, logits)
    for name, wanted in gradients.items():
        torch.testing.assert_close(recomputed[name], wanted, rtol=1e-9, atol=1e-11)


def test_recomputing_keeps_less():
    graph = rgc()
    longer = dataclasses.replace(graph, clock=dataclasses.replace(graph.clock, steps=40, shown=None))
    longer = dataclasses.replace(longer, answer=dataclasses.replace(graph.answer, steps=(39,)))
    whole = saved_for_the_gradient(longer, 2)
    parts = saved_for_the_gradient(longer, 2, recompute=5)
    assert parts < whole / 4


def dropping():
    text, file = find("digits-feedforward")
    text = text.replace("  IT: {drive: [conv", "  IT: {drive: [dropout: {rate: 0.5}, conv")
    return parse_architecture(text, file)[1]


def test_what_is_dropped_is_of_the_seed_and_the_epoch_alone(some_digits):
    assert "Dropout" in str(dropping())
    losses = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        trainer = Trainer(Network(dropping(), 0), dataclasses.replace(SETTINGS, epochs=2), some_digits)
        first = trainer.train_epoch()
        state = trainer.state()
        torch.rand(noise)  # as whatever else happens between epochs
        losses.append((first, trainer.train_epoch()))
        resumed = Trainer(Network(dropping(), 1), dataclasses.replace(SETTINGS, epochs=2), some_digits)
        resumed.load_state(state)
        assert resumed.train_epoch() == losses[-1][1]
    assert losses[0] == losses[1]


def test_a_batch_norm_needs_more_than_one_image_in_each_batch(some_digits):
    text, file = find("digits-feedforward")
    text = text.replace("  IT: {drive: [conv", "  IT: {drive: [norm: {kind: batch}, conv")
    network = Network(parse_architecture(text, file)[1], 0)
    for size in (1, 31):  # of 32 images, one is left
        with pytest.raises(StriateError, match=r"one is alone in its batch; choose another `train.batch_size`"):
            Trainer(network, dataclasses.replace(SETTINGS, batch_size=size), some_digits)
    Trainer(network, dataclasses.replace(SETTINGS, batch_size=32), some_digits)
