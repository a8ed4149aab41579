"""Files of other packages as architectures: what they become, and what is refused, in files written by hand."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Striate
from hypothesis import given, settings
from hypothesis import strategies as st

from space.errors import SpecificationError
from space.import_json import Wishes, import_json
from space.model import (
    Architecture,
    CellInput,
    Conv,
    Dropout,
    EdgeConv,
    Feedforward,
    ForwardEdge,
    HiddenAdmitGate,
    HiddenAdmitSources,
    KeepGate,
    KeepSources,
    Link,
    MaxPool,
    Norm,
    OutputAdmitGate,
    OutputAdmitSources,
    Resize,
    Searched,
    SearchedHidden,
    SearchedOutput,
    SimpleRNN,
    TimeDecay,
)
from space.parse import parse_architecture

Plain = dict[str, Any]
NO_MEMORY = {"function": "memory", "memory_decay": 0.0, "trainable": False}


def tensorflow_node(name: str, after: str | None, pre: list[Plain], memory: Plain, post: list[Plain]) -> Plain:
    shape = {"shape": [16, 16, 3]} if after is None else {"shape_from": after}
    zeros = {"function": "zeros"}
    harbor = {"function": "harbor", "preproc": None, "spatial_op": "resize", "channel_op": "concat"}
    rest = {"dtype": "float32", "input_init": zeros, "state_init": zeros, "harbor": harbor}
    return {"name": name, **shape, **rest, "pre_memory": pre, "memory": memory, "post_memory": post}


def convolution(depth: int, kernel: int = 3, **more: Any) -> Plain:
    strides = [1, 1, 1, 1]
    return {"function": "conv", "out_depth": depth, "ksize": kernel, "strides": strides, "padding": "SAME", **more}


def tensorflow() -> Plain:
    """Three areas and a read-out in the words of `tnn`."""
    pool = {"function": "max_pool", "ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "SAME"}
    keep = {"function": "dropout", "keep_prob": 1.0, "seed": 0, "name": "kept"}
    component = {**convolution(6, activation=None), "function": "component_conv", "input_name": "V1"}
    dense = {"function": "fc", "out_depth": 5, "kernel_init": "xavier", "activation": None}
    nodes = [
        tensorflow_node("V1", None, [convolution(4, 5, activation="elu"), keep], NO_MEMORY, [pool]),
        tensorflow_node("V2", "V1", [component], {"function": "memory", "memory_decay": 0, "trainable": True}, []),
        tensorflow_node("IT", "V2", [convolution(8)], NO_MEMORY, [{"function": "elu"}]),
        tensorflow_node("out", "IT", [{"function": "global_pool", "kind": "avg"}, dense], NO_MEMORY, []),
    ]
    names = [node["name"] for node in nodes]
    edges = [{"from": one, "to": other} for one, other in itertools.pairwise(names)]
    return {"nodes": nodes, "edges": edges}


def torch_node(name: str, after: str | None, pre: Plain, cell: Plain, post: Plain, channels: int) -> Plain:
    parts = {"pre_memory": pre, "recurrent_cell": cell, "post_memory": post}
    return {
        "name": name, "shape_from": after, "harbor_policy": {"name": "ResizeConcat"}, **parts, "out_channels": channels
    }  # fmt: skip


def torch() -> Plain:
    """Two areas and a read-out in the words of PyTorchTNN."""
    first = {"name": "Conv2dCell", "out_channels": 4, "ksize": [3, 3], "stride": 1, "padding": 1, "activation": "ELU"}
    second = {"name": "Conv2dCell", "out_channels": 6, "ksize": 3, "stride": 1, "padding": "same"}
    identity, feedforward = {"name": "Identity"}, {"name": "IdentityCell"}
    pool = {"name": "MaxPool", "ksize": 2, "stride": 2, "padding": 0}
    mean = {"name": "AdaptiveAvgPool", "output_size": [1, 1]}
    dense = {"name": "FullyConnected", "out_channels": 5, "activation": None, "bias": 1.0, "dropout": 0.0}
    sequence = {"name": "Sequential", "list_of_func_kwargs": [mean, dense]}
    lstm = {"name": "LSTMCell", "out_channels": 6, "ksize": 3, "forget_bias": 1.0}
    nodes = [
        torch_node("V1", None, first, feedforward, pool, 4),
        torch_node("V2", "V1", second, lstm, identity, 6),
        torch_node("out", "V2", identity, feedforward, sequence, 5),
    ]
    edges = [{"from": "V1", "to": "V2"}, {"from": "V2", "to": "out"}]
    ends = {"input_nodes": ["V1"], "output_node": "out"}
    return {"nodes": nodes, "edges": edges, **ends, "input_shape": [3, 16, 16], "num_timesteps": 7}


def imported(network: Plain, **wishes: Any) -> Architecture:
    text = import_json(json.dumps(network, indent=1), "net.json", "net", Wishes(**wishes))
    return parse_architecture(text, "net.yaml")[0]


def refused(network: Plain, **wishes: Any) -> list[str]:
    with pytest.raises(SpecificationError) as error:
        imported(network, **wishes)
    return [str(problem) for problem in error.value.problems]


def test_a_file_of_tnn_becomes_its_areas() -> None:
    found = imported(tensorflow())
    first, second, third = found.areas
    assert (found.input.channels, found.input.size, found.input.classes) == (3, 16, 5)
    assert first.drive == (Conv(kernel=5, channels=4), "elu")
    assert first.post == (MaxPool(kernel=2, stride=2),)
    assert first.cell == Feedforward()
    assert second.drive == (Conv(kernel=3, channels=6),), "a component convolution has no activation by default"
    assert second.cell == TimeDecay()
    assert third.drive == (Conv(kernel=3, channels=8), "relu"), "a convolution has one"
    assert third.post == ("elu",)
    assert found.edges.forward is None, "each area reads the one before it: a chain"
    assert found.readout.pool == "mean"
    assert found.time.steps == 4, "as many as an image takes through three areas and the read-out"


def test_a_file_of_pytorch_tnn_becomes_its_areas() -> None:
    found = imported(torch())
    first, second = found.areas
    assert (found.input.channels, found.input.size, found.input.classes) == (3, 16, 5)
    assert first.drive == (Conv(kernel=3, channels=4), "elu")
    assert second.drive == (Conv(kernel=3, channels=6),)
    assert type(second.cell).__name__ == "ConvLSTM"
    assert (found.time.steps, found.time.unroll, found.readout.pool) == (7, "biological", "mean")


def test_what_a_file_leaves_to_a_program_can_be_wished() -> None:
    found = imported(tensorflow(), steps=9, unroll="sweep", readout="none", data="digits")
    assert (found.time.steps, found.time.unroll, found.readout.pool, found.train.data) == (9, "sweep", "none", "digits")


def test_tabs_indent_json_and_the_order_of_nodes_is_that_of_their_shapes() -> None:
    network = tensorflow()
    network["nodes"].reverse()
    text = json.dumps(network, indent="\t")
    found, _ = parse_architecture(import_json(text, "net.json", "net", Wishes()), "net.yaml")
    assert [area.name for area in found.areas] == ["V1", "V2", "IT"]


def test_nodes_that_branch_off_are_joined_by_a_list() -> None:
    network = changed(tensorflow(), "edges.1", {"from": "V1", "to": "IT"})
    network = changed(network, "nodes.2.shape_from", "V1")
    network["edges"].append({"from": "V2", "to": "IT"})
    found = imported(network)
    assert [area.name for area in found.areas] == ["V1", "V2", "IT"]
    assert found.edges.forward == (
        ForwardEdge(source="image", target="V1"),
        ForwardEdge(source="V1", target="V2"),
        ForwardEdge(source="V1", target="IT"),
        ForwardEdge(source="V2", target="IT", enters="input", via=(EdgeConv(kernel=3, bias=False),)),
    )


def test_norms_and_dropout_keep_their_place() -> None:
    network = tensorflow()
    network["nodes"][0]["pre_memory"] = [
        convolution(4, activation="relu", batch_norm=True, time_sep=True),
        {"function": "dropout", "keep_prob": 0.75},
    ]
    network["nodes"][2]["pre_memory"] = [convolution(8, activation=None, group_norm=True, num_groups=4, use_bias=True)]
    first, _, third = imported(network).areas
    per_step = Norm(kind="batch", affine="step", statistics="step")
    assert first.drive == (Conv(kernel=3, channels=4, bias=False), per_step, "relu", Dropout(rate=0.25))
    assert third.drive == (Conv(kernel=3, channels=8, bias=False), Norm(kind="group", groups=4))


def test_a_batch_norm_without_an_activation_starts_at_zero_in_tensorflow() -> None:
    network = tensorflow()
    network["nodes"][0]["pre_memory"] = [convolution(4, activation=None, batch_norm=True)]
    assert imported(network).areas[0].drive[1] == Norm(kind="batch", scale=0.0)


GATED = {
    "function": "memory",
    "shape": [8, 8],
    "out_depth": 6,
    "cell_depth": 7,
    "tau_filter_size": [3, 3],
    "gate_filter_size": [5, 5],
    "ff_filter_size": [1, 1],
    "input_to_cell": True,
    "residual_to_out_gate": True,
    "tau_offset": 0.5,
    "gate_multiplier": -2.0,
    "tau_nonlinearity": "sigmoid",
    "out_activation": "relu",
    "feedback_filter_size": 1,
}


def test_their_reciprocal_gated_cell_is_our_searched_one() -> None:
    network = tensorflow()
    network["nodes"][1]["memory"] = GATED
    keep = KeepGate(function="sigmoid", offset=0.5, scale=-1.0, sources=KeepSources(own=Link(kernel=3)))
    assert imported(network).areas[1].cell == Searched(
        hidden=SearchedHidden(
            channels=7,
            from_input=Link(kernel=1),
            keep=keep,
            admit=HiddenAdmitGate(
                function="tanh", offset=1.0, scale=-2.0, sources=HiddenAdmitSources(output=Link(kernel=5))
            ),
            activation="elu",
        ),
        output=SearchedOutput(
            keep=keep,
            admit=OutputAdmitGate(
                function="tanh",
                offset=1.0,
                scale=-2.0,
                sources=OutputAdmitSources(hidden=Link(kernel=5), residual=Link(kernel=5)),
            ),
            activation="relu",
        ),
    )


def test_feedback_enters_the_port_that_the_gated_cell_names() -> None:
    network = tensorflow()
    network["nodes"][1]["memory"] = {**GATED, "feedback_entry": "cell"}
    network["edges"].append({"from": "IT", "to": "V2"})
    (edge,) = imported(network).edges.feedback
    assert (edge.name, edge.enters, edge.via) == ("IT>V2", "hidden", (EdgeConv(kernel=1),))


def test_inputs_side_by_side_become_a_sum_of_convolutions() -> None:
    network = tensorflow()
    network["edges"] += [{"from": "IT", "to": "V1"}, {"from": "V1", "to": "IT"}]
    found = imported(network)
    (feedback,), (skip,) = found.edges.feedback, found.edges.skip
    assert (feedback.name, feedback.enters) == ("IT>V1", "input")
    assert feedback.via == (Resize(mode="bilinear"), EdgeConv(kernel=5, bias=False))
    assert (skip.name, skip.enters, skip.via) == ("V1>IT", "input", (EdgeConv(kernel=3, bias=False),))
    assert found.areas[0].drive == (Conv(kernel=5, channels=4),), "the activation follows the sum"
    assert found.areas[0].cell == Feedforward(input=CellInput(activation="elu"))
    assert found.areas[2].cell == Feedforward(input=CellInput(activation="relu"))


def test_inputs_that_are_added_enter_the_drive() -> None:
    network = tensorflow()
    network["nodes"][2]["harbor"]["channel_op"] = "multiply"
    network["edges"].append({"from": "V1", "to": "IT"})
    found = imported(network)
    (skip,) = found.edges.skip
    assert (skip.enters, skip.via) == ("drive", (EdgeConv(kernel=1),)), "4 channels become the 6 of V2"
    assert found.areas[2].joins.drive == "multiply"


def test_the_simple_cell_convolves_its_input_too() -> None:
    network = tensorflow()
    network["nodes"][1]["memory"] = {"function": "memory", "filter_size": [3, 3], "shape": [8, 8], "out_depth": 6}
    area = imported(network, cell="simple").areas[1]
    assert area.drive == (Conv(kernel=3, channels=6), Conv(kernel=3, channels=6))
    assert area.cell == SimpleRNN(hidden=Link(kernel=3), norm="layer")


def changed(base: Plain, path: str, value: Any) -> Plain:
    """The network with one value replaced; `-` at the end of the path takes it away."""
    network = copy.deepcopy(base)
    *parts, last = path.split(".")
    at: Any = network
    for part in parts:
        at = at[int(part)] if part.isdigit() else at[part]
    if last == "-":
        at.clear()
    else:
        at[int(last) if last.isdigit() else last] = value
    return network


WIDE_READOUT = [convolution(5, 2, activation=None), {"function": "global_pool", "kind": "avg"}]
LSTM = {"function": "memory", "filter_size": [3, 3]}
REFUSED = {
    "lrn": (tensorflow, "nodes.0.post_memory", [{"function": "lrn"}], "V1.post_memory[0].function: an area has"),
    "residual": (tensorflow, "nodes.2.post_memory", [{"function": "residual_add"}], "IT.post_memory[0].function: an a"),
    "valid": (tensorflow, "nodes.0.pre_memory.0.padding", "VALID", "V1.pre_memory[0].padding: what can be imported"),
    "oblong": (tensorflow, "nodes.0.pre_memory.0.ksize", [3, 5], "V1.pre_memory[0].ksize: height and width are alike"),
    "unknown": (tensorflow, "nodes.0.pre_memory.0.dilations", 2, "V1.pre_memory[0].dilations: what is imported keeps"),
    "depth": (tensorflow, "nodes.0.pre_memory.0.out_depth", -4, "V1.pre_memory[0].out_depth: this is a positive whole"),
    "no-memory": (tensorflow, "nodes.1.memory", 3, "V2.memory: an object stands here, but 3 was given"),
    "which-cell": (tensorflow, "nodes.1.memory", LSTM, "V2.memory.filter_size: several cells have a filter_size"),
    "fixed-decay": (
        tensorflow, "nodes.1.memory", {"function": "memory", "memory_decay": 0.5}, "V2.memory.memory_decay: a decay is"
    ),
    "ungated": (tensorflow, "nodes.1.memory", {**GATED, "input_to_cell": False}, "V2.memory.input_to_cell: a hidden"),
    "shape": (tensorflow, "nodes.0.shape", [16, 12, 3], "V1.shape: an image is square"),
    "no-shape": (tensorflow, "nodes.1.shape_from", "IT", "V2.shape_from: a node has the shape of one that it reads"),
    "no-node": (tensorflow, "edges.0.from", "V3", "edges[0].from: an edge joins two nodes, but there is no node 'V3'"),
    "twice": (tensorflow, "nodes.1.name", "V1", "nodes[1].name: a name stands once, but 'V1' stands twice"),
    "name": (tensorflow, "nodes.0.name", "V1/relu", "nodes[0].name: a name is a letter"),
    "readout": (tensorflow, "nodes.3.pre_memory", WIDE_READOUT, "out.pre_memory[0].ksize: a r"),
    "two-layers": (
        tensorflow, "nodes.3.post_memory", [{"function": "fc", "out_depth": 5, "activation": None}], "out: a read-out"
    ),
    "unnamed": (
        tensorflow, "nodes.3.pre_memory", [{"type": "fc", "out_depth": 5}],
        "out: a read-out is one linear map, of the mean of each channel or of the whole map, but this node has a part "
        "without a `function`",
    ),
    "nodes": (tensorflow, "nodes", [], "nodes: a network has nodes"),
    "padding": (torch, "nodes.0.pre_memory.padding", 0, "V1.pre_memory.padding: a map of 16 pixels becomes one of 16"),
    "class": (torch, "nodes.1.recurrent_cell.name", "EfficientCell", "V2.recurrent_cell.name: a memory is one of"),
    "pixel-norm": (torch, "nodes.1.recurrent_cell.layernorm", True, "V2.recurrent_cell.layernorm: a layer norm is"),
    "output-sends": (torch, "edges", [*torch()["edges"], {"from": "out", "to": "V1"}], "edges[2].from: a read-out"),
    "image": (torch, "input_shape", [3, 16], "input_shape: an image is square"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_expressed_is_one_sentence_where_it_stands(name: str) -> None:
    base, path, value, sentence = REFUSED[name]
    problems = refused(changed(base(), path, value))
    assert len(problems) == 1 and sentence in problems[0], problems
    for problem in problems:
        file, line, column, _ = problem.split(":", 3)
        assert file == "net.json" and int(line) > 1 and int(column) >= 1
        assert "\n" not in problem


def test_a_number_of_thousands_of_digits_is_refused_where_it_stands() -> None:
    text = json.dumps(torch(), indent=1).replace('"padding": 1', f'"padding": {"9" * 5_000}', 1)
    assert "9" * 5_000 in text
    with pytest.raises(SpecificationError, match=r"net\.json:\d+:\d+: V1\.pre_memory\.padding: .*'9{40}'…"):
        import_json(text, "net.json", "net", Wishes())


def test_a_key_in_the_place_of_the_edges_is_told_what_it_may_mean() -> None:
    network = torch()
    network["links"] = network.pop("edges")
    told = [problem.split(": ", 1)[1] for problem in refused(network)]
    rule = "links: what is imported keeps its meaning, but 'links' has none here; did you mean 'edges'?"
    assert told == [rule]


def test_all_that_cannot_be_expressed_is_told_at_once() -> None:
    network = changed(changed(tensorflow(), "nodes.0.pre_memory.0.padding", "VALID"), "nodes.1.memory", LSTM)
    assert len(refused(network)) == 2


def places(value: Any, path: str = "") -> list[str]:
    """The path of every value in a document."""
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    found = [f"{path}.{key}".lstrip(".") for key, _ in pairs]
    return found + [below for key, each in pairs for below in places(each, f"{path}.{key}")]


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 99)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_value_anywhere_is_imported_or_refused_in_sentences(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from([tensorflow, torch]))()
    network = changed(base, data.draw(st.sampled_from(places(base))), data.draw(ANYTHING))
    with contextlib.suppress(SpecificationError):
        imported(network, cell=data.draw(st.sampled_from([None, "lstm", "simple"])))


def test_steps_that_are_too_few_are_refused_by_the_languages_own_rule() -> None:
    (problem,) = refused(tensorflow(), steps=2)
    assert "time.steps: an image passes 3 areas and the read-out in 4 steps" in problem


def test_a_shift_of_padding_is_noted() -> None:
    network = changed(torch(), "nodes.0.pre_memory.stride", 2)
    text = import_json(json.dumps(network), "net.json", "net", Wishes())
    assert "# V1.pre_memory.padding: 1 pixels are added before the map there and 0 here" in text


def test_the_command_writes_what_describe_reads(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(json.dumps(tensorflow()))
    done = striate("import", "net.json", "-o", "net.yaml", "--data", "digits")
    assert done.returncode == 0, done.stderr
    assert "Wrote net.yaml" in done.stdout and "`train` is a default" in done.stdout
    described = striate("describe", "net.yaml")
    assert described.returncode == 0, described.stderr
    assert "net: 3×16×16 pixels to 5 classes" in described.stdout
    assert striate("import", "net.json", "--data", "digits").stdout == (tmp_path / "net.yaml").read_text()


def test_the_command_refuses_in_sentences_and_writes_nothing(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(json.dumps(changed(tensorflow(), "nodes.1.memory", LSTM)))
    (tmp_path / "cut.json").write_text('{"nodes": [')
    (tmp_path / "list.json").write_text("[1]")
    for file, status, sentence in (
        ("net.json", 1, "several cells have a filter_size"),
        ("cut.json", 1, "cut.json:1:12: a network is a JSON object with `nodes` and `edges`, but this is not JSON: Ex"),
        ("list.json", 1, "list.json:1:1: a network is a JSON object with `nodes` and `edges`, but this is something"),
        ("none.json", 2, "none.json cannot be read: No such file or directory"),
    ):
        done = striate("import", file, "-o", "net.yaml")
        assert done.returncode == status
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "net.yaml").exists()
