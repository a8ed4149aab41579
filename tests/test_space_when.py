"""Values that are there only where a condition holds, decisions of `let`, and rules for edges."""

import random
import textwrap
from collections import Counter

import pytest
from scipy.stats import chisquare

from space.errors import SpecificationError
from space.parse import parse_architecture, parse_space, to_yaml

FALSE_FAILURE_RATE = 1e-4  # of the seeded chi-square test, over seeds
HEAD = """\
striate: 1
name: tiny
input: {channels: 1, size: 8, classes: 10}
"""
TRAIN = "train: {data: digits, learning_rate: 0.1}\n"


def space_of(body, time="time: {steps: {int: [5, 9]}}\n", train=TRAIN):
    return parse_space(HEAD + time + textwrap.dedent(body) + train, "tiny.yaml")


def draws(space, count=60):
    return [space.sample(random.Random(seed)) for seed in range(count)]


LOCAL = """\
shared:
  local:
    choice:
      plain: {type: feedforward}
      gated: {type: lstm, gates: {kernel: {int: [1, 3]}}, norm: {choice: [none, layer]}}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}, {choice: [elu, relu], when: CONDITION}]}
  V2: {drive: [conv: {kernel: 3, channels: 4}], cell: {shared: local}}
  V4: {drive: [conv: {kernel: 3, channels: 4}, {choice: [elu, relu], when: CONDITION}], cell: {shared: local}}
"""
V1, V4 = "areas.V1.drive[1]", "areas.V4.drive[1]"


def asked(condition):
    head, tail = LOCAL.split(", {choice: [elu, relu], when: CONDITION}", 1)
    return space_of(head + tail.replace("CONDITION", f'"{condition}"'))


