"""The bias of GPUs against the sum that it stands for, where it is computed here too."""

import copy

import pytest
import torch

from cells.bias import FEW_PIXELS, are_many_rows, biased, has_slow_sums
from cells.operations import Conv2d


def given(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def test_it_adds_in_place_and_gives_the_gradients_of_a_sum():
    x, bias = given(0, 4, 3, 5, 6), given(1, 3)
    doubled = 2 * x
    out = biased(doubled, bias)
    assert out.data_ptr() == doubled.data_ptr()
    torch.testing.assert_close(out, 2 * x + bias[:, None, None])
    back = given(2, 4, 3, 5, 6).detach()
    to_x, to_bias = torch.autograd.grad(out, (x, bias), back)
    torch.testing.assert_close(to_x, 2 * back)
    torch.testing.assert_close(to_bias, back.sum(dim=(0, 2, 3)))


def test_gradients_of_gradients_are_right():
    assert torch.autograd.gradgradcheck(
        lambda x, bias: biased(x.sin(), bias).cos(), (given(0, 2, 3, 2, 2), given(1, 3))
    )


def test_a_short_map_stays_short_and_its_bias_long():
    bias = torch.randn(3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    x = given(0, 4, 3, 5, 6).detach().bfloat16()
    out = biased(x.clone(), bias)
    out.sum().backward()
    assert out.dtype == torch.bfloat16 and bias.grad.dtype == torch.float32
    torch.testing.assert_close(bias.grad, torch.full((3,), 120.0))


def test_only_large_maps_of_a_gpu_whose_channels_lie_together_have_slow_sums():
    large = torch.zeros(FEW_PIXELS // 16, 8, 4, 4)
    together = large.contiguous(memory_format=torch.channels_last)
    assert are_many_rows(together) and not are_many_rows(large) and not are_many_rows(together[1:])
    assert not has_slow_sums(together)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_convolution_on_a_gpu_has_the_gradients_of_one_on_a_cpu(dtype):
    convolution = Conv2d(8, 16, 3, 1, bias=True)
    for seed, parameter in enumerate(convolution.parameters()):
        parameter.data = 0.1 * given(seed, *parameter.shape).detach()
    shown, back = given(2, 20, 8, 16, 16).detach(), given(3, 20, 16, 16, 16).detach()
    there = copy.deepcopy(convolution).to("cuda", dtype, memory_format=torch.channels_last)
    there_NCHW = shown.to("cuda", dtype).contiguous(memory_format=torch.channels_last)
    assert has_slow_sums(there_NCHW)
    convolution(shown).backward(back)
    there(there_NCHW).backward(back.to("cuda", dtype))
    for found, wanted in zip(there.parameters(), convolution.parameters(), strict=True):
        size = float(wanted.grad.abs().max())
        torch.testing.assert_close(found.grad.cpu().double(), wanted.grad, rtol=0, atol=0.02 * size)
