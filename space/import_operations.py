"""The operations before and after the memory of an imported node, as steps of ours, in the words of both packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from space.import_body import Body
from space.model import AvgPool, Conv, Dropout, MaxPool, Norm, Step
from space.tree import Scalar

TENSORFLOW_ACTIVATIONS: dict[str | None, str] = {
    None: "identity",
    "elu": "elu",
    "relu": "relu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "identity": "identity",
}
TORCH_ACTIVATIONS: dict[str | None, str] = {
    None: "identity",
    "ELU": "elu",
    "ReLU": "relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Identity": "identity",
}
_INITIAL = ("kernel_init", "kernel_init_kwargs", "init_dict", "bias", "weight_decay", "name", "seed", "dropout_seed")
_RESIDUAL = "an area adds nothing to what its `post` has computed, but a residual was given; let it enter a later area"


@dataclass(slots=True)
class Walk:
    """A way through a node's operations: the size of its map so far, and what is noted on it.

    Arguments:
        size: height and width of the map.
        notes: what differs, though not in what a network can compute away from the border of its maps.

    """

    size: int
    notes: list[str]

    def same(self, stride: int) -> None:
        """Pass an operation that pads so that n pixels become ⌈n / stride⌉."""
        self.size = -(-self.size // stride)


def tensorflow_steps(bodies: list[Body], walk: Walk) -> list[Step]:
    """The steps of `pre_memory` or `post_memory` of neuroailab's `tnn` and `convrnns`."""
    steps: list[Step] = []
    for body in bodies:
        name = body.word("function")
        if name in _TENSORFLOW:
            steps += _TENSORFLOW[name](body, walk)
            body.ignore("name")
            body.done()
        elif name in TENSORFLOW_ACTIVATIONS and name is not None:
            steps += activation(TENSORFLOW_ACTIVATIONS[name])
            body.ignore("name")
            body.done()
        elif name == "residual_add":
            body.refuse("function", _RESIDUAL)
        else:
            known = dict.fromkeys((*map(str, _TENSORFLOW), *TENSORFLOW_ACTIVATIONS.values()))
            _refuse_unknown(body, "function", name, tuple(known))
    return steps


def torch_steps(body: Body, walk: Walk) -> list[Step]:
    """The steps of `pre_memory` or `post_memory` of PyTorchTNN."""
    name = body.word("name")
    if name == "Sequential":
        found = [step for each in body.inners("list_of_func_kwargs") for step in torch_steps(each, walk)]
    elif name in _TORCH:
        found = _TORCH[name](body, walk)
    else:
        wanted = (*map(str, _TORCH), "Sequential")
        if name == "ResidualAdd":
            body.refuse("name", _RESIDUAL)
        else:
            _refuse_unknown(body, "name", name, wanted)
        return []
    body.done()
    return found


def activation(word: str) -> list[str]:
    """An activation, which is nothing where it is the identity."""
    return [] if word == "identity" else [word]


def _refuse_unknown(body: Body, key: str, name: str | None, known: tuple[str, ...]) -> None:
    given = repr(name) if name else "nothing"
    body.refuse(key, f"an area has the operations {', '.join(known)}, but {given} was given; use those alone")


def _tensorflow_conv(body: Body, walk: Walk, *, component: bool) -> list[Step]:
    body.ignore(*_INITIAL, "input_name", "return_input", "is_training", "bn_trainable", "time_suffix")
    body.only("padding", "SAME")
    body.only("data_format", "channels_last")
    body.only("batch_norm_decay", 0.9)
    body.only("batch_norm_epsilon", 1e-5)
    kernel, channels, stride = body.square("ksize", 3), body.whole("out_depth"), body.square("strides", 1)
    word = body.among("activation", TENSORFLOW_ACTIVATIONS, None if component else "relu")
    batch, group, groups = body.flag("batch_norm"), body.flag("group_norm"), int(body.real("num_groups", 32))
    bias = body.flag("use_bias", True) and (component or not (batch or group))
    zero = body.flag("init_zero", word == "identity")
    kept = body.scalar("dropout")
    own = "step" if body.flag("time_sep") else "shared"
    steps: list[Step] = _dropout(body, "dropout", 1 - kept) if isinstance(kept, int | float) else []
    walk.same(stride)
    steps.append(Conv(kernel=kernel, channels=channels, stride=stride, bias=bias))
    if batch:
        scale = body.real("batch_norm_gamma_init", 0.0 if zero else 1.0)
        steps.append(Norm(kind="batch", affine=own, statistics=own, scale=scale))
    elif group:
        steps.append(Norm(kind="group", groups=groups, scale=0.0 if zero and body.has("init_zero") else 1.0))
    return [*steps, *activation(word)]


