"""Convolutions by minimal filtering, against torch's own in 64 bits."""

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from cells import winograd
from cells.network import Network
from cells.operations import Conv2d
from space.parse import parse_architecture

LAYOUTS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}

RECURRENT = """
striate: 1
name: recurrent
input: {channels: 3, size: 8, classes: 10}
time: {steps: 5}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 128}, elu]}
  V2:
    drive: [conv: {kernel: 3, channels: 128}]
    cell: {type: reciprocal_gated, keep: {kernel: 3}, admit: {kernel: 3}}
train: {data: digits, learning_rate: 0.1}
"""
ITS_CONVOLUTIONS = 5  # of 128 channels: one drives V2 and four gate it


def some(*shape, seed=0, layout="channels first", dtype=torch.float64):
    found = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return found.to(dtype).to(memory_format=LAYOUTS[layout]) if len(shape) == 4 else found.to(dtype)


def outcome_and_gradients(convolve, read, given_back):
    leaves = [None if each is None else each.clone().requires_grad_() for each in read]
    out = convolve(*leaves)
    out.backward(given_back)
    return [out.detach(), *(each.grad for each in leaves if each is not None)]


def by_torch(x, weight, bias):
    return F.conv2d(x, weight, bias, padding=1)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 3),
    st.integers(1, 14),
    st.integers(1, 14),
    st.booleans(),
    st.sampled_from(list(LAYOUTS)),
    st.sampled_from(list(LAYOUTS)),
)
@example(1, 1, 1, True, "channels last", "channels first")
@example(2, 5, 13, True, "channels first", "channels last")
def test_it_is_the_convolution(images, height, width, has_bias, layout, layout_back):
    read = [
        some(images, 3, height, width, layout=layout),
        some(5, 3, 3, 3, seed=1, layout=layout),
        some(5, seed=2) if has_bias else None,
    ]
    back = some(images, 5, height, width, seed=3, layout=layout_back)
    found = outcome_and_gradients(winograd.convolved, read, back)
    wanted = outcome_and_gradients(by_torch, read, back)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-11, rtol=0)
    assert found[0].is_contiguous(memory_format=LAYOUTS[layout])  # as the map is, so that it spoils no other


def test_it_can_be_differentiated_twice():
    read = [some(2, 2, 3, 5), some(3, 2, 3, 3, seed=1), some(3, seed=2)]
    leaves = [each.requires_grad_() for each in read]
    assert torch.autograd.gradgradcheck(winograd.convolved, leaves, nondet_tol=0)


def test_a_map_that_is_a_part_of_another_is_read_and_laid_out_as_torch_does():
    whole, weight = some(2, 3, 9, 20), some(5, 3, 3, 3, seed=1)
    found, wanted = (way(whole[..., 4:13], weight, None) for way in (winograd.convolved, by_torch))
    torch.testing.assert_close(found, wanted)
    assert found.stride() == wanted.stride()


