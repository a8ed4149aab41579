"""Cheap proxies: numbers of an untrained network that may foretell how well it will do.

Each works on a copy of the network and with random numbers of its own, so training goes on as if nothing had been
measured. A proxy that is not a finite number is None.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cells.network import Network
from trainers.execution import Execution

_FAINT = 1e-100  # above zero, where the slope of a ReLU is that of what it lets pass


def proxies(network: Network, images_NCHW: Tensor, labels_N: Tensor, execution: Execution) -> dict[str, float | None]:
    """Every proxy by its name, measured on one batch of training images."""
    return {
        "gradient_norm": gradient_norm(network, images_NCHW, labels_N, execution),
        "synflow": synflow(network, images_NCHW.shape[1:]),
    }


def gradient_norm(network: Network, images_NCHW: Tensor, labels_N: Tensor, execution: Execution) -> float | None:
    """The length of the gradient of the loss over a batch, as training would compute it, before it is clipped.

    Arguments:
        network: not changed.
        images_NCHW: normalised images.
        labels_N: their labels.
        execution: how training computes answers.

    """
    with _apart(network) as apart:
        answers_SNK = execution.answers(apart.train())(images_NCHW)
        gradients = _gradients(apart.loss(answers_SNK, labels_N), apart)
        return _finite(math.fsum(float(gradient.double().square().sum()) for _, gradient in gradients) ** 0.5)


def synflow(network: Network, shape: tuple[int, ...]) -> float | None:
    """Synaptic flow, Σ |θ ⊙ ∂R/∂θ| over all parameters, each at its absolute value (Tanaka et al. 2020, eq. 2, 3).

    There R is the summed output for an image of ones. Ours is its slope, in 64 bits, as such an image brightens from
    black; in networks of ReLUs without biases, which the paper has, they are the same. Ours serves with gates too:
    in an image of ones positive weights open them as far as they go, and `1 − σ` lets nothing pass, but in the dark
    they rest. What multiplies two maps passes nothing then. What the paper says nothing of:

    - recurrent networks: R sums over every step that is answered, and a parameter that several steps share counts
      once, with its gradient over all of them; what is shown after the image is black;
    - norms of any kind are left out but for their affine, as Abdelfattah et al. 2021 leave batch norms out: a map that
      is normalised again tells nothing of the size of the weights before it;
    - dropout keeps everything.

    Arguments:
        network: not changed.
        shape: `(C, H, W)` of an image, or `(T, C, H, W)` where frames are shown.

    """
    with _apart(network) as apart, _SynapticFlow():
        apart.eval().double()
        apart.recompute(None)  # the gradient's own thread, which would compute maps again, knows of no mode
        with torch.no_grad():
            for parameter in apart.parameters():
                parameter.abs_()
        device = next(apart.parameters()).device
        faint = torch.full((1, *shape), _FAINT, dtype=torch.float64, device=device, requires_grad=True)
        (slope,) = torch.autograd.grad(apart.answers(faint).sum(), faint, create_graph=True)
        gradients = _gradients(slope.sum(), apart)
        return _finite(sum(float((parameter * gradient).abs().sum()) for parameter, gradient in gradients))


@contextlib.contextmanager
def _apart(network: Network) -> Iterator[Network]:
    """A copy of a network, while random numbers are drawn from a sequence of their own."""
    device = next(network.parameters()).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.enable_grad():
        torch.manual_seed(0)
        yield copy.deepcopy(network)


def _gradients(value: Tensor, network: Network) -> list[tuple[Tensor, Tensor]]:
    """Each parameter that a value depends on, with its gradient."""
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(value, parameters, allow_unused=True)
    return [
        (parameter.detach(), each) for parameter, each in zip(parameters, gradients, strict=True) if each is not None
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


class _SynapticFlow(TorchFunctionMode):
    """While it lasts, norms multiply by their scale and add their shift, and maps that no image decides are black."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.new_full:
            return args[0].new_zeros(args[1])
        if func not in (F.group_norm, F.batch_norm):
            return func(*args, **(kwargs or {}))
        given = inspect.signature(func).bind(*args, **(kwargs or {})).arguments
        x_NCHW, weight, bias = given["input"], given.get("weight"), given.get("bias")
        if weight is not None:
            x_NCHW = x_NCHW * weight[:, None, None]
        return x_NCHW if bias is None else x_NCHW + bias[:, None, None]
