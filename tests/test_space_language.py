import random
import textwrap

import pytest

from space.errors import SpecificationError
from space.parse import parse_architecture, parse_space
from space.space import Space

HEAD = """\
striate: 1
name: tiny
input: {channels: 1, size: 8, classes: 10}
time: {steps: 4}
"""
TRAIN = "train: {data: digits, learning_rate: 0.1}\n"
AREAS = """\
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}]}
  V2: {drive: [conv: {kernel: 3, channels: 4}]}
  V4: {drive: [conv: {kernel: 3, channels: 4}]}
"""


def space_of(body, train=TRAIN) -> Space:
    return parse_space(HEAD + textwrap.dedent(body) + train, "tiny.yaml")


def paths(space):
    return [hole.path for hole in space.holes]


def domain(space, path):
    return next(hole.domain for hole in space.holes if hole.path == path)


def refusal(body, train=TRAIN):
    with pytest.raises(SpecificationError) as caught:
        space_of(body, train)
    return str(caught.value)


TEMPLATES = """\
templates:
  link: {params: {max: 5}, body: {kernel: {int: [1, $max]}}}
  wide: {params: {most: 7, flag: {bool: 0.5}}, body: {kernel: {int: [2, $most]}, separable: $flag}}
  nested: {params: {max: 9}, body: {use: link, max: $max}}
  twice: {params: {inner: 1}, body: {gates: $inner, type: lstm}}
"""


def test_a_template_is_a_fresh_decision_at_each_use_with_defaults_and_arguments():
    space = space_of(
        TEMPLATES
        + """\
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}], cell: {type: simple, hidden: {use: link}}}
  V2: {drive: [conv: {kernel: 3, channels: 4}], cell: {type: simple, hidden: {use: link, max: 3}}}
  V4: {drive: [conv: {kernel: 3, channels: 4}], cell: {type: lstm, gates: {use: wide, flag: true}}}
"""
    )
    kernels = [
        f"areas.{area}.cell.{link}.kernel" for area, link in (("V1", "hidden"), ("V2", "hidden"), ("V4", "gates"))
    ]
    assert paths(space) == kernels
    assert [(domain(space, path).low, domain(space, path).high) for path in kernels] == [(1, 5), (1, 3), (2, 7)]
    draws = [space.sample(random.Random(seed)) for seed in range(50)]
    assert any(draw[kernels[0]] != draw[kernels[1]] for draw in draws)


def test_an_argument_may_pass_on_an_argument_or_hold_a_template():
    space = space_of(
        TEMPLATES
        + """\
  outer: {params: {top: 4}, body: {use: twice, inner: {use: nested, max: $top}}}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}], cell: {use: outer}}
  V2: {drive: [conv: {kernel: 3, channels: 4}], cell: {use: twice, inner: {use: nested}}}
  V4: {drive: [conv: {kernel: 3, channels: 4}], cell: {type: lstm, gates: {use: link}}}
"""
    )
    assert [domain(space, f"areas.{area}.cell.gates.kernel").high for area in ("V1", "V2", "V4")] == [4, 9, 5]


def test_a_template_may_stand_in_an_argument_of_itself():
    space = space_of(
        """\
        templates:
          maybe: {params: {value: 1}, body: {choice: {small: 1, other: $value}}}
        areas:
          V1: {drive: [conv: {kernel: {use: maybe, value: {use: maybe, value: 7}}, channels: 4}]}
        """
    )
    kernels = {space.fill(space.sample(random.Random(seed)))[0].areas[0].drive[0].kernel for seed in range(30)}
    assert kernels == {1, 7}


SHARED = """\
shared:
  local:
    choice:
      plain: {type: feedforward}
      gated: {type: lstm, gates: {kernel: {int: [1, 3]}, separable: {shared: apart}}}
  apart: {bool: 0.25}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4, separable: {shared: apart}}], cell: {shared: local}}
  V2: {drive: [conv: {kernel: 3, channels: 4}], cell: {shared: local}}
"""


def test_a_shared_value_is_one_decision_wherever_it_is_named():
    space = space_of(SHARED)
    assert paths(space) == ["apart", "local", "local.gates.kernel"]
    seen = set()
    for seed in range(60):
        candidate = space.sample(random.Random(seed))
        architecture, _ = space.fill(candidate)
        first, second = architecture.areas
        assert first.cell == second.cell
        if candidate["local"] == "gated":
            assert first.cell.gates.separable == first.drive[0].separable == candidate["apart"]
            assert first.cell.gates.kernel == candidate["local.gates.kernel"]
        else:
            assert "local.gates.kernel" not in candidate
        seen.add((candidate["local"], candidate["apart"]))
    assert len(seen) == 4


