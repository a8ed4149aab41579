"""The steps at which a drive is computed, and the edge that decides the map that it reads."""

import pytest
import torch

from cells.network import Network
from space.parse import parse_architecture
from space.reach import reach

TEXT = """
striate: 1
name: driven
input: {{channels: 2, size: 4, classes: 3}}
time: {{steps: 6, unroll: sweep, stimulus: {{shown: 2}}}}
areas:
  V1:
    drive: [{drive}]
    cell: {{type: time_decay}}
    absent: {absent}
edges:
  forward: [{{from: image, to: V1, via: [{via}]}}]
  lateral: [{{from: V1, to: V1, via: [conv: {{kernel: 1}}]}}]
train: {{data: digits, learning_rate: 0.1}}
"""
UNTIED = "conv: {kernel: 3, channels: 2, untied: true}"


def lowered(absent="undefined", drive="", via=""):
    return parse_architecture(TEXT.format(absent=absent, drive=drive, via=via), "driven.yaml")[1]


@pytest.mark.parametrize("place", ["drive", "via"])
@pytest.mark.parametrize("absent", ["zero_drive", "undefined"])
def test_an_untied_convolution_has_weights_of_the_steps_at_which_an_image_is_shown(absent, place):
    graph = lowered(absent, **{place: UNTIED})
    steps = {int(name.split(".")[-2]) for name in graph.parameters if f"{place}.0" in name or "edges.image" in name}
    assert steps == {0, 1}
    assert reach(graph).parameters == graph.parameters.keys()


def test_an_area_that_reads_zeros_computes_its_drive_at_every_step():
    graph = lowered("zeros", drive=UNTIED)
    assert {name for name in graph.parameters if ".drive." in name and name.endswith("bias")} == {
        f"areas.V1.drive.0.{step}.bias" for step in range(6)
    }


@pytest.mark.parametrize("place", ["drive", "via"])
@pytest.mark.parametrize("absent", ["zero_drive", "undefined"])
def test_a_batch_norm_is_welcome_where_it_is_not_evaluated_without_an_image(absent, place):
    graph = lowered(absent, **{place: "norm: {kind: batch, statistics: step}"})
    network = Network(graph, 0)
    network(torch.randn(5, 2, 4, 4))
    (norm,) = network.norms.values()
    assert set(norm.statistics) == {"0", "1"}


@pytest.mark.parametrize("join", ["sum", "concat"])
def test_a_drive_has_the_map_of_the_edges_that_do_not_resize(join):
    text = """
striate: 1
name: resized
input: {channels: 2, size: 8, classes: 3}
time: {steps: 4}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 2, stride: 2}]}
  V2: {drive: [conv: {kernel: 3, channels: 2}], joins: {drive: JOIN}}
edges:
  forward:
    - {from: image, to: V1}
    - {from: image, to: V2, via: [resize: {mode: bilinear}]}
    - {from: V1, to: V2}
train: {data: digits, learning_rate: 0.1}
"""
    graph = parse_architecture(text.replace("JOIN", join), "resized.yaml")[1]
    assert graph.areas[1].input_shape == (2 if join == "sum" else 4, 4, 4)
    assert Network(graph, 0)(torch.randn(2, 2, 8, 8)).shape == (2, 3)
