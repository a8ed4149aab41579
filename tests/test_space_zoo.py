"""The shipped recurrent networks of other papers, against the counts and the times that were published or follow."""

import re

import pytest

from space.cost import live
from space.errors import SpecificationError
from space.parse import find, parse_architecture
from space.wiring import IMAGE, steps_of

PARAMETERS = {
    "liao-poggio-1-state": 76_234,
    "liao-poggio-1-state-unshared": 739_786,
    "liao-poggio-2-state-recurrent": 297_418,
    "liao-poggio-2-state-recurrent-unshared": 2_656_714,
    "liao-poggio-2-state-resnet": 187_210,
    "liao-poggio-2-state-resnet-unshared": 778_058,
    "liao-poggio-3-state-resnet": 1_921_738,
    "liao-poggio-3-state-resnet-unshared": 5_018_314,
    "liao-poggio-3-state-recurrent": 4_133_578 + 2 * 9 * 64**2,  # two more layers of the pre-net
    "liao-poggio-3-state-adjacent": 3_211_978 + 2 * 9 * 64**2,
    "liao-poggio-one-convolution-64": 39_370,
    "liao-poggio-one-convolution-30": 9_280,
    "cornet-z": 2_071_656,
    "cornet-r": 5_208_936,
    "cornet-rt": 5_208_936,
    "cornet-s": 53_416_616,
    "bl-2020": 28_870_920,
    "b-2017": 9_898,
    "bl-2017": 28_330,
    "blt-2017": 37_546,
    "rcnn-96": 672_202,
    "rcnn-128": 1_191_178,
    "rcnn-160": 1_857_610,
    "resnet-18": 11_689_512,
    "resnet-34": 21_797_672,
}


def graph_of(name, **changes):
    """A shipped architecture with other values at keys that stand once in its file."""
    text, file = find(name)
    for key, value in changes.items():
        text, found = re.subn(rf"\b{key}: \d+", f"{key}: {value}", text)
        assert found == 1, key
    return parse_architecture(text, file)[1]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_many_as_published_and_all_of_them_matter(name):
    graph = graph_of(name)
    assert graph.parameter_count == live(graph).parameters == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("liao-poggio-4-state-adjacent", [(8, 16), (16, 32), (32, 64)]),
        ("liao-poggio-4-state-recurrent", [(8, 16), (16, 32), (32, 64), (8, 32), (16, 64), (8, 64)]),
    ],
)
def test_a_transition_is_two_convolutions_with_the_mean_of_both_widths_between_them(name, pairs):
    """All states have themselves and each pair has one transition up and one down."""
    transitions = sum(2 * 9 * width * width for width in (8, 16, 32, 64))
    transitions += sum(2 * 9 * (low + high) * (low + high) // 2 for low, high in pairs)
    image, norm, readout = 27 * 8, 2 * 64, 64 * 10 + 10
    assert graph_of(name).parameter_count == image + transitions + norm + readout


@pytest.mark.parametrize("name", [name for name in PARAMETERS if "liao-poggio-3" in name] + ["resnet-18", "resnet-34"])
def test_each_state_has_half_the_height_and_width_of_the_one_before(name):
    graph = graph_of(name)
    states = [area.shape for area in graph.areas if area.name.startswith("h")]
    first = 56 if name.startswith("resnet") else 32
    assert states == [(64 << rank, first >> rank, first >> rank) for rank in range(len(states))]


# What feedback needs.


def test_feedback_of_the_2_state_network_is_read_from_three_transitions_on():
    """At T = 2 the image passes h1 > h2 and then h1 > h2 or h2 > h2; what h2 sends to h1 would be read at 3."""
    for transitions, parameters in ((2, 223_690), (3, 297_418), (10, 297_418)):
        graph = graph_of("liao-poggio-2-state-recurrent", steps=transitions + 1)
        assert graph.parameter_count == 297_418
        assert live(graph).parameters == parameters


def test_the_unshared_2_state_network_has_weights_for_its_36_live_transitions():
    """Two at the first step, four at each of the next eight, two at the last."""
    graph = graph_of("liao-poggio-2-state-recurrent-unshared")
    found = {name.rpartition(".")[0] for name in graph.parameters if re.search(r"\.2\.\d+\.weight$", name)}
    at = [int(name.rpartition(".")[2]) for name in found]
    assert [at.count(step) for step in range(1, 11)] == [2, *[4] * 8, 2]


# Time.


@pytest.mark.parametrize(("name", "first"), [("cornet-rt", [0, 1, 2, 3]), ("cornet-r", [0, 1, 1, 1])])
def test_the_areas_of_a_cornet_are_first_driven_by_the_image_at(name, first):
    graph = graph_of(name)
    assert [steps_of(steps)[0] for steps in graph.schedule().image] == first
    too_few = first[-1]
    with pytest.raises(SpecificationError, match=f"give at least {too_few + 1}"):
        graph_of(name, steps=too_few)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("cornet-s", [[0], [1, 2], [3, 4, 5, 6], [7, 8]]),
        ("resnet-18", [[0, 1, 2], [3, 4], [5, 6], [7, 8]]),
        ("resnet-34", [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11, 12, 13], [14, 15, 16]]),
        ("liao-poggio-3-state-resnet", [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9], [9]]),
    ],
)
def test_areas_run_one_after_another(name, steps):
    assert [list(steps_of(found)) for found in graph_of(name).schedule().live] == steps


def test_each_recurrent_layer_of_rcnn_has_four_steps_of_its_own():
    graph = graph_of("rcnn-96")
    found = {area.name: steps_of(steps) for area, steps in zip(graph.areas, graph.schedule().live, strict=True)}
    layers = [found[f"layer{number}"] for number in (1, 2, 3, 4)]
    assert layers == [(0, 1, 2, 3), (3, 4, 5, 6), (6, 7, 8, 9), (9, 10, 11, 12)]


def test_what_a_layer_of_rcnn_makes_of_its_input_is_computed_once():
    """The first convolution, four of inputs, and three of itself in each of four layers; then classes are read out."""
    layer = 9 * 96**2 * 4
    spent = 75 * 96 * 32**2 + 2 * layer * 16**2 + 2 * layer * 8**2 + 960
    assert live(graph_of("rcnn-96")).multiply_adds == spent


@pytest.mark.parametrize(("name", "steps"), [("bl-2020", 8), ("bl-2017", 4), ("blt-2017", 4), ("b-2017", 1)])
def test_the_image_passes_all_layers_of_spoerers_networks_in_every_step(name, steps):
    graph = graph_of(name)
    assert graph.answer.steps == tuple(range(steps)) and graph.answer.delay == 0
    delays = {edge.kind: edge.wire.delay for edge in graph.edges if edge.source != IMAGE}
    assert all(delay == (0 if kind == "forward" else 1) for kind, delay in delays.items())