def test_a_hole_that_is_a_branch_of_a_choice_is_a_decision_of_its_own():
    space = space_of(
        """\
        areas:
          V1:
            drive:
              - conv:
                  kernel: {choice: {small: {int: [1, 3]}, large: {choice: {odd: {choice: [5, 7]}, six: 6}}}}
                  channels: 4
        """
    )
    path = "areas.V1.drive[0].conv.kernel"
    assert paths(space) == [path, f"{path}{{small}}", f"{path}{{large}}", f"{path}{{large}}{{odd}}"]
    kernels = set()
    for seed in range(200):
        candidate = space.sample(random.Random(seed))
        kernels.add(space.fill(candidate)[0].areas[0].drive[0].kernel)
        assert (f"{path}{{small}}" in candidate) == (candidate[path] == "small")
    assert kernels == {1, 2, 3, 5, 6, 7}


RULE = (
    AREAS
    + """\
edges:
  feedback:
    candidates: {from: [V2, V4, V4], to: [V1, V2, V4]}
    each: {include: {bool: 0.5}, via: [conv: {kernel: {choice: [1, 3]}}]}
    all: {enters: {choice: [input]}}
"""
)


def test_edge_candidates_are_decided_per_pair_and_named_by_it():
    space = space_of(RULE)
    assert paths(space) == [
        *("edges.feedback[V2>V1].include", "edges.feedback.enters", "edges.feedback[V2>V1].via[0].conv.kernel"),
        *("edges.feedback[V4>V1].include", "edges.feedback[V4>V1].via[0].conv.kernel"),
        *("edges.feedback[V4>V2].include", "edges.feedback[V4>V2].via[0].conv.kernel"),
    ]
    for seed in range(40):
        candidate = space.sample(random.Random(seed))
        _, graph = space.fill(candidate)
        wanted = [name for name in ("V2>V1", "V4>V1", "V4>V2") if candidate[f"edges.feedback[{name}].include"]]
        assert [edge.name for edge in graph.long_range] == wanted
        assert ("edges.feedback.enters" in candidate) == bool(wanted)
        for edge in graph.long_range:
            assert edge.operations[0].kernel == candidate[f"edges.feedback[{edge.name}].via[0].conv.kernel"]


def test_edges_may_share_the_decision_to_be_there():
    space = space_of(
        "shared:\n  together: {bool: 0.5}\n"
        + RULE.replace("include: {bool: 0.5}", "include: {shared: together}").replace(
            " all: {enters: {choice: [input]}}", ""
        )
    )
    counts = {len(space.fill(space.sample(random.Random(seed)))[1].long_range) for seed in range(30)}
    assert counts == {0, 3}
    assert paths(space)[0] == "together"


def test_list_items_that_become_none_are_gone():
    space = space_of("areas:\n  V1: {drive: [conv: {kernel: 3, channels: 4}, choice: [none, elu]]}\n")
    assert {space.fill(space.sample(random.Random(seed)))[0].areas[0].drive[1:] for seed in range(20)} == {(), ("elu",)}


def test_a_file_without_holes_is_a_space_with_one_member():
    space = space_of(AREAS)
    assert space.holes == ()
    assert space.sample(random.Random(0)) == {}
    assert space.log_prior({}) == 0
    assert parse_architecture(space.text, "tiny.yaml") == space.fill({})
    assert space.name == "tiny"


def test_circles_are_told_with_their_chain():
    message = refusal(
        "templates:\n  a: {body: {use: b}}\n  b: {body: {choice: {one: 1, more: {use: a}}}}\n"
        "areas:\n  V1: {drive: [conv: {kernel: {use: a}, channels: 4}]}\n"
    )
    assert "a template does not use itself, but a > b > a does; break the circle" in message
    message = refusal(
        "shared:\n  a: {choice: {one: 1, more: {shared: b}}}\n  b: {shared: a}\n"
        "areas:\n  V1: {drive: [conv: {kernel: {shared: a}, channels: 4}]}\n"
    )
    assert "a shared value does not hold itself, but a > b > a does; break the circle" in message
    message = refusal(
        "templates:\n  t: {body: {shared: s}}\nshared:\n  s: {choice: {one: 1, more: {use: t}}}\n"
        "areas:\n  V1: {drive: [conv: {kernel: {use: t}, channels: 4}]}\n"
    )
    assert "s > s does" in message
    message = refusal(
        "templates:\n  t: {params: {x: {use: t}}, body: {choice: {one: 1, more: $x}}}\n"
        "areas:\n  V1: {drive: [conv: {kernel: {use: t}, channels: 4}]}\n"
    )
    assert "t > t does" in message


