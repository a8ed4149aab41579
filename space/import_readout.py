"""The node of an imported file that sends nothing, as our read-out: one linear map, of means or of the whole map."""

from __future__ import annotations

from space.import_body import Body

_KNOWN = {
    ("fc",): "none",
    ("mean", "fc"): "mean",
    ("conv", "mean"): "mean",  # a 1×1 convolution and a mean over pixels are the same in either order
}
_RULE = "a read-out is one linear map, of the mean of each channel or of the whole map, but this node has"
_WAY_OUT = "put one in its place with `--readout mean` or `--readout none`"


def tensorflow_readout(node: Body, replaced: str | None) -> tuple[str, int]:
    """The pool and the number of classes of a read-out of `tnn` or `convrnns`; `replaced` is a pool to use instead."""
    bodies = [*node.inners("pre_memory"), *node.inners("post_memory")]
    memory = node.inner("memory")
    memory.ignore("function", "trainable")
    widths = [body for body in bodies if body.has("out_depth")]
    if replaced:
        return replaced, _classes(node, widths[-1].whole("out_depth") if widths else None)
    memory.only("memory_decay", 0)
    memory.done()
    found, told = [], []
    for body in bodies:
        name = body.word("function")
        told.append(name or "a part without a `function`")
        match name:
            case "identity" | "flatten":
                body.ignore("name")
            case "dropout":
                body.ignore("name", "seed")
                body.only("keep_prob", 1.0)
            case "global_pool":
                body.only("kind", "avg")
                body.ignore("keep_dims", "name")
                found.append("mean")
            case "fc" | "conv":
                body.ignore("kernel_init", "kernel_init_kwargs", "bias", "weight_decay", "name", "out_depth")
                _linear(body, "relu", one_by_one=name == "conv")
                if name == "conv":
                    body.only("padding", "SAME", "VALID")
                found.append(name)
            case _:
                found.append(str(name))
                continue
        body.done()
    return _pool(node, found, told), _classes(node, widths[-1].whole("out_depth") if widths else None)


def torch_readout(node: Body, replaced: str | None) -> tuple[str, int]:
    """The pool and the number of classes of a read-out of PyTorchTNN; `replaced` is a pool to use instead."""
    classes = _classes(node, node.whole("out_channels"))
    parts = [node.inner("pre_memory"), node.inner("post_memory")]
    cell = node.inner("recurrent_cell")
    if replaced:
        return replaced, classes
    cell.only("name", "IdentityCell")
    bodies = []
    for part in parts:
        bodies += part.inners("list_of_func_kwargs") if part.word("name") == "Sequential" else [part]
    found, told = [], []
    for body in bodies:
        name = body.word("name")
        told.append(name or "a part without a `name`")
        match name:
            case "Identity":
                pass
            case "AdaptiveAvgPool":
                size = body.square("output_size", 6)
                if size != 1:
                    body.refuse(
                        "output_size", f"a read-out takes the mean of the whole map, not {size}×{size}; make it 1"
                    )
                body.ignore("flatten")
                found.append("mean")
            case "FullyConnected" | "Conv2dCell":
                body.ignore(
                    "init_dict", "bias", "in_channels", "out_channels", "activation_func_kwargs", "num_timesteps"
                )
                _linear(body, "ReLU" if name == "FullyConnected" else None, one_by_one=name == "Conv2dCell")
                body.only("padding", 0, "same", "valid")
                found.append("fc" if name == "FullyConnected" else "conv")
            case _:
                found.append(str(name))
                continue
        body.done()
    return _pool(node, found, told), classes


def _linear(body: Body, default: str | None, *, one_by_one: bool) -> None:
    """Refuse what a linear map has not."""
    if default and not body.has("activation") and "activation" not in body.node.entries:
        body.refuse("", f'a read-out has no activation, but {default} is there by default; write `"activation": null`')
    body.only("activation", None)
    for key in ("batch_norm", "group_norm", "batchnorm_timevary"):
        body.only(key, False)
    body.only("use_bias", True)
    body.only("dropout", None, 0.0)
    body.only("batchnorm", None)
    if one_by_one:
        kernel, strides = body.square("ksize", 3), {body.square("strides", 1), body.square("stride", 1)}
        if kernel != 1 or strides != {1}:
            rule = f"a read-out reads each pixel by itself, but this convolution is {kernel}×{kernel}"
            rule = f"{rule} with a stride of {max(strides)}"
            body.refuse("ksize", f"{rule}; {_WAY_OUT}")


def _pool(node: Body, found: list[str], told: list[str]) -> str:
    if tuple(found) not in _KNOWN:
        node.refuse("", f"{_RULE} {', '.join(told) or 'nothing'}; {_WAY_OUT}")
    return _KNOWN.get(tuple(found), "mean")


def _classes(node: Body, found: int | None) -> int:
    if found is None:
        node.refuse(
            "", "a read-out has as many outputs as classes, but this node does not say how many; give it an `fc`"
        )
    return found or 2