CONDITIONS = {  # what each means, by hand
    "present(local.gates)": lambda c: c["local"] == "gated",
    "absent(local.gates.kernel)": lambda c: c["local"] == "plain",
    "local == gated": lambda c: c["local"] == "gated",
    "local.type == lstm and time.steps > 6": lambda c: c["local"] == "gated" and c["time.steps"] > 6,
    "local.gates.kernel >= 2": lambda c: c.get("local.gates.kernel", 0) >= 2,
    "not local.gates.kernel >= 2": lambda c: c.get("local.gates.kernel", 9) < 2,
    "local.norm == layer": lambda c: c.get("local.norm") == "layer",
    "local.norm != layer": lambda c: c.get("local.norm") != "layer",
    "present(local.norm)": lambda c: c.get("local.norm") == "layer",
    "local.norm == none": lambda c: c.get("local.norm", "none") == "none",
    "local.gates.kernel in [1, 3] or time.steps / 2 == 4": lambda c: (
        c.get("local.gates.kernel") in (1, 3) or c["time.steps"] == 8
    ),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_value_with_when_is_there_exactly_where_its_condition_holds(condition):
    space = asked(condition)
    answers = set()
    for candidate in draws(space):
        holds = CONDITIONS[condition](candidate)
        architecture, _ = space.fill(candidate)
        assert (V4 in candidate) == holds
        assert architecture.areas[2].drive[1:] == ((candidate[V4],) if holds else ())
        assert parse_architecture(to_yaml(architecture), "again.yaml")[0] == architecture
        answers.add(holds)
    assert answers == {True, False}


def test_names_are_looked_for_in_the_mappings_around_first():
    space = space_of(
        """\
        templates:
          timed: {body: {conv: {kernel: {choice: [1, 3]}, channels: 4}}}
        areas:
          V1: {drive: [{use: timed}, {use: timed, when: "drive[0].conv.kernel == 3"}, {choice: [elu], when: LATE}]}
        """.replace("LATE", "time.steps > 6")
    )
    for candidate in draws(space):
        (area,) = space.fill(candidate)[0].areas
        convolutions = [step for step in area.drive if not isinstance(step, str)]
        assert len(convolutions) == (2 if convolutions[0].kernel == 3 else 1)
        assert ("elu" in area.drive) == (candidate["time.steps"] > 6)


def test_a_choice_of_a_choice_is_known_by_its_value():
    space = space_of(
        """\
        areas:
          V1:
            drive:
              - conv: {kernel: {choice: {one: 1, odd: {choice: [3, 5]}}}, channels: 4}
              - {choice: [elu], when: "drive[0].conv.kernel == 5"}
        """
    )
    for candidate in draws(space):
        convolution, *after = space.fill(candidate)[0].areas[0].drive
        assert bool(after) == (convolution.kernel == 5)


RULE = """\
let: {threshold: {float: [0, 1]}}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}]}
  V2: {drive: [conv: {kernel: 3, channels: 4}]}
  V4: {drive: [conv: {kernel: 3, channels: 4}]}
edges:
  feedback:
    candidates: {from: all, to: [V1]}
    each: {let: {strength: {float: [0, 1]}}, include: "strength > threshold", via: [conv: {kernel: {choice: [1, 3]}}]}
"""


def test_let_is_decided_first_and_stands_in_no_architecture():
    space = space_of(RULE)
    names = ["V2>V1", "V4>V1"]
    for candidate in draws(space):
        strengths = [f"edges.feedback[{name}].let.strength" for name in names]
        assert list(candidate)[:3] == ["let.threshold", *strengths]
        architecture, graph = space.fill(candidate)
        wanted = [name for name, at in zip(names, strengths, strict=True) if candidate[at] > candidate["let.threshold"]]
        assert [edge.name for edge in graph.long_range] == wanted
        assert sum("kernel" in path for path in candidate) == len(wanted)
        assert "let" not in to_yaml(architecture)


def test_edges_with_a_shared_threshold_come_in_any_number_as_often():
    """Two strengths and a threshold are exchangeable: 0, 1 and 2 edges each have probability 1/3."""
    space = space_of(RULE)
    rng = random.Random(2018)
    numbers = Counter(sum("kernel" in path for path in space.sample(rng)) for _ in range(3_000))
    assert chisquare([numbers[each] for each in range(3)]).pvalue > FALSE_FAILURE_RATE


AREAS = "areas:\n" + "".join(f"  A{i}: {{drive: [conv: {{kernel: 3, channels: 4}}]}}\n" for i in range(5))


@pytest.mark.parametrize(
    ("kind", "candidates", "keep"),
    [
        ("feedback", "{from: all, to: all}", lambda i, j: i > j),
        ("feedback", '{from: all, to: all, where: "rank(from) - rank(to) <= 2"}', lambda i, j: 0 < i - j <= 2),
        ("feedback", '{from: all, to: [A0, A3], where: "from != A4 or to == A3"}', None),
        ("feedback", "[A4>A0, A2>A1]", lambda i, j: (i, j) in ((4, 0), (2, 1))),
        ("skip", "{from: all, to: all}", lambda i, j: j - i > 1),
        ("skip", '{from: all, to: all, where: "rank(to) == 4 and rank(from) > 0"}', lambda i, j: j == 4 and 0 < i < 3),
    ],
)
def test_candidates_are_the_pairs_that_the_rule_names(kind, candidates, keep):
    keep = keep or (lambda i, j: i > j and j in (0, 3) and (i != 4 or j == 3))
    rule = f"edges:\n  {kind}: {{candidates: {candidates}, each: {{via: [conv: {{kernel: 1}}]}}}}\n"
    space = space_of(AREAS + rule, time="time: {steps: 8}\n")
    wanted = {f"A{i}>A{j}" for i in range(5) for j in range(5) if keep(i, j)}
    architecture, graph = space.fill({})
    assert {edge.name for edge in graph.long_range} == wanted
    assert all((edge.source > edge.target) == (kind == "feedback") for edge in graph.long_range)
    assert parse_architecture(to_yaml(architecture), "again.yaml") == (architecture, graph)


def test_a_candidate_that_decides_what_its_conditions_exclude_is_refused():
    space = asked("local == gated")
    plain = next(each for each in draws(space) if each["local"] == "plain")
    with pytest.raises(SpecificationError, match=r"areas\.V4\.drive\[1\]: .* none has this path"):
        space.fill(plain | {V4: "elu"})


def test_numbers_with_a_step_or_a_logarithm():
    train = (
        "train: {data: digits, learning_rate: {float: [0.1, 0.5], step: 0.1}, batch_size: {int: [1, 64], log: true}}\n"
    )
    space = space_of(AREAS, time="time: {steps: 8}\n", train=train)
    rates = Counter(candidate["train.learning_rate"] for candidate in draws(space, 300))
    assert sorted(rates) == [0.1, 0.2, 0.30000000000000004, 0.4, 0.5]
    sizes = next(hole.domain for hole in space.holes if hole.path == "train.batch_size")
    whole = sum(2.718281828459045 ** sizes.log_prior(size) for size in range(1, 65))
    assert whole == pytest.approx(1)
    drawn = Counter(sizes.draw(random.Random(seed)).bit_length() for seed in range(2_000))
    expected = [
        2_000 * sum(2.718281828459045 ** sizes.log_prior(n) for n in range(1, 65) if n.bit_length() == bits)
        for bits in range(1, 8)
    ]
    assert chisquare([drawn[bits] for bits in range(1, 8)], expected).pvalue > FALSE_FAILURE_RATE
