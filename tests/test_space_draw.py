"""The drawing of a network, read back as XML: what it shows, and that it can be read."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from drawings import HEAD, SVG, assert_readable, corners, drawn, edges, line_of, parts, shipped, space_of, title, words
from hypothesis import given, settings
from hypothesis import strategies as st

from space.draw import draw
from space.draw_network import NetworkDrawing
from space.draw_pen import Pen
from space.draw_sketch import sketch
from space.errors import UsageError
from space.parse import LIBRARY
from space.tree import Hole, Node, Sequence, Value, When
from space.tree import Mapping as Tree

# Everything but the production Char of XML 1.0, section 2.2.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SHIPPED = sorted(path.stem for path in LIBRARY.rglob("*.yaml"))

HIGHER = "".join(
    f"  conv{i}: {{drive: [conv: {{kernel: 3, channels: 8}}], cell: {{shared: local}}}}\n" for i in range(2, 12)
)
LARGE = f"""{HEAD}
shared:
  local:
    choice:
      lstm: {{type: lstm, gates: {{kernel: {{int: [1, 5]}}, separable: {{bool: 0.5}}}}}}
      reciprocal_gated: {{type: reciprocal_gated, keep: {{kernel: 7}}, admit: {{kernel: {{choice: [3, 5]}}}}}}
    weights: [1, 3]
areas:
  conv1: {{drive: [conv: {{kernel: 7, stride: 2, channels: 8}}, elu], post: [max_pool: {{kernel: 2, stride: 2}}]}}
{HIGHER}
edges:
  feedback:
    candidates: {{from: [conv7, conv8, conv9, conv10, conv11], to: [conv2, conv3, conv4, conv5, conv6]}}
    each: {{include: {{bool: 0.3}}, via: [resize: {{mode: bilinear}}, conv: {{kernel: {{choice: [1, 3]}}}}]}}
"""


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_is_drawn_whole_and_readable(name: str) -> None:
    space = shipped(name)
    text = draw(space)
    root = ET.fromstring(text)
    areas = space.tree.entries["areas"]
    assert isinstance(areas, Tree)
    assert [group.attrib["data-area"] for group in parts(root, "area")] == list(areas.entries)
    assert len(parts(root, "image")) == len(parts(root, "read-out")) == 1
    chain = [path for path in root.iter(f"{SVG}path") if path.get("class") == "chain"]
    edges = space.tree.entries.get("edges")
    listed = isinstance(edges, Tree) and isinstance(edges.entries.get("forward"), Sequence)
    assert listed or len(chain) == len(areas.entries) + 1
    assert parts(root, "cell") and parts(root, "legend")
    assert_readable(root)
    assert draw(shipped(name)) == text


def test_digits_shows_its_sizes_its_candidates_and_its_four_cells() -> None:
    root = ET.fromstring(draw(shipped("digits")))
    sizes = {group.attrib["data-area"]: words(group)[1] for group in parts(root, "area")}
    assert sizes == {"V1": "8×8 × 12", "V2": "8×8 × 16", "V4": "4×4 × 16", "IT": "4×4 × 32"}
    candidates = {("V2", "V1"), ("V4", "V1"), ("V4", "V2"), ("IT", "V1"), ("IT", "V2"), ("IT", "V4")}
    assert edges(root).keys() == candidates
    for (source, target), group in edges(root).items():
        assert title(group) == (
            f"{source} → {target}: feedback, optional: there with probability 0.3; enters input, "
            "through resize bilinear → conv 1 | 3"
        )
        assert line_of(group).get("stroke-dasharray")
        assert words(group) == ["0.3"]
    cells = {cell.attrib["data-type"]: cell for cell in parts(root, "cell")}
    assert list(cells) == ["feedforward", "simple", "lstm", "reciprocal_gated"]
    assert "p = 0.4" in words(cells["reciprocal_gated"]) and "p = 0.2" in words(cells["lstm"])
    assert "9 | 10 steps, biological unroll · 26 decisions" in words(root)


def test_an_architecture_has_no_dashes_but_those_of_the_legend() -> None:
    root = ET.fromstring(draw(shipped("digits-rgc")))
    (group,) = edges(root).values()
    assert (group.attrib["data-from"], group.attrib["data-to"], words(group)) == ("IT", "V2", [])
    (legend,) = parts(root, "legend")
    dashed = {id(each) for each in root.iter() if each.get("stroke-dasharray")}
    assert dashed == {id(each) for each in legend.iter() if each.get("stroke-dasharray")}
    assert len(dashed) == 1


def test_eleven_areas_and_25_candidates_stay_apart() -> None:
    root = ET.fromstring(draw(space_of(LARGE)))
    assert_readable(root)
    pairs = itertools.product((f"conv{i}" for i in range(7, 12)), (f"conv{i}" for i in range(2, 7)))
    assert edges(root).keys() == set(pairs)
    for group in edges(root).values():
        tops = {y for _, y in corners(line_of(group))}
        assert len(words(group)) == 1 and len(tops) > 2
    assert "25 feedback edges, optional: there with probability 0.3; entering input" in " ".join(words(root))


def test_crossed_ways_of_edges_cross_at_right_angles_only() -> None:
    """Edges run along the axes, but for rounded corners."""
    for group in edges(ET.fromstring(draw(space_of(LARGE)))).values():
        turns = 0
        for (x, y), (u, v) in itertools.pairwise(corners(line_of(group))):
            turns += x != u and y != v
        assert turns == 0


def test_skips_run_below_and_a_strength_beside_a_threshold_is_a_condition() -> None:
    areas = "".join(f"  A{i}: {{drive: [conv: {{kernel: 3, channels: 8}}]}}\n" for i in range(5))
    root = ET.fromstring(
        draw(
            space_of(
                f"""{HEAD}