@pytest.mark.parametrize("section, word", [("templates", "use"), ("shared", "shared")])
def test_what_unfolds_without_end_in_sight_is_refused(section, word):
    def body(value):
        return f"{{body: {value}}}" if section == "templates" else value

    ten = "[" + ", ".join(f"{{{word}: NAME}}" for _ in range(10)) + "]"
    wide = "".join(f"  t{i}: {body(ten.replace('NAME', f't{i - 1}'))}\n" for i in range(1, 40))
    deep = "".join(f"  t{i}: {body('[' * 50 + f'{{{word}: t{i - 1}}}' + ']' * 50)}\n" for i in range(1, 40))
    for links in (wide, deep):
        message = refusal(f"{section}:\n  t0: {body('1')}\n{links}areas:\n  V1: {{drive: {{{word}: t39}}}}\n")
        assert "a space unfolds into at most 25,000 values and parts of conditions, 128 deep" in message


def test_a_hundred_levels_of_choices_unfold():
    def chain(inner):
        return "{choice: {a: " * 25 + inner + "}}" * 25

    templates = "".join(f"  t{i}: {{body: {chain(f'{{use: t{i - 1}}}' if i else '3')}}}\n" for i in range(4))
    space = space_of(f"templates:\n{templates}areas:\n  V1: {{drive: [conv: {{kernel: {{use: t3}}, channels: 4}}]}}\n")
    assert len(space.holes) == len(space.sample(random.Random(0))) == 100
    assert space.fill(space.sample(random.Random(0)))[0].areas[0].drive[0].kernel == 3


def test_rules_for_thousands_of_edges_unfold():
    names = [f"A{i}" for i in range(70)]
    areas = "".join(f"  {name}: {{drive: [conv: {{kernel: 3, channels: 4}}]}}\n" for name in names)
    ends = f"candidates: {{from: [{', '.join(names)}], to: [{', '.join(names)}]}}"
    each = "each: {include: {bool: 0.5}, via: [conv: {kernel: 1}]}"
    text = HEAD.replace("steps: 4", "steps: 71") + f"areas:\n{areas}edges:\n  feedback:\n    {ends}\n    {each}\n"
    assert len(parse_space(text + TRAIN, "tiny.yaml").holes) == 70 * 69 // 2


def test_what_is_wrong_in_a_template_is_told_once_where_it_stands():
    message = refusal(
        "templates:\n  link: {body: {kernel: {int: [1, 99]}}}\n"
        "areas:\n"
        "  V1: {drive: [conv: {kernel: 3, channels: 4}], cell: {type: simple, hidden: {use: link}}}\n"
        "  V2: {drive: [conv: {kernel: 3, channels: 4}], cell: {type: simple, hidden: {use: link}}}\n"
    )
    assert message == (
        "tiny.yaml:6:25: areas.V1.cell.hidden.kernel: this is a whole number from 1 to 63, but 99 was given; "
        "give one in that range"
    )


def test_unfolding_and_checking_tell_their_errors_together_in_file_order():
    message = refusal(
        "areas:\n"
        "  V1: {drive: [conv: {kernel: 0, channels: {choice: []}}]}\n"
        "  V2: {drive: [conv: {kernel: {use: lnik}, channels: 4, strides: 2}]}\n",
        train="train: {data: digits, learning_rate: {float: [1, 0]}, epochs: none}\n",
    )
    assert [line.split(": ")[1] for line in message.splitlines()] == [
        "areas.V1.drive[0].conv.kernel",
        "areas.V1.drive[0].conv.channels",
        "areas.V2.drive[0].conv.kernel",
        "areas.V2.drive[0].conv.strides",
        "train.learning_rate",
        "train.epochs",
    ]


def test_a_candidate_of_another_space_is_refused_by_path():
    space = space_of(RULE)
    candidate = space.sample(random.Random(1))
    del candidate["edges.feedback[V4>V1].include"]
    with pytest.raises(SpecificationError) as caught:
        space.fill(candidate | {"edges.feedback[V2>V1].include": 1})
    told = {problem.path: problem.message for problem in caught.value.problems}
    assert "one of true, false, but 1 was given" in told["edges.feedback[V2>V1].include"]
    assert "but nothing was given" in told["edges.feedback[V4>V1].include"]
    with pytest.raises(SpecificationError, match=r"V9>V1\].include: .* none has this path; did you mean '.*V.>V1\]"):
        space.fill(space.sample(random.Random(1)) | {"edges.feedback[V9>V1].include": True})


def test_an_architecture_has_no_holes():
    with pytest.raises(SpecificationError, match=r"tiny\.yaml:4:15: time\.steps: an architecture has no holes"):
        parse_architecture(HEAD.replace("4}", "{int: [4, 6]}}") + AREAS + TRAIN, "tiny.yaml")
