"""Warnings about spaces, each against a space made to deserve it."""

import json

import pytest
from conftest import Striate

from space.lint import lint
from space.lint_edges import step_options
from space.parse import LIBRARY, find, parse_space

HEAD = """\
striate: 1
name: linted
input: {channels: 1, size: 4, classes: 3}
"""
AREAS = """\
areas:
  V1: {drive: [conv: {kernel: 3, channels: 2}]}
  V2: {drive: [conv: {kernel: 3, channels: 2}]}
  V4: {drive: [conv: {kernel: 3, channels: 2}]}
"""
EDGES = """\
edges:
  feedback:
    candidates: {from: [V2, V4], to: [V1, V2]}
    each: {include: {bool: 0.5}, via: [conv: {kernel: 1}]}
"""
TRAIN = "train: {data: digits, learning_rate: 0.1}\n"


def warnings(*parts):
    return lint(parse_space(HEAD + "".join(parts) + TRAIN, "linted.yaml"))


@pytest.mark.parametrize("name", sorted(path.stem for path in LIBRARY.rglob("*.yaml")))
def test_shipped_files_have_no_warnings(name):
    assert lint(parse_space(*find(name))) == ()


def test_edges_that_bring_the_image_too_late_are_told_with_the_steps():
    """Three areas: an edge from rank j to rank i needs 3 + j − i + 2 steps: 6 for neighbours, 7 for V4>V1."""
    found = {each.path: each.message for each in warnings("time: {steps: {int: [5, 6]}}\n", AREAS, EDGES)}
    assert found.keys() == {f"edges.feedback[{name}]" for name in ("V2>V1", "V4>V1", "V4>V2")}
    assert "with 5 or 6 steps this one brings it too late" in found["edges.feedback[V4>V1]"]
    assert "does with 6 steps alone, not with 5 steps" in found["edges.feedback[V2>V1]"]
    assert warnings("time: {steps: 7}\n", AREAS, EDGES) == ()


def test_an_edge_that_cannot_influence_the_read_out_is_told():
    gated = "{type: reciprocal_gated, keep: {kernel: 1}, admit: {kernel: 1}}"
    areas = AREAS.replace("channels: 2}]}", f"channels: 2}}], cell: {gated}}}", 1)
    edges = EDGES.replace("from: [V2, V4], to: [V1, V2]", "from: [V2], to: [V1]").replace(
        "each: {", "each: {enters: hidden, "
    )
    (found,) = warnings("time: {steps: 4}\n", areas, edges)
    assert "to influence the read-out, but with 4 steps this one cannot" in found.message
    assert found.path == "edges.feedback[V2>V1]"


def test_single_options_and_unused_definitions_are_told_where_they_stand():
    extra = (
        "templates: {spare: {body: {kernel: 1}}, used: {body: {use: inner}}, inner: {body: {kernel: 3, channels: 2}}}\n"
    )
    extra += "shared: {unused: {type: feedforward}}\n"
    areas = AREAS.replace("{kernel: 3, channels: 2}", "{use: used}", 1).replace(
        "channels: 2", "channels: {choice: [2]}", 1
    )
    found = {each.path: each for each in warnings("time: {steps: {int: [5, 5]}}\n", areas, extra)}
    assert found.keys() == {"time.steps", "areas.V2.drive[0].conv.channels", "templates.spare", "shared.unused"}
    assert "has one option, 5; write 5 in its place" in found["time.steps"].message
    assert str(found["templates.spare"].mark) == "linted.yaml:9:13"
    assert found["shared.unused"].mark.line == 10


def test_a_decision_that_changes_nothing_is_told():
    """Without recurrence the number of steps does not matter, nor what follows a ReLU if it is a ReLU or an ELU."""
    areas = AREAS.replace("channels: 2}]", "channels: 2}, relu, {choice: [identity, relu, elu]}]", 1)
    found = {each.path for each in warnings("time: {steps: {int: [5, 9]}}\n", areas)}
    assert found == {"time.steps", "areas.V1.drive[2]"}
    areas = AREAS.replace("channels: 2}]", "channels: 2}, relu, {choice: [identity, tanh]}]", 1)
    assert warnings("time: {steps: 5}\n", areas) == ()


def test_training_decisions_are_of_consequence():
    found = lint(
        parse_space(HEAD + "time: {steps: 5}\n" + AREAS + TRAIN.replace("0.1", "{float: [0.1, 0.2]}"), "linted.yaml")
    )
    assert found == ()


