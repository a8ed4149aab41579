"""Whatever a file holds, it parses, or every broken rule is told with its place; no other exception leaves."""

import random
import re
import string

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_documents import document

from space.errors import SpecificationError
from space.parse import LIBRARY, parse_space

TEXTS = [path.read_text(encoding="utf-8") for path in sorted(LIBRARY.rglob("*.yaml"))]
SCALARS = [
    *(
        "0",
        "-1",
        "1e400",
        "-.inf",
        ".nan",
        "true",
        "no",
        "none",
        "~",
        "''",
        "5e-324",
        "1.7e308",
        "9" * 39,
        "9" * 60,
        "$max",
    ),
    *("[]", "{}", "[[]]", "{choice: []}", "{choice: {a: 1, b: {choice: [2, 3]}}}", "{bool: 1}", "{int: [2, 1]}"),
    *("{float: [0, 1], log: true}", "{use: link}", "{shared: local}", "{use: nothing}", "{int: [0, 99999999999]}"),
    *(
        "&a",
        "*a",
        "!!python/object:os.system",
        "<<: x",
        "\t",
        '"\\UFFFFFFFF"',
        '"\\ud800"',
        "? [a]",
        "- a",
        "|",
        ">",
        "%YAML 9.9",
    ),
    *(
        "{int: [0, 3], log: true}",
        '{choice: [1, 3], when: "q == a"}',
        "{int: [1, 3], when: present(local)}",
        "{when: x}",
    ),
    *("count(feedback) in [1, 2]", "'forall(feedback, exists(areas, size > 0))'", "'rank(V4) > rank(V1)'", "all"),
    *('[{name: a, require: "params() < 1e9"}]', '"a * (b"', "'1 / 0 == 1'", "{let: {a: {float: [0, 1]}}}", "[V4>V1]"),
    *("---", "...", "\u2028", "\x85", "\ufeff", "\x00", "é", "😀", "{choice: [none, {use: link}]}", "{a: 1, a: 2}"),
]
TOKEN = re.compile(r"[A-Za-z0-9_.]+|[^\sA-Za-z0-9_.]")


def mutate(text: str, rng: random.Random) -> str:
    """One to three random edits of a text."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        lines = text.splitlines(keepends=True) or [""]
        tokens = list(TOKEN.finditer(text)) or [re.match("", text)]
        first, second = sorted(rng.choices(tokens, k=2), key=lambda token: token.start())
        place = rng.randrange(len(lines))
        match rng.randrange(8):
            case 0:  # a flipped bit of a byte
                raw = bytearray(text.encode("utf-8", "surrogatepass") or b" ")
                raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
                text = raw.decode("utf-8", "replace")
            case 1:
                text = "".join(lines[:place] + lines[place + 1 :])
            case 2:
                text = "".join([*lines[:place], lines[place], *lines[place:]])
            case 3:
                rng.shuffle(lines) if rng.random() < 0.1 else lines.insert(rng.randrange(len(lines)), lines.pop(place))
                text = "".join(lines)
            case 4 if first.end() <= second.start():
                middle = text[first.end() : second.start()]
                text = text[: first.start()] + second[0] + middle + first[0] + text[second.end() :]
            case 5:
                text = text[: first.start()] + rng.choice(SCALARS) + text[first.end() :]
            case 6:
                text = text[: first.start()] + rng.choice(tokens)[0] + text[first.end() :]
            case _:
                text = text[: first.start()] + rng.choice(string.printable) + text[first.start() :]
    return text


def parses_or_tells(text: str) -> bool:
    """Whether a text is a space; fails if it is refused otherwise than by located sentences.

    A space is refused where the draws that are tried do not fit together; one of others may still not, and is told.
    """
    try:
        space = parse_space(text, "fuzzed.yaml")
    except SpecificationError as error:
        assert_located(error, text)
        return False
    try:
        candidate = space.sample(random.Random(0), tries=10)
        space.fill(candidate)
    except SpecificationError as error:
        assert_located(error, text)
        return True
    assert space.log_prior(candidate) > -1e6
    return True


def assert_located(error: SpecificationError, text: str) -> None:
    """Every problem has a place in the text and a sentence."""
    assert error.problems
    lines = max(1, len(re.split("\r\n|[\r\n\x85\u2028\u2029]", text)))
    for problem in error.problems:
        assert problem.mark.file == "fuzzed.yaml"
        assert 1 <= problem.mark.line <= lines
        assert problem.mark.column >= 1
        assert problem.message
        assert str(problem).isprintable()


def broken(rng: random.Random) -> str:
    """A mutant of a shipped file, or a random document, or a mutant of one."""
    kind = rng.randrange(4)
    text = document(rng) if kind < 2 else rng.choice(TEXTS)
    return mutate(text, rng) if kind else text


def mutants_parse_or_tell(count: int, seed: int) -> int:
    """How many of `count` seeded mutants are still spaces."""
    rng = random.Random(seed)
    return sum(parses_or_tells(broken(rng)) for _ in range(count))


@pytest.mark.parametrize("count", [400, pytest.param(2_000, marks=pytest.mark.long)])
def test_mutated_files_parse_or_are_refused_with_places(count):
    still_spaces = mutants_parse_or_tell(count, seed=20_180)
    # Both sides are exercised: about a sixth remain spaces.
    assert count / 20 < still_spaces < count * 19 / 20


KEYS = st.sampled_from(
    [
        *("striate", "name", "input", "time", "areas", "edges", "readout", "train", "templates", "shared", "choice"),
        *("int", "float", "bool", "use", "body", "params", "weights", "log", "from", "to", "via", "each", "all"),
        *("candidates", "include", "feedback", "drive", "cell", "post", "type", "conv", "kernel", "V1", "V2", "link"),
        *("when", "let", "constraints", "require", "skip", "where", "step", "enters", "steps", "channels", "hidden"),
        *("q == a", "params() > 3", "forall(feedback, from == V2)", "present(V1)", "not (1 < 2", "rank(from) > 0"),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | KEYS | st.just("$max")
VALUES: st.SearchStrategy = st.deferred(
    lambda: LEAVES | LEAVES | st.lists(VALUES, max_size=3) | st.dictionaries(KEYS, VALUES, max_size=4)
)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_mapping_parses_or_is_refused_with_places(document):
    parses_or_tells(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=60) | st.text(alphabet="ab: -[]{},'\"\n\t#&*!|>%@`?~$", max_size=60))
def test_any_text_parses_or_is_refused_with_places(text):
    parses_or_tells(text)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(range(len(TEXTS))), st.randoms(use_true_random=False), VALUES)
def test_any_value_anywhere_in_a_shipped_file_parses_or_is_refused_with_places(index, rng, value):
    document = yaml.safe_load(TEXTS[index])
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = rng.choice(keys)
        if not isinstance(node[key], dict | list) or not node[key] or rng.random() < 0.3:
            break
        node = node[key]
    node[key] = value
    parses_or_tells(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["V1.", "'V1]'", "'V1}'", "'V1['", "'V{1'", "'.'", '"V1\\n"'])
def test_a_condition_inside_what_no_name_can_be_is_read_to_its_end(name):
    text = f"""
striate: 1
name: odd
input: {{channels: 1, size: 8, classes: 10}}
time: {{steps: 3}}
let: {{q: {{choice: [a, b]}}}}
areas:
  {name}: {{drive: [conv: {{kernel: 3, channels: 4}}, {{choice: [elu, relu], when: "absent(q) and nowhere"}}]}}
edges: {{forward: chain}}
train: {{data: digits, learning_rate: 0.1}}
"""
    assert not parses_or_tells(text)
