"""Depthwise convolutions and their gradients, against sums over windows."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_cells_operations import windows

from cells.depthwise import depthwise
from cells.operations import DepthwiseConv2d

LAYOUTS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}


def both_ways(height, width, kernel, stride, layout, dtype):
    """Outcome, gradient of the map and of the weight, of the layer and of sums over windows, for a random gradient."""
    random = np.random.default_rng(0)
    x, weight = random.normal(size=(3, 2, height, width)), random.normal(size=(2, 1, kernel, kernel))
    read = windows(x, kernel, stride, 0.0)
    given_back = random.normal(size=(3, 2, *read.shape[:2]))
    wanted = np.einsum("hwncij,cij->nchw", read, weight[:, 0]), np.einsum("hwncij,nchw->cij", read, given_back)[:, None]
    layer = DepthwiseConv2d(2, kernel, stride).to(dtype)
    layer.weight.data = torch.tensor(weight).to(dtype)
    read = torch.tensor(x).to(dtype).to(memory_format=LAYOUTS[layout]).requires_grad_()
    out = layer(read)
    out.backward(torch.tensor(given_back).to(dtype).to(memory_format=LAYOUTS[layout]))
    back = np.zeros_like(x)  # the gradient of a linear map is what it does to unit maps, added up
    for place in np.ndindex(x.shape[1:]):
        unit = np.zeros((1, *x.shape[1:]))
        unit[0][place] = 1
        told = np.einsum("hwncij,cij->nchw", windows(unit, kernel, stride, 0.0), weight[:, 0])
        back[:, *place] = (given_back * told).sum(axis=(1, 2, 3))
    found = (each.detach().double().numpy() for each in (out, read.grad, layer.weight.grad))
    return zip(found, (wanted[0], back, wanted[1]), strict=True)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 10), st.integers(1, 10), st.integers(1, 7), st.integers(1, 3), st.sampled_from(list(LAYOUTS)))
@example(9, 9, 7, 1, "channels last")
@example(10, 9, 5, 3, "channels first")
def test_each_channel_is_convolved_with_its_own_kernel(height, width, kernel, stride, layout):
    for found, wanted in both_ways(height, width, kernel, stride, layout, torch.float64):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [4, 10])
@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1)])
def test_gradients_have_the_precision_of_their_maps(dtype, error, size, layout):
    for found, wanted in both_ways(size, size, 7, 1, layout, dtype):
        np.testing.assert_allclose(found, wanted, atol=error * np.abs(wanted).max())


def test_under_autocast_the_weight_gets_a_gradient_of_its_own_precision():
    layer = DepthwiseConv2d(2, 7, 1)
    torch.nn.init.normal_(layer.weight)
    x = torch.randn(3, 2, 12, 12, generator=torch.Generator().manual_seed(0), requires_grad=True)
    gradients = []
    for lowered in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=lowered):
            out = layer(x)
        assert out.dtype == (torch.bfloat16 if lowered else torch.float32)
        gradients.append(torch.autograd.grad(out.float().square().sum(), (x, layer.weight)))
    for plain, low in zip(*gradients, strict=True):
        assert low.dtype == torch.float32
        assert (low - plain).abs().max() < 0.05 * plain.abs().max()


@pytest.mark.parametrize("size", [4, 9])
def test_gradients_have_gradients(size):
    """As synaptic flow asks for; both ways to the weight's."""
    generator = torch.Generator().manual_seed(0)
    x, weight = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in [(2, 2, size, size), (2, 1, 5, 5)]
    )
    assert torch.autograd.gradgradcheck(lambda x, weight: depthwise(x, weight, 1, 2), (x, weight))
