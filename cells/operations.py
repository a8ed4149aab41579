"""The operations of a lowered graph as torch modules.

Padding is `same` everywhere and explicit: a map of n pixels becomes ceil(n / stride), and where the padding is odd the
extra row and column lie at the bottom and right (so an even kernel drifts by half a pixel each time it is applied).

Layer norm adds 1e-5 to the variance. Until a signal arrives, an untrained area's maps are zero and have no variance:
there its gradient is 1 / √1e-5 ≈ 316 times that of its input at each step, so such networks need clipped gradients.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cells import winograd
from cells.bias import biased, has_slow_sums
from cells.depthwise import depthwise
from cells.normalisation import LayerNorm, Norm
from cells.scale import Scale
from space import operations

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": F.elu,
    "relu": F.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "identity": lambda x_NCHW: x_NCHW,
}


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels to add before and after, so that ceil(size / stride) windows of `kernel` fit."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def pad_same(x_NCHW: Tensor, kernel: int, stride: int, value: float = 0.0) -> tuple[Tensor, int]:
    """Pad both axes; returns the map, and the symmetric padding that the operation after it can still add itself."""
    top, bottom = same_padding(x_NCHW.shape[-2], kernel, stride)
    left, right = same_padding(x_NCHW.shape[-1], kernel, stride)
    if top == bottom == left == right:
        return x_NCHW, top
    return F.pad(x_NCHW, (left, right, top, bottom), value=value), 0


class Conv2d(nn.Module):
    """A convolution with same padding; weight `(C_out, C_in, k, k)`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None
        self.kernel = kernel
        self.stride = stride

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Convolve `(N, C_in, H, W)` to `(N, C_out, ⌈H/stride⌉, ⌈W/stride⌉)`."""
        if winograd.is_faster(x_NCHW, self.weight, self.stride):
            return winograd.convolved(x_NCHW, self.weight, self.bias)
        padded, padding = pad_same(x_NCHW, self.kernel, self.stride)
        dilation = 2 if self._is_better_dilated(padded) else 1
        if self.bias is not None and has_slow_sums(padded):
            return biased(F.conv2d(padded, self.weight, None, self.stride, padding, dilation), self.bias)
        return F.conv2d(padded, self.weight, self.bias, self.stride, padding, dilation)

    def _is_better_dilated(self, x_NCHW: Tensor) -> bool:
        """Whether torch has a way half as fast for it: for 1 × 1 kernels, few images and one thread.

        Dilated it is the same, and takes the faster way.
        """
        on_cpu = x_NCHW.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        return on_cpu and self.kernel == 1 and x_NCHW.dtype == torch.float32 and len(x_NCHW) > 1


class DepthwiseConv2d(nn.Module):
    """A convolution of each channel by its own kernel with same padding; weight `(C, 1, k, k)`."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 1, kernel, kernel))
        self.kernel = kernel
        self.stride = stride

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Convolve `(N, C, H, W)` to `(N, C, ⌈H/stride⌉, ⌈W/stride⌉)`."""
        padded, padding = pad_same(x_NCHW, self.kernel, self.stride)
        return depthwise(padded, self.weight, self.stride, padding)


class SeparableConv2d(nn.Module):
    """A depthwise-separable convolution: each channel by its own kernel, then 1×1 over channels, which has the bias."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, *, bias: bool) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv2d(inputs, kernel, stride)
        self.pointwise = Conv2d(inputs, outputs, 1, 1, bias=bias)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Convolve `(N, C_in, H, W)` to `(N, C_out, ⌈H/stride⌉, ⌈W/stride⌉)`."""
        out_NCHW: Tensor = self.pointwise(self.depthwise(x_NCHW))
        return out_NCHW


class TransposedConv2d(nn.Module):
    """The transpose of `Conv2d` from maps `stride` times as high and wide; weight `(C_in, C_out, k, k)`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None
        self.kernel = kernel
        self.stride = stride

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Convolve `(N, C_in, H, W)` to `(N, C_out, H·stride, W·stride)`."""
        whole_NCHW = F.conv_transpose2d(x_NCHW, self.weight, None, self.stride)
        sizes = [size * self.stride for size in x_NCHW.shape[2:]]
        pads = [same_padding(size, self.kernel, self.stride) for size in sizes]
        # What lay on the padding is cut away; where strides pass over pixels, nothing arrives there.
        missing = [size + sum(pad) - have for size, pad, have in zip(sizes, pads, whole_NCHW.shape[2:], strict=True)]
        whole_NCHW = F.pad(whole_NCHW, (0, max(missing[1], 0), 0, max(missing[0], 0)))
        (top, _), (left, _) = pads
        out_NCHW = whole_NCHW[:, :, top : top + sizes[0], left : left + sizes[1]]
        return out_NCHW if self.bias is None else out_NCHW + self.bias.to(out_NCHW.dtype)[:, None, None]


class Activation(nn.Module):
    """An elementwise function by its name in the language."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = ACTIVATIONS[function]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Apply the function."""
        return self.function(x_NCHW)