let: {{threshold: {{float: [0, 1]}}}}
areas:
{areas}
edges:
  feedback:
    candidates: {{from: [A3, A4], to: [A1]}}
    each:
      let: {{strength: {{float: [0, 1]}}}}
      include: strength > threshold
      via: [resize: {{mode: bilinear}}, conv: {{kernel: 1}}]
  skip:
    candidates: {{from: [A0, A1], to: [A3, A4]}}
    each: {{include: {{bool: 0.4}}, via: [resize: {{mode: bilinear}}, conv: {{kernel: 1}}]}}
"""
            )
        )
    )
    assert_readable(root)
    kinds = {pair: group.attrib["data-kind"] for pair, group in edges(root).items()}
    skips = {("A0", "A3"), ("A0", "A4"), ("A1", "A3"), ("A1", "A4")}
    assert kinds == {("A3", "A1"): "feedback", ("A4", "A1"): "feedback"} | dict.fromkeys(skips, "skip")
    low = max(bottom for group in parts(root, "area") for _, _, _, bottom in drawn(group[1]))
    for pair, group in edges(root).items():
        assert words(group) == (["0.4"] if pair in skips else ["if"])
        assert line_of(group).get("stroke-dasharray")
        assert (max(y for _, y in corners(line_of(group))) > low) == (pair in skips)
    assert "strength > threshold" in title(edges(root)["A4", "A1"])


def test_holes_everywhere_are_told_as_options() -> None:
    network = sketch(
        space_of(
            HEAD
            + """
areas:
  V1:
    drive:
      - conv: {kernel: {int: [3, 7]}, channels: {choice: [8, 16]}, stride: {choice: [1, 2]}}
      - {choice: [elu, relu]}
      - {choice: {none: none, pooled: {max_pool: {kernel: 2, stride: 2}}}}
  V2: {drive: [conv: {kernel: 3, channels: {int: [4, 9]}, separable: {bool: 0.2}}]}
edges:
  feedback: [{from: V2, to: V1, via: [{resize: {mode: {choice: [bilinear, nearest]}}}, {conv: {kernel: 1}}]}]
