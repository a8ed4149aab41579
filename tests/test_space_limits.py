"""What reading a document may cost is bounded: each limit is told in place, and nothing below it explodes.

The documents are small to write and dear to read without the limits: minutes, or for ever.
"""

import random

import pytest

from space.errors import MAX_PROBLEMS, SpecificationError
from space.parse import parse_space

HEAD = "striate: 1\nname: limits\ninput: {channels: 1, size: 8, classes: 10}\n"
TRAIN = "train: {data: digits, learning_rate: 0.1}\n"
ALL = "{from: all, to: all}"
EACH = "{include: {bool: 0.5}, via: [conv: {kernel: 1}]}"


def document(areas=2, lets=(), candidates=None, each=EACH, requires=(), steps=None):
    text = f"{HEAD}time: {{steps: {steps or min(1_000, areas + 2)}}}\n"
    text += "".join(["let:\n", *(f"  {each}\n" for each in lets)]) if lets else ""
    text += "areas:\n" + "".join(f"  A{i}: {{drive: [conv: {{kernel: 3, channels: 4}}]}}\n" for i in range(areas))
    if candidates:
        text += f"edges:\n  feedback:\n    candidates: {candidates}\n    each: {each}\n"
    rules = "".join(f"  - {{name: c{i}, require: '{require}'}}\n" for i, require in enumerate(requires))
    return text + (f"constraints:\n{rules}" if requires else "") + TRAIN


def chain(length):
    """Decisions that rest on one another; asked without a memory, the last takes 2**length questions."""
    asking = (f'x{i}: {{int: [0, 3], when: "present(x{i - 1}) and present(x{i - 1})"}}' for i in range(1, length))
    return ["x0: {int: [0, 3]}", *asking]


def options(number, body):
    return f"{{choice: {{{', '.join(f'o{i}: {body}' for i in range(number))}}}}}"


BUSY = " or ".join(["q == 1"] * 30)
REFUSED = {
    "characters": (HEAD + "#" * 500_000, "a file has at most 500,000 characters"),
    "values": (f"a: [{'1, ' * 15_000}1]\n", "a file has at most 15,000 values"),
    "key": (f"{'k' * 101}: 1\n", "a key has at most 100 characters, but this one has 101"),
    "path": (document(lets=["a: " + ("{" + "k" * 100 + ": ") * 12 + "1" + "}" * 12]), "at paths of 1,000 characters"),
    "edges": (document(100, candidates=ALL), "a space unfolds into at most 25,000 values"),
    "pairs": (document(101, candidates=ALL), "at most 10,000 pairs of areas, but `from` and `to` make 10,201"),
    "listed": (document(candidates=f"[{'A1>A0, ' * 10_001}]"), "at most 10,000 pairs of areas, but 10,001 are listed"),
    "where": (
        document(90, candidates=f'{{from: all, to: all, where: "{" and ".join(["from != to"] * 60)}"}}'),
        "25,000 values and parts of conditions",
    ),
    "rests": (document(lets=chain(34)), "at most 32 conditions rest on one another"),
    "conditions": (
        document(lets=["q: {choice: [1, 2]}", *(f'b{i}: {{int: [0, 1], when: "{BUSY}"}}' for i in range(999))]),
        "25,000 values and parts of conditions",
    ),
    "alternatives": (
        document(
            lets=[
                f"a: {options(1_800, '{k: {int: [0, 1]}}')}",
                f'b: {{int: [0, 1], when: "{"a.k == 1 or " * 15}true"}}',
            ]
        ),
        "25,000 values and parts of conditions",
    ),
    "integers": (
        document(lets=[f"a: {{int: [0, {'9' * 30}]}}"]),
        "the bounds of `int` are at most 9223372036854775807",
    ),
    "steps": (document(40, steps=1_000), "at most 10,000, but 40 areas in 1,000 steps make 40,000"),
    "steps of some": (
        document(40, steps="{int: [50, 1_000]}".replace("_", "")),
        "areas times steps are at most 10,000",
    ),
    "logarithm": (document(lets=[f"a: {{int: [1, {'9' * 39}], log: true}}"]), "from 0, but got 1 and 99999"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_exceeds_a_limit_is_refused_in_place(name):
    text, rule = REFUSED[name]
    with pytest.raises(SpecificationError) as caught:
        parse_space(text, "limits.yaml")
    told = [problem for problem in caught.value.problems if rule in problem.message]
    assert told, str(caught.value)[:500]
    assert "; " in told[0].message  # the way out


QUANTIFIED = "forall(areas, exists(areas, forall(areas, exists(areas, forall(areas, channels > 1)))))"
READ = {
    "chain": document(lets=chain(32)),
    "options": document(lets=[f"a: {options(3_000, '{k: 1}')}"]),
    "quantifiers": document(40, requires=[QUANTIFIED]),
    "powers": document(requires=["*".join(["params()"] * 30) + " > 0", f"{'9' * 39} * {'9' * 39} > 0.5"]),
    "never met": document(20, candidates=ALL, requires=["params() < 1"]),
    "edges": document(50, candidates=ALL),
    "steps": document(10, steps=1_000),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_within_the_limits_is_read(name):
    space = parse_space(READ[name], "limits.yaml")
    space.fill(space.draw(random.Random(0)))


def test_a_small_space_that_no_draw_meets_is_refused_when_read_and_a_large_one_when_sampled():
    with pytest.raises(SpecificationError, match=r"none of .* draws does"):
        parse_space(document(4, candidates=ALL, requires=["params() < 1"]), "limits.yaml")
    space = parse_space(READ["never met"], "limits.yaml")
    with pytest.raises(SpecificationError, match="none of 20 draws does"):
        space.sample(random.Random(0), tries=20)


def test_so_many_problems_are_told_and_no_more():
    lets = [f"b{i}: {{use: tz{i}}}" for i in range(999)]
    text = "templates:\n" + "".join(f"  t{i}: {{body: 1}}\n" for i in range(1_000)) + document(lets=lets)
    with pytest.raises(SpecificationError) as caught:
        parse_space(text, "limits.yaml")
    assert len(caught.value.problems) == MAX_PROBLEMS


def test_a_quantifier_inside_another_is_worked_out_once_and_right():
    """Two areas of 4 and 8 channels: some area has 8, for each area; not all areas have 8, for any."""
    text = document(requires=["forall(areas, exists(areas, channels == 8))"]).replace("channels: 4", "channels: 8", 1)
    assert parse_space(text, "limits.yaml").reject({}) is None
    with pytest.raises(SpecificationError, match="but none of 1 draws does"):
        parse_space(text.replace("exists(areas", "forall(areas"), "limits.yaml")
