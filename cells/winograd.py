"""Dense 3 × 3 convolutions by Winograd's minimal filtering, for CPUs.

    y = Aᵀ [Σ_c (G w Gᵀ) ∘ (Bᵀ x B)] A

for each tile of 4 × 4 pixels of an output, which reads 6 × 6 of the input: 36 products instead of 144 (Lavin & Gray
2016, arXiv 1509.09308, F(4 × 4, 3 × 3)). For all tiles and channels at once the products of one place are a matrix
product, and so is each transform. The points of interpolation are 0, ±1, ½, −2 and ∞; with the paper's ±2 instead of ½
and −2 errors were half as large again. In 32 bits they are 2 · 10⁻⁶ of the spread of what is computed of random maps,
ten times those of direct sums.

A map is kept for the gradient, and transformed again there; its transform, 2¼ times as large, is not. A transformed
weight is four times as large as the weight. While `weights_transformed_once` holds, all steps of an unroll read the
same, and the weight's gradient is transformed back once.

Shapes: N images, C channels read and O given, H × W pixels, P places of a tile, T tiles of all images.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cells.layout import layout_of

GIVEN, READ = 4, 6  # pixels of a tile along an axis
PLACES = READ * READ
FLAT = 7  # the place whose share of all 4 × 4 pixels is the same, as both its points are 1

FEW_CHANNELS = 128  # below which the transforms cost what they save
FEW_PIXELS = 512  # of all images, below which the larger weights cost what they save
LEAST_SAVING = 3  # times fewer products; the tiles at the border of some maps lie half outside
FEW_NUMBERS = 1 << 20  # of a transform, that fit a cache; what has more, and more than its weights, is done in parts

_A = (  # transposed
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 1 / 2, -2, 0),
    (0, 1, 1, 1 / 4, 4, 0),
    (0, 1, -1, 1 / 8, -8, 1),
)
_G = (
    (1, 0, 0),
    (1 / 3, 1 / 3, 1 / 3),
    (-1 / 3, 1 / 3, -1 / 3),
    (-16 / 15, -8 / 15, -4 / 15),
    (1 / 15, -2 / 15, 4 / 15),
    (0, 0, 1),
)
_B = (  # transposed
    (1, -3 / 2, -2, 3 / 2, 1, 0),
    (0, -1, 1 / 2, 5 / 2, 1, 0),
    (0, 1, -5 / 2, 1 / 2, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 1 / 2, -1, -1 / 2, 1, 0),
    (0, 1, -3 / 2, -2, 3 / 2, 1),
)


def _of_both_axes(rows: Sequence[Sequence[float]]) -> Tensor:
    along = torch.tensor(rows, dtype=torch.float64, device="cpu")
    return torch.kron(along, along)


TO_OUTPUT, TO_WEIGHT, TO_INPUT = _of_both_axes(_A), _of_both_axes(_G), _of_both_axes(_B)

# Where a weight lies, and whether with a gradient → it, so that no other comes to lie there, and what it became.
_TRANSFORMED: ContextVar[dict[tuple[int, bool], tuple[Tensor, Tensor]] | None] = ContextVar("transformed", default=None)


@contextlib.contextmanager
def weights_transformed_once() -> Iterator[None]:
    """Transform each weight once for all convolutions inside; no weight may change there.

    While torch compiles it does nothing: `is_faster` is False then, as it fuses and chooses by itself.
    """
    if torch.compiler.is_compiling():
        yield
        return
    token = _TRANSFORMED.set({})
    try:
        yield
    finally:
        _TRANSFORMED.reset(token)


def is_faster(x_NCHW: Tensor, weight_OCkk: Tensor, stride: int) -> bool:
    """Whether a convolution with same padding takes less time this way: of many channels, on a CPU, in 32 bits."""
    if weight_OCkk.shape[2:] != (3, 3) or stride != 1 or min(weight_OCkk.shape[:2]) < FEW_CHANNELS:
        return False
    if x_NCHW.device.type != "cpu" or x_NCHW.dtype != torch.float32:
        return False
    if torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling():
        return False
    images, _, height, width = x_NCHW.shape
    saving = 9 * height * width / (PLACES * _across(height) * _across(width))
    return images * height * width >= FEW_PIXELS and saving >= LEAST_SAVING


def convolved(x_NCHW: Tensor, weight_OCkk: Tensor, bias_O: Tensor | None) -> Tensor:
    """A map convolved with 3 × 3 weights and same padding, laid out as it is."""
    transformed_POC = _transformed(weight_OCkk)
    _, outputs, inputs = transformed_POC.shape
    tiles = len(x_NCHW) * _across(x_NCHW.shape[2]) * _across(x_NCHW.shape[3])
    most = max(FEW_NUMBERS, transformed_POC.numel())
    parts: list[Tensor] = [
        _Convolution.apply(part, transformed_POC, bias_O)  # type: ignore[no-untyped-call]
        for part in x_NCHW.chunk(-(-PLACES * tiles * max(inputs, outputs) // most))
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _transformed(weight_OCkk: Tensor) -> Tensor:
    """G w Gᵀ, `(P, O, C)`."""
    known, key = _TRANSFORMED.get(), (id(weight_OCkk), torch.is_grad_enabled())
    if known is not None and key in known:
        return known[key][1]
    found = TO_WEIGHT.to(weight_OCkk.dtype) @ weight_OCkk.reshape(-1, 9).t()
    found = found.view(PLACES, *weight_OCkk.shape[:2])
    if known is not None:
        known[key] = weight_OCkk, found
    return found


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NCHW: Tensor, weight_POC: Tensor, bias_O: Tensor | None) -> Tensor:
        ctx.save_for_backward(x_NCHW, weight_POC)
        products_PTO = torch.bmm(_input_transformed(x_NCHW), weight_POC.transpose(1, 2))
        if bias_O is not None:
            products_PTO[FLAT] += bias_O
        return _output_from(products_PTO, x_NCHW)

    @staticmethod
    def backward(ctx: Any, given_NOHW: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x_NCHW, weight_POC = ctx.saved_tensors
        to_map, to_weight, to_bias = ctx.needs_input_grad
        given_PTO = _output_transposed(given_NOHW)
        map_NCHW = _input_transposed(torch.bmm(given_PTO, weight_POC), x_NCHW) if to_map else None
        weight = torch.bmm(given_PTO.transpose(1, 2), _input_transformed(x_NCHW)) if to_weight else None
        return map_NCHW, weight, given_PTO[FLAT].sum(0) if to_bias else None


def _across(pixels: int) -> int:
    """How many tiles lie along an axis."""
    return -(-pixels // GIVEN)


def _input_transformed(x_NCHW: Tensor) -> Tensor:
    """Bᵀ x B of every tile, `(P, T, C)`."""
    images, channels, height, width = x_NCHW.shape
    down, across = _across(height), _across(width)
    padded_NHWC = x_NCHW.new_zeros(images, down * GIVEN + 2, across * GIVEN + 2, channels)
    padded_NHWC[:, 1 : height + 1, 1 : width + 1] = x_NCHW.movedim(1, -1)
    image, row, pixel, _ = padded_NHWC.stride()
    tiles = padded_NHWC.as_strided(
        (READ, READ, images, down, across, channels), (row, pixel, image, GIVEN * row, GIVEN * pixel, 1)
    )
    return (TO_INPUT.to(x_NCHW.dtype) @ tiles.reshape(PLACES, -1)).view(PLACES, -1, channels)


def _input_transposed(given_PTC: Tensor, like_NCHW: Tensor) -> Tensor:
    """The transpose of `_input_transformed`: where tiles overlap, what they give is added."""
    images, channels, height, width = like_NCHW.shape
    down, across = _across(height), _across(width)
    tiles = TO_INPUT.t().to(given_PTC.dtype) @ given_PTC.view(PLACES, -1)
    tiles = tiles.view(READ, READ, images, down, across, channels)
    padded_NHWC = given_PTC.new_zeros(images, (down + 1) * GIVEN, (across + 1) * GIVEN, channels)
    blocks = padded_NHWC.view(images, down + 1, GIVEN, across + 1, GIVEN, channels).permute(2, 4, 0, 1, 3, 5)
    over = READ - GIVEN  # rows and columns that reach into the next block
    blocks[:, :, :, :down, :across] = tiles[:GIVEN, :GIVEN]
    blocks[:over, :, :, 1:, :across] += tiles[GIVEN:, :GIVEN]
    blocks[:, :over, :, :down, 1:] += tiles[:GIVEN, GIVEN:]
    blocks[:over, :over, :, 1:, 1:] += tiles[GIVEN:, GIVEN:]
    return _in_layout_of(padded_NHWC[:, 1 : height + 1, 1 : width + 1], like_NCHW)


def _output_from(products_PTO: Tensor, like_NCHW: Tensor) -> Tensor:
    """Aᵀ m A of every tile, joined to maps `(N, O, H, W)`."""
    images, _, height, width = like_NCHW.shape
    down, across, outputs = _across(height), _across(width), products_PTO.shape[2]
    tiles = TO_OUTPUT.to(products_PTO.dtype) @ products_PTO.view(PLACES, -1)
    tiles = tiles.view(GIVEN, GIVEN, images, down, across, outputs).permute(2, 3, 0, 4, 1, 5)
    whole_NHWO = tiles.reshape(images, down * GIVEN, across * GIVEN, outputs)
    return _in_layout_of(whole_NHWO[:, :height, :width], like_NCHW)


def _output_transposed(given_NOHW: Tensor) -> Tensor:
    """The transpose of `_output_from`."""
    images, outputs, height, width = given_NOHW.shape
    down, across = _across(height), _across(width)
    missing = (across * GIVEN - width, down * GIVEN - height)
    whole_NHWO = given_NOHW.movedim(1, -1)
    if any(missing):
        whole_NHWO = F.pad(whole_NHWO, (0, 0, 0, missing[0], 0, missing[1]))
    tiles = whole_NHWO.reshape(images, down, GIVEN, across, GIVEN, outputs).permute(2, 4, 0, 1, 3, 5)
    return (TO_OUTPUT.t().to(given_NOHW.dtype) @ tiles.reshape(GIVEN * GIVEN, -1)).view(PLACES, -1, outputs)


def _in_layout_of(found_NHWC: Tensor, like_NCHW: Tensor) -> Tensor:
    """A map whose channels lie together, laid out as another."""
    return found_NHWC.movedim(-1, 1).contiguous(memory_format=layout_of(like_NCHW))