"""
        )
    )
    first, second = network.areas
    assert first.drive == ("conv 3–7 / 1 | 2 · 8 | 16", "elu | relu", "max pool 2×2 / 2 ?")
    assert str(first.maps) == "16²–64² × 8 | 16"
    assert second.drive == ("conv 3×3 sep. 0.2 · 4–9",)
    assert [edge.presence.certain for edge in network.edges] == [True]
    assert network.edges[0].via == ("resize bilinear | nearest", "conv 1×1")


@dataclass(frozen=True, slots=True)
class _Asks:
    """A condition with a text of its own."""

    written: str
    decisions: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.written

    def holds(self, decided: Mapping[str, Value]) -> bool:
        return bool(decided)


def conditional(node: Node, condition: _Asks) -> Node:
    match node:
        case Tree(entries=entries):
            return replace(node, entries={key: conditional(each, condition) for key, each in entries.items()})
        case Hole():
            return When(condition, node, node.mark)
        case _:
            return node


@given(st.text(max_size=30))
@settings(max_examples=50, deadline=None)
def test_a_condition_is_an_option_whatever_signs_it_is_written_in(written: str) -> None:
    space = shipped("digits")
    tree = conditional(space.tree, _Asks(written))
    assert isinstance(tree, Tree)
    root = ET.fromstring(draw(replace(space, tree=tree)))
    (cell, *_) = [group for group in parts(root, "area") if group.attrib["data-area"] == "V2"]
    assert "feedforward" in words(cell) and "lstm" in words(cell)


@given(st.text(min_size=1))
def test_what_is_written_is_read_back_but_for_signs_that_xml_forbids(text: str) -> None:
    root = ET.Element("svg")
    Pen(root).group(text).text(0, 0, text, 10)
    read = ET.fromstring(ET.tostring(root, encoding="unicode").encode("utf-8"))
    expected = "".join("\ufffd" if FORBIDDEN.match(each) else each for each in text)
    for found in (read.findtext("g/title"), read.findtext("g/text")):
        assert found == expected.replace("\r\n", "\n").replace("\r", "\n")  # as every reader of XML does


@st.composite
def networks(draw_: st.DrawFn) -> tuple[str, set[tuple[str, str]], set[tuple[str, str]]]:
    """A chain of areas with some feedback edges; those that are there, and those that are optional."""
    count = draw_(st.integers(2, 12))
    names = [f"A{i}" for i in range(count)]
    pairs = [(names[i], names[j]) for i in range(count) for j in range(i)]
    chosen = draw_(st.lists(st.sampled_from(pairs), unique=True, max_size=30))
    optional = {pair for pair in chosen if draw_(st.booleans())}
    lines = []
    for source, target in chosen:
        edge = f"{{from: {source}, to: {target}, via: [resize: {{mode: bilinear}}, conv: {{kernel: 1}}]}}"
        choice = f"choice: {{none: none, there: {edge}}}, weights: [1, 3]"
        lines.append(f"    - {{{choice}}}" if (source, target) in optional else f"    - {edge}")
    areas = "\n".join(f"  {name}: {{drive: [conv: {{kernel: 1, channels: 2}}]}}" for name in names)
    feedback = "\nedges:\n  feedback:\n" + "\n".join(lines) if lines else ""
    return f"{HEAD}\nareas:\n{areas}{feedback}\n", set(chosen), optional


@given(networks())
@settings(max_examples=25, deadline=None)
def test_any_edges_are_drawn_once_each_and_apart(
    given_: tuple[str, set[tuple[str, str]], set[tuple[str, str]]],
) -> None:
    text, chosen, optional = given_
    root = ET.fromstring(draw(space_of(text)))
    found = edges(root)
    assert found.keys() == chosen
    assert {pair for pair, group in found.items() if line_of(group).get("stroke-dasharray")} == optional
    assert all(words(group) == (["0.75"] if pair in optional else []) for pair, group in found.items())
    assert_readable(root)


def test_another_area_shows_its_own_cell_and_an_unknown_one_is_refused() -> None:
    space = shipped("digits")
    (cell,) = parts(ET.fromstring(draw(space, "V1")), "cell")
    assert cell.attrib["data-type"] == "feedforward"
    with pytest.raises(UsageError, match="digits has no 'V3'; known: V1, V2, V4, IT"):
        draw(space, "V3")


def test_the_command_writes_a_file(striate, tmp_path: Path) -> None:
    done = striate("space", "draw", "digits", "-o", "digits.svg", "--cell", "V4")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "digits.svg").read_text(encoding="utf-8") == draw(shipped("digits"), "V4")
    refused = striate("space", "draw", "digits", "-o", "no/such/folder.svg")
    assert refused.returncode == 1 and "cannot be written" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_forward_edges_of_a_list_are_drawn_as_they_are_and_lateral_ones_above() -> None:
    root = ET.fromstring(
        draw(
            space_of(
                f"""{HEAD}
