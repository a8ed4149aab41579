"""The drawing of an unrolled plan, read back as XML, against the plan that the network runs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter

import pytest
from drawings import SVG, parts
from hypothesis import given, settings
from random_networks import architectures, lowered

from space.area_steps import area_steps
from space.dataflow import Update
from space.draw_plan import draw_plan
from space.graph import Graph
from space.model import Architecture, Feedforward
from space.parse import LIBRARY, find, parse_architecture
from space.plan import plan

ZOO = sorted(path.stem for path in (LIBRARY / "zoo").glob("*.yaml"))

SWEEP = """
striate: 1
name: swept
input: {channels: 1, size: 8, classes: 10}
time: {steps: 5, unroll: sweep, stimulus: {shown: 2}}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}, elu]}
  V2: {drive: [conv: {kernel: 3, channels: 4}], cell: {type: gru, gates: {kernel: 3}, candidate: {kernel: 3}}}
  IT: {drive: [conv: {kernel: 3, channels: 4}, elu], absent: undefined}
edges:
  forward:
    - {from: image, to: V1}
    - {from: V1, to: V2}
    - {from: V2, to: IT}
    - {from: image, to: IT, via: [conv: {kernel: 1, channels: 4}]}
  lateral: [{from: V2, to: V2, via: [conv: {kernel: 1}]}]
  feedback: [{from: IT, to: V1, delay: 2, via: [conv: {kernel: 1}], active: {first: 3, last: 3}}]
readout: {decode: mean}
train: {data: digits, learning_rate: 0.1}
"""


def described(name: str) -> tuple[Architecture, Graph]:
    return parse_architecture(SWEEP, "swept.yaml") if name == "swept" else parse_architecture(*find(name))


def drawn(name: str) -> ET.Element:
    return ET.fromstring(draw_plan(*described(name)))


def kinds(root: ET.Element) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group in parts(root, "area-step"):
        found.setdefault(group.attrib["data-area"], []).append(group.attrib["data-kind"])
    return found


def test_what_digits_rgc_computes_at_which_step() -> None:
    """Worked out by hand: the image is at V1 at step 0, V2 at 1, V4 at 2, IT at 3; the read-out reads IT at 6."""
    root = drawn("digits-rgc")
    computed, batch, same, dead = ["computed"], ["batch"], ["same"], ["dead"]
    assert kinds(root) == {
        "V1": computed + 3 * same + 4 * dead,
        "V2": batch + 4 * computed + 3 * dead,
        "V4": 2 * batch + 4 * computed + 2 * dead,
        "IT": 3 * batch + 4 * computed + dead,
    }
    legend = {text.attrib["data-kind"]: text.text for text in root.iter(f"{SVG}text") if text.get("data-kind")}
    assert legend == {"computed": "13", "batch": "6", "same": "3", "dead": "10"}
    assert [group.attrib["data-step"] for group in parts(root, "answer")] == ["7"]
    arrows = {group.attrib["data-edge"]: len(group.findall(f"{SVG}path")) for group in parts(root, "edge")[:-1]}
    assert arrows == {"image>V1": 4, "V1>V2": 4, "V2>V4": 5, "V4>IT": 6, "IT>V2": 4}


@pytest.mark.parametrize("name", [*ZOO, "swept"])
def test_every_cell_is_what_the_plan_computes(name: str) -> None:
    _, graph = described(name)
    shown = kinds(drawn(name))
    for area, (computed, batch) in zip(graph.areas, planned(graph), strict=True):
        assert len(shown[area.name]) == graph.steps
        if not isinstance(area.cell, Feedforward):  # of which the plan has no tasks
            assert (shown[area.name].count("computed"), shown[area.name].count("batch")) == (computed, batch)


def planned(graph: Graph) -> list[tuple[int, int]]:
    """How often the plan computes each area's cell, for each image and once for the batch."""
    computed = plan(graph).nodes
    found = []
    for rank in range(len(graph.areas)):
        done = Counter(node.of_image for node in computed if isinstance(node.kind, Update) and node.kind.area == rank)
        found.append((done[True], done[False]))
    return found


@given(architectures())
@settings(max_examples=60, deadline=None)
def test_random_networks_compute_at_most_what_the_plan_does(given_: Architecture) -> None:
    """The plan knows whole steps of cells; term by term fewer steps may matter, never more."""
    graph = lowered(given_)
    if graph is None:
        return
    for area, row, (computed, batch) in zip(graph.areas, area_steps(graph), planned(graph), strict=True):
        done = Counter(does.kind for does in row)
        if isinstance(area.cell, Feedforward):
            continue
        assert done["computed"] <= computed
        assert done["computed"] + done["batch"] <= computed + batch


@pytest.mark.parametrize("name", [*ZOO, "swept"])
def test_a_step_that_is_the_same_names_an_earlier_one_with_something_new(name: str) -> None:
    for row in area_steps(described(name)[1]):
        for step, does in enumerate(row):
            assert does.same_as <= step
            assert (does.same_as == step) == (does.kind != "same")
            assert row[does.same_as].kind in ("computed", "batch", does.kind)


def test_answers_and_what_is_shown_stand_at_their_steps() -> None:
    root = drawn("swept")
    assert [group.attrib["data-step"] for group in parts(root, "answer")] == ["0", "1", "2", "3", "4"]
    assert [group.attrib["data-step"] for group in parts(root, "shown")] == ["0", "1"]


@pytest.mark.parametrize("name", [*ZOO, "swept"])
def test_all_is_inside_the_view_and_no_cells_overlap(name: str) -> None:
    root = drawn(name)
    _, _, wide, high = map(float, root.attrib["viewBox"].split())
    boxes = [box for box in root.iter(f"{SVG}rect") if box.get("x")]
    corners = set()
    for box in boxes:
        left, top = float(box.attrib["x"]), float(box.attrib["y"])
        assert left >= 0 and top >= 0
        assert left + float(box.attrib["width"]) <= wide and top + float(box.attrib["height"]) <= high
        corners.add((left, top))
    assert len(corners) == len(boxes)
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.attrib["x"]) <= wide and 0 <= float(text.attrib["y"]) <= high


def test_one_step_is_said_as_one() -> None:
    texts = [text.text for text in drawn("cornet-z").iter(f"{SVG}text")]
    assert "one step, sweep unroll: what is computed at which step" in texts


def test_the_legend_explains_what_is_there_alone() -> None:
    root = drawn("cornet-z")
    (legend,) = parts(root, "legend")
    assert [text.attrib["data-kind"] for text in legend.iter(f"{SVG}text") if text.get("data-kind")] == ["computed"]
    assert not [text for text in legend.iter(f"{SVG}text") if "feedback" in (text.text or "")]
    (legend,) = parts(drawn("digits-rgc"), "legend")
    assert [text for text in legend.iter(f"{SVG}text") if "feedback" in (text.text or "")]


def test_edges_of_the_same_ends_do_not_lie_on_each_other() -> None:
    one = "{from: V2, to: V2, via: [conv: {kernel: 1}]}"
    text = SWEEP.replace(f"[{one}]", f"[{one}, {one.replace('kernel: 1', 'kernel: 3')}]")
    assert text != SWEEP
    root = ET.fromstring(draw_plan(*parse_architecture(text, "two.yaml")))
    lines = [
        {path.attrib["d"] for path in group.iter(f"{SVG}path")}
        for group in parts(root, "edge")
        if group.get("data-edge") in ("V2>V2", "V2>V2#2")
    ]
    assert len(lines) == 2 and all(lines)
    assert not lines[0] & lines[1]
