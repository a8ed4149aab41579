"""A shared value is there where any that names it is: what conditions, constraints and counts see, by brute force."""

import itertools
import random

import pytest

from space.count import count
from space.enumeration import enumerate_candidates
from space.errors import SpecificationError
from space.parse import parse_space

HEAD = """\
striate: 1
name: sharing
input: {channels: 1, size: 8, classes: 10}
time: {steps: 6}
shared: {link: {kernel: {choice: [1, 3]}, separable: {bool: 0.5}}}
"""
TRAIN = "train: {data: digits, learning_rate: 0.1}\n"
CELL = "{choice: {plain: {type: feedforward}, local: {type: simple, hidden: {shared: link}}}}"
ASKS = {  # what each means, of the candidate as a whole
    "present(link)": lambda c: "link.kernel" in c,
    "absent(link.separable)": lambda c: "link.kernel" not in c,
    "link.kernel == 3": lambda c: c.get("link.kernel") == 3,
    "not link.kernel < 2": lambda c: c.get("link.kernel") == 3,
    "link.separable or absent(link)": lambda c: c.get("link.separable", True),
    "present(areas.V1.cell.hidden) and link.separable": lambda c: c["areas.V1.cell"] == "local" and c["link.separable"],
}


def space_of(condition=None, at=3, requires=None, areas=3):
    lines = []
    for rank in range(4):
        asking = f', {{choice: [elu], when: "{condition}"}}' if condition and rank == at else ""
        cell = f", cell: {CELL}" if rank < areas else ""
        lines.append(f"  V{rank}: {{drive: [conv: {{kernel: 3, channels: 4}}{asking}]{cell}}}\n")
    rule = f"constraints: [{{name: c, require: '{requires}'}}]\n" if requires else ""
    return parse_space(f"{HEAD}areas:\n{''.join(lines)}{TRAIN}{rule}", "sharing.yaml")


def everyone(areas=3):
    """Each way to choose cells, and the shared link where any of them names it."""
    for cells in itertools.product(("plain", "local"), repeat=areas):
        chosen = {f"areas.V{rank}.cell": cell for rank, cell in enumerate(cells)}
        links = itertools.product((1, 3), (True, False)) if "local" in cells else [()]
        for link in links:
            yield {**chosen, **dict(zip(("link.kernel", "link.separable"), link, strict=False))}


@pytest.mark.parametrize("condition", ASKS)
def test_a_condition_below_all_that_names_a_shared_value_sees_it_wherever_it_is_there(condition):
    space = space_of(condition)
    asked = "areas.V3.drive[1]"
    wanted = [{**each, **({asked: "elu"} if ASKS[condition](each) else {})} for each in everyone()]
    found = list(enumerate_candidates(space))
    assert sorted(map(repr, map(sorted, map(dict.items, found)))) == sorted(
        map(repr, map(sorted, map(dict.items, wanted)))
    )
    assert (count(space).candidates, count(space).exact) == (len(wanted), True)


@pytest.mark.parametrize("condition", ASKS)
def test_a_constraint_sees_it_wherever_it_is_there(condition):
    space = space_of(requires=condition)
    answers = {space.reject(each) is None for each in enumerate_candidates(space)}
    assert answers == {True, False}
    assert all((space.reject(each) is None) == ASKS[condition](each) for each in enumerate_candidates(space))


@pytest.mark.parametrize("at", [1, 2])
def test_a_condition_above_something_that_names_it_is_refused(at):
    """With the plain cell below and a local one above, the link would be absent for the condition, and yet there."""
    with pytest.raises(SpecificationError) as caught:
        space_of("link.kernel == 3", at=at)
    (problem,) = caught.value.problems
    assert problem.path == f"areas.V{at}.drive[1].when"
    assert problem.message == (
        "a condition speaks of what comes before it, but `link.kernel` (character 1) is shared, and may be met after "
        "it alone; move the condition below all that names the shared value"
    )


def test_a_condition_above_is_read_where_the_value_is_there_already_for_certain():
    areas = f"""\
areas:
  V0: {{drive: [conv: {{kernel: 3, channels: 4}}], cell: {{type: simple, hidden: {{shared: link}}}}}}
  V1: {{drive: [conv: {{kernel: 3, channels: 4}}, {{choice: [elu], when: "link.kernel == 3"}}], cell: {CELL}}}
"""
    space = parse_space(HEAD + areas + TRAIN, "sharing.yaml")
    found = list(enumerate_candidates(space))
    assert len(found) == count(space).candidates == 8
    assert all(("areas.V1.drive[1]" in each) == (each["link.kernel"] == 3) for each in found)


def test_branches_that_exclude_each_other_may_share():
    """In either branch the link comes before the condition, so neither is asked too early."""
    branch = "{type: lstm, gates: {shared: link}, norm: {choice: [layer], when: link.separable}}"
    areas = (
        f"areas:\n  V0: {{drive: [conv: {{kernel: 3, channels: 4}}], cell: {{choice: {{a: {branch}, b: {branch}}}}}}}\n"
    )
    space = parse_space(HEAD + areas + TRAIN, "sharing.yaml")
    found = list(enumerate_candidates(space))
    assert len(found) == count(space).candidates == 8
    assert all(("areas.V0.cell.norm" in each) == each["link.separable"] for each in found)


def test_what_all_edges_share_is_there_where_any_edge_is():
    rule = """\
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}]}
  V2: {drive: [conv: {kernel: 3, channels: 4}]}
  V4: {drive: [conv: {kernel: 3, channels: 4}]}
edges:
  feedback:
    candidates: {from: all, to: [V1]}
    each: {include: {bool: 0.5}}
    all: {via: [conv: {shared: link}]}
constraints: [{name: c, require: "absent(link)"}]
"""
    space = parse_space(HEAD + rule + TRAIN, "sharing.yaml")
    candidate = space.sample(random.Random(0))
    assert not any(candidate.values())
    assert all((space.reject(each) is None) == ("link.kernel" not in each) for each in enumerate_candidates(space))
    assert len(list(enumerate_candidates(space))) == count(space).candidates == 1 + 3 * 4
