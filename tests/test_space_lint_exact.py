"""What lint says for certain, against going through all candidates."""

import itertools
import math

import pytest

from space.enumeration import enumerate_candidates
from space.lint import lint
from space.parse import parse_space
from space.reach import reach

GATED = "{type: reciprocal_gated, keep: {kernel: {int: [1, 2]}}, admit: {kernel: 1}}"
SPACE = f"""\
striate: 1
name: exact
input: {{channels: 1, size: 4, classes: 3}}
time: {{steps: {{int: [4, 7]}}}}
areas:
  V1:
    drive: [conv: {{kernel: 3, channels: {{choice: [1, 2]}}}}]
    cell: {{choice: {{a: {GATED}, b: {GATED}}}}}
  V2: {{drive: [conv: {{kernel: 3, channels: 2}}]}}
  V4: {{drive: [conv: {{kernel: 3, channels: 2}}]}}
edges:
  feedback:
    candidates: {{from: [V2, V4], to: [V1]}}
    each: {{include: {{bool: 0.5}}, enters: {{choice: [input, hidden]}}, via: [conv: {{kernel: 1}}]}}
train: {{data: digits, learning_rate: 0.1}}
"""


def by_brute_force(space):
    """Edge → the steps at which some candidate that has it carries the image by it."""
    carrying = {}
    for candidate in enumerate_candidates(space):
        _, graph = space.fill(candidate)
        for name, each in reach(graph).edges.items():
            carrying.setdefault(name, {}).setdefault(graph.steps, []).append(each.carries_image)
    return {name: {steps for steps, found in at.items() if any(found)} for name, at in carrying.items()}


@pytest.mark.parametrize("steps", ["{int: [4, 7]}", "{int: [4, 5]}", "5", "{choice: [6, 8]}", "8"])
def test_edges_are_told_for_certain_where_their_paths_can_be_gone_through(steps):
    space = parse_space(SPACE.replace("{int: [4, 7]}", steps), "exact.yaml")
    told = {each.path: each.message for each in lint(space) if "carry the image" in each.message}
    every = {candidate.get("time.steps", 0) for candidate in enumerate_candidates(space)}
    for edge, carrying in by_brute_force(space).items():
        message = told.pop(f"edges.feedback[{edge}]", None)
        if carrying == every or (every == {0} and carrying):
            assert message is None
            continue
        assert "whatever is decided" in message
        assert ("brings it too late" in message) == (not carrying)
        if carrying:
            assert f"does with {' or '.join(map(str, sorted(carrying)))} steps alone" in message.replace(", ", " or ")
    assert not told


def test_edges_rest_on_draws_where_conditions_are_asked():
    asking = SPACE.replace("channels: 2}]}", 'channels: 2}, {choice: [elu], when: "time.steps > 4"}]}', 1)
    (first, *_) = [each.message for each in lint(parse_space(asking, "exact.yaml")) if "carry" in each.message]
    assert "in 16 draws" in first


@pytest.mark.parametrize(
    "rule", ["time.steps >= 4", "areas.V1.cell.keep.kernel <= 2 or time.steps > 9", "time.steps > 4"]
)
def test_what_a_constraint_rejects_is_told_exactly_of_a_small_space(rule):
    space = parse_space(f'{SPACE}constraints: [{{name: c, require: "{rule}"}}]\n', "exact.yaml")
    rejected = sum(math.exp(space.log_prior(each)) for each in enumerate_candidates(space) if space.reject(each))
    told = [each.message for each in lint(space) if each.path == "constraints[0]"]
    assert bool(told) == (rejected == 0)
    assert all("rejects 0.0% of all candidates, by their prior; tighten it" in each for each in told)


def test_a_constraint_that_hardly_ever_rejects_is_not_told_of_a_small_space_but_rejects_something():
    """One in 240 is refused, which draws would call none at all."""
    text = (
        SPACE.replace("0.1}", "0.1, seed: {int: [1, 60]}}")
        .replace("{choice: [1, 2]}", "1")
        .replace(GATED, "{type: gru, gates: {kernel: 1}, candidate: {kernel: 1}}")
    )
    rule = 'constraints: [{name: c, require: "train.seed != 7 or time.steps != 4"}]\n'
    space = parse_space(text.replace("enters: {choice: [input, hidden]}, ", "") + rule, "exact.yaml")
    assert len(list(itertools.islice(enumerate_candidates(space), 10_001))) <= 10_000
    assert [each for each in lint(space) if each.path == "constraints[0]"] == []