def constrained(*rules):
    lines = "".join(f'  - {{name: rule{position}, require: "{rule}"}}\n' for position, rule in enumerate(rules))
    train = "train: {data: digits, learning_rate: 0.1, momentum: {float: [0, 0.9]}}\n"
    text = HEAD + "time: {steps: {int: [7, 9]}}\n" + AREAS + EDGES + f"constraints:\n{lines}" + train
    return {each.path: each.message for each in lint(parse_space(text, "linted.yaml"))}


def test_constraints_that_never_or_nearly_always_reject_are_told():
    """Of three edges at most three are there always, at most two in 7 of 8 draws; 0.7 % of draws meet the last one."""
    found = constrained("count(feedback) <= 3", "count(feedback) <= 2")
    assert found.keys() == {"constraints[0]"}
    assert "'rule0' rejects 0.0% of 400 draws; tighten it" in found["constraints[0]"]
    found = constrained("time.steps == 9 and train.momentum < 0.02", "count(feedback) <= 2")
    assert found.keys() == {"constraints[0]"}  # too few draws are left to tell of the second
    assert "loosen it" in found["constraints[0]"]


def test_steps_are_read_off_every_kind_of_hole():
    texts = {
        "{int: [5, 7]}": [5, 6, 7],
        "{choice: [5, 9]}": [5, 9],
        "8": [8],
        "{choice: {a: 5, b: {int: [6, 7]}}}": [5, 6, 7],
    }
    for text, expected in texts.items():
        assert step_options(parse_space(HEAD + f"time: {{steps: {text}}}\n" + AREAS + TRAIN, "linted.yaml")) == expected
    assert (
        len(step_options(parse_space(HEAD + "time: {steps: {int: [5, 900]}}\n" + AREAS + TRAIN, "linted.yaml"))) == 64
    )


def test_lint_exits_0_with_its_warnings(striate: Striate, tmp_path):
    (tmp_path / "late.yaml").write_text(HEAD + "time: {steps: 5}\n" + AREAS + EDGES + TRAIN)
    done = striate("space", "lint", "late.yaml")
    assert done.returncode == 0, done.stderr
    assert "late.yaml:12:21: edges.feedback[V4>V1]: an edge is there to carry the image" in done.stdout
    assert "late.yaml: 3 warnings." in done.stdout
    told = json.loads(striate("space", "lint", "late.yaml", "--json").stdout)
    assert [each["path"] for each in told] == [f"edges.feedback[{name}]" for name in ("V2>V1", "V4>V1", "V4>V2")]
    assert "digits: no warning." in striate("space", "lint", "digits").stdout


LISTED = """\
edges:
  forward:
    - {from: image, to: V1}
    - {from: V1, to: V2}
    - {from: V2, to: V4}
    - {from: image, to: V4, active: {first: 9}, via: [conv: {kernel: 1}]}
  lateral:
    - {from: V2, to: V2, via: []}
    - {from: V2, to: V2, via: [], delay: 8}
    - {from: V4, to: V4, via: [], active: {first: 9}}
"""


def test_listed_forward_and_lateral_edges_that_can_never_matter_are_told():
    found = {each.path: each.message for each in warnings("time: {steps: 6}\n", AREAS, LISTED)}
    assert found.keys() == {"edges.forward[image>V4]", "edges.lateral[V2>V2#2]", "edges.lateral[V4>V4]"}
    for message in found.values():
        assert message.endswith("but with 6 steps this one cannot; allow more steps, or take it away")
    found = [each.path for each in warnings("time: {steps: 13}\n", AREAS, LISTED)]
    assert found == []


@pytest.mark.parametrize("timing", ["delay: {choice: [9, 1]}", "active: {last: {int: [0, 4]}}"])
def test_every_decision_of_time_is_tried(timing):
    """The first option of neither lets the edge matter in 7 steps, a later one does."""
    edges = EDGES.replace("from: [V2, V4], to: [V1, V2]", "from: [V2], to: [V1]").replace(
        "each: {", f"each: {{{timing}, "
    )
    assert warnings("time: {steps: 7}\n", AREAS, edges) == ()


@pytest.mark.parametrize(("shown", "told"), [(6, []), (7, ["time.stimulus.shown"])])
def test_an_image_that_is_shown_for_more_steps_than_there_are_is_told(shown, told):
    found = {each.path: each.message for each in warnings(f"time: {{steps: 6, stimulus: {{shown: {shown}}}}}\n", AREAS)}
    assert list(found) == told
    assert all("with 6 it is at all of them" in message for message in found.values())
