"""Pooling gives what torch's own gives, to the last bit, and so do its gradients and theirs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cells.operations import MaxPool, pad_same


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 2, 8), (2, 2, 8), (2, 2, 7), (3, 1, 5), (3, 3, 9)])
def test_pooling_is_torchs(kernel, stride, size, layout):
    x_NCHW = torch.randn(2, 3, size, size, dtype=torch.float64).to(memory_format=layout)
    x_NCHW[0, 0, :3] = 1.0  # of equal maxima the same one is taken
    found = []
    for pool in (MaxPool(kernel, stride), _torchs(kernel, stride)):
        read = x_NCHW.clone().requires_grad_()
        out = pool(read)
        (first,) = torch.autograd.grad((out**3).sum(), read, create_graph=True)
        (second,) = torch.autograd.grad((first**2).sum(), read)
        found.append((out, first, second))
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)
    assert found[0][0].is_contiguous(memory_format=layout)


def _torchs(kernel, stride):
    def pool(x_NCHW):
        padded, padding = pad_same(x_NCHW, kernel, stride, value=float("-inf"))
        return F.max_pool2d(padded, kernel, stride, padding)

    return pool