def _tensorflow_pool(body: Body, walk: Walk, *, mean: bool) -> list[Step]:
    body.only("padding", "SAME")
    kernel, stride = body.square("ksize", 1), body.square("strides", 1)
    walk.same(stride)
    return [(AvgPool if mean else MaxPool)(kernel=kernel, stride=stride)]


def _tensorflow_dropout(body: Body, walk: Walk) -> list[Step]:
    body.ignore("seed", "noise_shape")
    return _dropout(body, "keep_prob", 1 - body.real("keep_prob", 1.0))


def _dropout(body: Body, key: str, rate: float) -> list[Step]:
    if not 0 <= rate <= 0.99:
        body.refuse(key, f"a dropout zeroes a share from 0 to 0.99, but this one zeroes {rate:g}; change it")
        return []
    return [Dropout(rate=round(rate, 12))] if rate else []


def _torch_conv(body: Body, walk: Walk) -> list[Step]:
    body.ignore(*_INITIAL, "in_channels", "num_timesteps")
    for key, value in (("dilation", 1), ("groups", 1), ("padding_mode", "zeros")):
        body.only(key, value)
    kernel, channels, stride = body.square("ksize", 3), body.whole("out_channels"), body.square("stride", 1)
    _torch_padding(body, walk, kernel, stride)
    own = "step" if body.flag("batchnorm_timevary") else "shared"
    bias = body.flag("use_bias", True)
    steps = _dropout(body, "dropout", body.real("dropout", 0.0))
    steps.append(Conv(kernel=kernel, channels=channels, stride=stride, bias=bias))
    if body.has("batchnorm"):
        steps.append(Norm(kind="batch", affine=own, statistics=own))
    body.ignore("batchnorm", "activation_func_kwargs")
    return [*steps, *activation(body.among("activation", TORCH_ACTIVATIONS, None))]


def _torch_pool(body: Body, walk: Walk) -> list[Step]:
    for key, value in (("dilation", 1), ("return_indices", False)):
        body.only(key, value)
    kernel = body.square("ksize", 1)
    stride = body.square("stride", kernel)
    _torch_padding(body, walk, kernel, stride, up=body.flag("ceil_mode"))
    return [MaxPool(kernel=kernel, stride=stride)]


def _torch_padding(body: Body, walk: Walk, kernel: int, stride: int, *, up: bool = False) -> None:
    """Pass an operation padded as torch pads it, where ours gives a map of the same size."""
    before, wanted = walk.size, -(-walk.size // stride)
    beside = max((wanted - 1) * stride + kernel - before, 0) // 2
    walk.size = wanted
    node = body.get("padding")
    word = node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None
    if word == "same":
        return
    padding = 0 if word == "valid" else body.square("padding", 0)
    size = (before + 2 * padding - kernel + (stride - 1 if up else 0)) // stride + 1
    if size != wanted:
        rule = f"a map of {before} pixels becomes one of {wanted} under a stride of {stride}"
        body.refuse("padding", f"{rule}, but this padding makes it {size}; pad it so that it does")
    elif padding != beside:
        rule = f"{padding} pixels are added before the map there and {beside} here"
        walk.notes.append(f"{body.path}.padding: {rule}, which shifts what is read by {abs(padding - beside)}")


_Read = Callable[[Body, Walk], list[Step]]
_TENSORFLOW: dict[str | None, _Read] = {
    "conv": lambda body, walk: _tensorflow_conv(body, walk, component=False),
    "component_conv": lambda body, walk: _tensorflow_conv(body, walk, component=True),
    "max_pool": lambda body, walk: _tensorflow_pool(body, walk, mean=False),
    "avg_pool": lambda body, walk: _tensorflow_pool(body, walk, mean=True),
    "dropout": _tensorflow_dropout,
}
_TORCH: dict[str | None, _Read] = {
    "Conv2dCell": _torch_conv,
    "MaxPool": _torch_pool,
    "ActivationLayer": lambda body, walk: [*activation(body.among("activation", TORCH_ACTIVATIONS, "ReLU"))],
    "Identity": lambda body, walk: [],
}