areas:
  V1: {{drive: [conv: {{kernel: 3, channels: 8}}]}}
  V2: {{drive: [conv: {{kernel: 3, channels: 8}}]}}
  V4: {{drive: [conv: {{kernel: 3, channels: 3}}]}}
edges:
  forward:
    - {{from: image, to: V1}}
    - {{from: V1, to: V2}}
    - {{from: image, to: V4, via: [conv: {{kernel: 1, channels: 8}}]}}
    - {{from: V1, to: V4}}
  lateral: [{{from: V2, to: V2, via: [conv: {{kernel: 3}}]}}]
  feedback: [{{from: V2, to: V1, via: [conv: {{kernel: 3}}]}}]
readout: {{pool: none}}
"""
            )
        )
    )
    assert_readable(root)
    kinds = {pair: group.attrib["data-kind"] for pair, group in edges(root).items()}
    assert kinds == {("image", "V4"): "forward", ("V1", "V4"): "forward"} | {
        ("V2", "V2"): "lateral",
        ("V2", "V1"): "feedback",
    }
    chain = [path for path in root.iter(f"{SVG}path") if path.get("class") == "chain"]
    assert len(chain) == 3, "image to V1, V1 to V2, V4 to the read-out; V4 does not read V2"
    high = min(top for group in parts(root, "area") for _, top, _, _ in drawn(group[1]))
    for pair, group in edges(root).items():
        assert (min(y for _, y in corners(line_of(group))) < high) == (pair[0] == "V2")
    assert "the whole map" in words(parts(root, "read-out")[0])
    assert title(edges(root)["image", "V4"]) == "image → V4: forward, always there; enters drive, through conv 1×1 · 8"


def test_norms_say_their_kind_and_lateral_edges_their_area() -> None:
    network = sketch(
        space_of(
            f"""{HEAD}
areas:
  V1: {{drive: [conv: {{kernel: 3, channels: 8}}, norm: {{kind: {{choice: [layer, instance]}}}}]}}
  V2:
    absent: undefined
    drive: [conv: {{kernel: 3, channels: 8}}, norm: {{kind: batch, affine: step, statistics: step}}]
edges:
  lateral:
    - {{from: V1, to: V1, via: [conv: {{kernel: 3}}]}}
    - {{from: V2, to: V2, via: [conv: {{kernel: 3}}]}}
    - {{from: V2, to: V2, via: [conv: {{kernel: 1}}]}}
"""
        )
    )
    assert network.areas[0].drive[1] == "layer | instance norm"
    assert network.areas[1].drive[1] == "batch norm, affine of each step, statistics of each step"
    captions = NetworkDrawing(network).captions
    assert captions == [
        "2 lateral edges of V1, V2, always there; entering input, through conv 3×3",
        "1 lateral edge of V2, always there; entering input, through conv 1×1",
    ]