class MaxPool(nn.Module):
    """A maximum over windows with same padding (by minus infinity)."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Pool `(N, C, H, W)` to `(N, C, ⌈H/stride⌉, ⌈W/stride⌉)`."""
        padded, padding = pad_same(x_NCHW, self.kernel, self.stride, value=float("-inf"))
        if padded.device.type != "cpu" or not padded.is_contiguous():
            return F.max_pool2d(padded, self.kernel, self.stride, padding)
        # A CPU pools channels-last maps ten times as fast; so one finds where the maxima lie, and they are read there.
        last = padded.detach().contiguous(memory_format=torch.channels_last)
        _, at = F.max_pool2d(last, self.kernel, self.stride, padding, return_indices=True)
        return padded.flatten(2).gather(2, at.flatten(2)).view(at.shape)


class AvgPool(nn.Module):
    """A mean over windows with same padding, of the pixels that lie on the map."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Pool `(N, C, H, W)` to `(N, C, ⌈H/stride⌉, ⌈W/stride⌉)`."""
        padded, padding = pad_same(x_NCHW, self.kernel, self.stride)
        if padded is x_NCHW:
            return F.avg_pool2d(x_NCHW, self.kernel, self.stride, padding, count_include_pad=False)
        counted, _ = pad_same(torch.ones_like(x_NCHW[:1, :1]), self.kernel, self.stride)
        share = F.avg_pool2d(counted, self.kernel, self.stride)
        return F.avg_pool2d(padded, self.kernel, self.stride) / share


class Resize(nn.Module):
    """A resize to `size` × `size` pixels; bilinear samples at pixel centres."""

    def __init__(self, mode: str, size: int) -> None:
        super().__init__()
        self.mode = mode
        self.size = size

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Resize `(N, C, H, W)` to `(N, C, size, size)`."""
        if x_NCHW.shape[-1] == self.size:
            return x_NCHW
        return F.interpolate(x_NCHW, size=(self.size, self.size), mode=self.mode)


def module(operation: operations.Operation) -> nn.Module:
    """The torch module of a lowered operation; its parameters are named as the graph names them, and not yet set."""
    match operation:
        case operations.Convolution(inputs=inputs, outputs=outputs, kernel=kernel, stride=stride, bias=bias):
            if operation.transposed:
                return TransposedConv2d(inputs, outputs, kernel, stride, bias=bias)
            if operation.separable:
                return SeparableConv2d(inputs, outputs, kernel, stride, bias=bias)
            return Conv2d(inputs, outputs, kernel, stride, bias=bias)
        case operations.Activation(function):
            return Activation(function)
        case operations.Pooling(kernel, stride, mean):
            return AvgPool(kernel, stride) if mean else MaxPool(kernel, stride)
        case operations.Dropout(rate):
            return nn.Dropout(rate)
        case operations.Normalisation():
            return Norm(operation)
        case operations.Resizing(mode, size):
            return Resize(mode, size)
        case operations.LayerNorm(channels=channels, groups=groups):
            return LayerNorm(groups, channels)
        case operations.Scale(factors=factors):
            return Scale(factors)


def sharing(first: nn.Module, operation: operations.Convolution) -> nn.Module:
    """The module of an operation that has the weights of another, but may have a stride of its own."""
    found = module(operation)
    for name, parameter in first.named_parameters():
        owner, _, last = name.rpartition(".")
        setattr(found.get_submodule(owner), last, parameter)
    return found