def test_a_large_batch_is_computed_in_parts(monkeypatch):
    read = [some(7, 3, 8, 9), some(5, 3, 3, 3, seed=1), some(5, seed=2)]
    back = some(7, 5, 8, 9, seed=3)
    whole = outcome_and_gradients(winograd.convolved, read, back)
    largest = 0

    class Largest(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            found = func(*args, **(kwargs or {}))
            if isinstance(found, torch.Tensor):
                largest = max(largest, found.untyped_storage().nbytes() // found.element_size())
            return found

    monkeypatch.setattr(winograd, "FEW_NUMBERS", 36 * 6 * 5 * 2)  # of two images: 2 × 3 tiles, 5 channels
    with Largest():
        parts = outcome_and_gradients(winograd.convolved, read, back)
    assert largest <= max(winograd.FEW_NUMBERS, back.numel())
    for one, other in zip(parts, whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_in_32_bits_it_errs_as_little_as_is_said():
    read = [some(8, 256, 16, 16), some(256, 256, 3, 3, seed=1), some(256, seed=2)]
    back = some(8, 256, 16, 16, seed=3)
    wanted = outcome_and_gradients(by_torch, read, back)
    found = outcome_and_gradients(winograd.convolved, [each.float() for each in read], back.float())
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).std() < 4e-6 * other.std()


@pytest.mark.parametrize(
    ("change", "is_so"),
    [
        ({}, True),
        ({"inputs": 127}, False),
        ({"outputs": 127}, False),
        ({"kernel": 5}, False),
        ({"stride": 2}, False),
        ({"images": 7}, False),
        ({"size": 7, "images": 11}, True),
        ({"size": 6, "images": 15}, False),  # half of its tiles lie outside
        ({"dtype": torch.float64}, False),
        ({"dtype": torch.bfloat16}, False),
    ],
)
def test_layers_take_it_where_it_is_faster(change, is_so):
    default = {"inputs": 128, "outputs": 128, "kernel": 3, "stride": 1, "images": 8, "size": 8, "dtype": torch.float32}
    chosen = default | change
    layer = Conv2d(chosen["inputs"], chosen["outputs"], chosen["kernel"], chosen["stride"], bias=True)
    layer = layer.to(chosen["dtype"])
    torch.nn.init.normal_(layer.weight, std=0.03)
    torch.nn.init.normal_(layer.bias)
    x = some(chosen["images"], chosen["inputs"], chosen["size"], chosen["size"], dtype=chosen["dtype"])
    with Products() as products:
        found = layer(x)
    assert (products.transforms_of_weights > 0) == is_so
    if chosen["stride"] == 1:
        wanted = F.conv2d(x, layer.weight, layer.bias, padding=chosen["kernel"] // 2)
        torch.testing.assert_close(found, wanted, atol=1e-4 if is_so else 1e-2, rtol=1e-2)


def test_under_autocast_layers_do_not_take_it():
    layer = Conv2d(128, 128, 3, 1, bias=False)
    torch.nn.init.normal_(layer.weight)
    with torch.autocast("cpu", torch.bfloat16), Products() as products:
        assert layer(some(8, 128, 8, 8, dtype=torch.float32)).dtype == torch.bfloat16
    assert products.transforms_of_weights == 0


class Products(TorchDispatchMode):
    """Counts the matrix products that transform weights."""

    def __init__(self):
        super().__init__()
        self.transforms_of_weights = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.mm.default and args[0].shape == (36, 9):
            self.transforms_of_weights += 1
        return func(*args, **(kwargs or {}))


def recurrent():
    _, graph = parse_architecture(RECURRENT, "recurrent.yaml")
    return Network(graph, 0)


@pytest.mark.parametrize("steps_kept", [None, 2])
def test_a_network_learns_as_in_64_bits_and_transforms_each_weight_once_a_pass(steps_kept):
    network = recurrent()
    twin = copy.deepcopy(network).double()
    network.recompute(steps_kept)
    labels = torch.arange(8)
    for batch in range(3):
        images = some(8, 3, 8, 8, seed=batch)
        learnt = {}
        for each, shown in ((network, images.float()), (twin, images)):
            each.zero_grad()
            with Products() as products:
                F.cross_entropy(each(shown), labels).backward()
            with torch.no_grad():
                for parameter in each.parameters():
                    parameter -= 0.1 * parameter.grad
            learnt[each] = products.transforms_of_weights
        assert learnt[twin] == 0
        if steps_kept is None:
            assert learnt[network] == ITS_CONVOLUTIONS
        for (name, one), other in zip(network.named_parameters(), twin.parameters(), strict=True):
            assert (one.grad - other.grad).abs().max() < 1e-4 * other.grad.abs().max(), f"{name} in batch {batch}"


def test_a_compiled_network_is_one_graph():
    """In pieces it would be slower; there is no other way to ask for a single one."""
    network = recurrent()
    images = some(8, 3, 8, 8, dtype=torch.float32)
    compiled = torch.compile(network.answers, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), network.answers(images), atol=1e-4, rtol=1e-4)


def test_inside_a_pass_a_weight_has_a_gradient_also_after_it_was_read_without():
    weight, x = some(4, 3, 3, 3).requires_grad_(), some(2, 3, 8, 8, seed=1)
    with winograd.weights_transformed_once():
        with torch.no_grad():
            winograd.convolved(x, weight, None)
        assert winograd.convolved(x, weight, None).requires_grad


def test_out_of_a_pass_a_weight_that_changed_is_transformed_again():
    weight, x = some(4, 3, 3, 3), some(2, 3, 8, 8, seed=1)
    with winograd.weights_transformed_once():
        first = winograd.convolved(x, weight, None)
    weight *= 2
    torch.testing.assert_close(winograd.convolved(x, weight, None), 2 * first)
    with winograd.weights_transformed_once():
        torch.testing.assert_close(winograd.convolved(x, weight, None), 2 * first)


def test_weights_that_come_and_go_inside_a_pass_are_told_apart():
    x = some(2, 3, 8, 8)
    with winograd.weights_transformed_once():
        for seed in range(20):
            weight = some(4, 3, 3, 3, seed=seed)
            torch.testing.assert_close(winograd.convolved(x, weight, None), F.conv2d(x, weight, padding=1))
