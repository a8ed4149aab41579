"""The bias of GPUs against the sum that it stands for, where it is computed here too."""

import torch

from cells.bias import FEW_PIXELS, biased, has_slow_sums


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
    on_gpu = torch.cuda.is_available()
    large = torch.zeros(FEW_PIXELS // 16, 8, 4, 4, device="cuda" if on_gpu else "cpu")
    assert has_slow_sums(large.contiguous(memory_format=torch.channels_last)) == on_gpu
    assert not has_slow_sums(large)
    assert not has_slow_sums(large[1:].contiguous(memory_format=torch.channels_last))
