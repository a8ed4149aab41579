"""The operations of a network, against loops over pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cells.operations import ACTIVATIONS, Conv2d, MaxPool, Resize, SeparableConv2d, module, same_padding
from space import model
from space import operations as graph


def padding_by_search(size, kernel, stride):
    """The least padding with which ⌈size / stride⌉ windows fit; of an odd amount the greater half comes after."""
    windows = sum(1 for pixel in range(size) if pixel % stride == 0)
    total = 0
    while len(range(0, size + total - kernel + 1, stride)) < windows:
        total += 1
    before = total // 2
    return before, total - before


def windows(x, kernel, stride, fill):
    """`(H', W', N, C, k, k)`: each window of same-padded images `(N, C, H, W)`, pixel by pixel."""
    images, channels, height, width = x.shape
    top, left = padding_by_search(height, kernel, stride)[0], padding_by_search(width, kernel, stride)[0]
    found = np.full((-(-height // stride), -(-width // stride), images, channels, kernel, kernel), fill)
    for row, column, dy, dx in np.ndindex(*found.shape[:2], kernel, kernel):
        y_in, x_in = row * stride - top + dy, column * stride - left + dx
        if 0 <= y_in < height and 0 <= x_in < width:
            found[row, column, :, :, dy, dx] = x[:, :, y_in, x_in]
    return found


def filled(layer):
    layer = layer.double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return layer


def images(seed, height, width, channels=2):
    return np.random.default_rng(seed).normal(size=(2, channels, height, width))


sizes, kernels, strides = st.integers(1, 9), st.integers(1, 7), st.integers(1, 4)


@given(sizes, kernels, strides)
def test_padding_is_the_least_that_fits_with_the_odd_pixel_last(size, kernel, stride):
    assert same_padding(size, kernel, stride) == padding_by_search(size, kernel, stride)


@settings(deadline=None, max_examples=60)
@given(sizes, sizes, kernels, strides)
def test_a_convolution_is_a_weighted_sum_of_each_window(height, width, kernel, stride):
    layer, x = filled(Conv2d(2, 3, kernel, stride, bias=True)), images(0, height, width)
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    expected = np.einsum("hwncij,ocij->nohw", windows(x, kernel, stride, 0.0), weight) + bias[:, None, None]
    np.testing.assert_allclose(layer(torch.tensor(x)).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("count", [1, 2, 20])
def test_one_by_one_kernels_multiply_each_pixel_by_a_matrix(count, stride):
    """In the precision of training, for which there is a faster way."""
    generator = torch.Generator().manual_seed(0)
    layer, x = Conv2d(5, 6, 1, stride, bias=True), torch.randn(count, 5, 4, 4, generator=generator)
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    wanted = torch.einsum("nchw,kc->nkhw", x, layer.weight[..., 0, 0])[..., ::stride, ::stride]
    torch.testing.assert_close(layer(x), wanted + layer.bias[:, None, None], rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(sizes, kernels, strides)
def test_a_separable_convolution_is_that_of_the_product_of_its_kernels(size, kernel, stride):
    layer, x = filled(SeparableConv2d(2, 3, kernel, stride, bias=True)), images(0, size, size)
    own, across = layer.depthwise.weight.detach().numpy(), layer.pointwise.weight.detach().numpy()
    dense = own[None, :, 0] * across[:, :, 0, 0][:, :, None, None]
    bias = layer.pointwise.bias.detach().numpy()[:, None, None]
    expected = np.einsum("hwncij,ocij->nohw", windows(x, kernel, stride, 0.0), dense) + bias
    np.testing.assert_allclose(layer(torch.tensor(x)).detach().numpy(), expected, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(sizes, sizes, kernels, strides)
def test_a_pool_is_the_maximum_of_each_window_and_never_of_padding(height, width, kernel, stride):
    x = images(0, height, width) - 100
    expected = windows(x, kernel, stride, -np.inf).max(axis=(-2, -1)).transpose(2, 3, 0, 1)
    np.testing.assert_array_equal(MaxPool(kernel, stride)(torch.tensor(x)).numpy(), expected)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8])
def test_a_bilinear_resize_samples_between_pixel_centres(size):
    x = images(0, 4, 4)
    expected = np.empty((2, 2, size, size))
    for row, column in np.ndindex(size, size):
        (y0, y1, dy), (x0, x1, dx) = (between_centres(place, size, 4) for place in (row, column))
        above = x[:, :, y0, x0] * (1 - dx) + x[:, :, y0, x1] * dx
        below = x[:, :, y1, x0] * (1 - dx) + x[:, :, y1, x1] * dx
        expected[:, :, row, column] = above * (1 - dy) + below * dy
    np.testing.assert_allclose(Resize("bilinear", size)(torch.tensor(x)).numpy(), expected, atol=1e-12)


def between_centres(place, size, pixels):
    """The two pixels around a place's centre, and how far it lies from the first to the second."""
    at = min(max((place + 0.5) * pixels / size - 0.5, 0), pixels - 1)
    first = int(at)
    return first, min(first + 1, pixels - 1), at - first


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8])
def test_a_nearest_resize_repeats_the_pixel_that_a_place_lies_in(size):
    x = images(0, 4, 4)
    pixels = [place * 4 // size for place in range(size)]
    np.testing.assert_array_equal(Resize("nearest", size)(torch.tensor(x)).numpy(), x[:, :, pixels][:, :, :, pixels])


def test_layer_norm_has_one_mean_and_variance_for_an_image_and_an_affine_for_each_channel():
    layer, x = filled(module(graph.LayerNorm("norm", 4, groups=1))), images(0, 3, 3, channels=4) * 5 + 2
    scale, shift = (p.detach().numpy()[:, None, None] for p in (layer.weight, layer.bias))
    expected = np.stack([(each - each.mean()) / np.sqrt(each.var() + 1e-5) * scale + shift for each in x])
    np.testing.assert_allclose(layer(torch.tensor(x)).detach().numpy(), expected, atol=1e-12)


def test_layer_norm_of_groups_is_that_of_each_part():
    layer, x = filled(module(graph.LayerNorm("norm", 8, groups=4))), torch.tensor(images(0, 3, 3, channels=8))
    parts = []
    for first in range(0, 8, 2):
        part = filled(module(graph.LayerNorm("norm", 2, groups=1)))
        part.weight, part.bias = (torch.nn.Parameter(p[first : first + 2]) for p in (layer.weight, layer.bias))
        parts.append(part(x[:, first : first + 2]))
    torch.testing.assert_close(layer(x), torch.cat(parts, dim=1))


def test_every_activation_of_the_language_is_here():
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)
    values = x.numpy()
    expected = {
        "elu": np.where(values > 0, values, np.exp(values) - 1),
        "relu": np.maximum(values, 0),
        "tanh": np.tanh(values),
        "sigmoid": 1 / (1 + np.exp(-values)),
        "identity": values,
    }
    assert set(ACTIVATIONS) == set(model.ACTIVATIONS) == set(expected)
    for name, wanted in expected.items():
        np.testing.assert_allclose(ACTIVATIONS[name](x).numpy(), wanted, atol=1e-12)
