import math

import pytest

from space.errors import Problems, UsageError
from space.parse import find
from space.reader import MAX_DEPTH, read
from space.tree import Mapping, Scalar, Sequence


def read_value(text):
    problems = Problems()
    node = read(f"key: {text}\n", "file.yaml", problems)
    assert not problems.found
    return node.entries["key"].value


def refusals(text):
    problems = Problems()
    read(text, "file.yaml", problems)
    return [(f"{each.mark.line}:{each.mark.column}", each.message) for each in problems.found]


# YAML 1.2.2, section 10.3.2 (core schema), and what YAML 1.1 would have made of the same words.
CORE_SCHEMA = {
    "1e-4": 1e-4,
    "1E3": 1e3,
    "1.5e+3": 1500.0,
    "-.5": -0.5,
    "+12.": 12.0,
    "0.0": 0.0,
    "12": 12,
    "+12": 12,
    "-19": -19,
    "010": 10,  # 8 in YAML 1.1
    "0o17": 15,
    "0xFf": 255,
    "-0x10": "-0x10",
    "0b11": "0b11",
    "1_000": "1_000",  # 1000 in YAML 1.1
    "1:30": "1:30",  # 90 in YAML 1.1
    "2018-11-01": "2018-11-01",  # a date in YAML 1.1
    ".inf": math.inf,
    "-.INF": -math.inf,
    "+.Inf": math.inf,
    "inf": "inf",
    "true": True,
    "True": True,
    "FALSE": False,
    "tRUE": "tRUE",
    "no": "no",  # false in YAML 1.1
    "yes": "yes",
    "on": "on",
    "off": "off",
    "y": "y",
    "~": None,
    "null": None,
    "": None,
    "none": "none",
    "'12'": "12",
    '"true"': "true",
    "'~'": "~",
    "e5": "e5",
    ".": ".",
    "1.2.3": "1.2.3",
    "９": "９",  # a full-width digit is no digit
    "9" * 41: "9" * 41,  # longer than any number of the language
}


@pytest.mark.parametrize("text", CORE_SCHEMA)
def test_plain_scalars_follow_yaml_1_2(text):
    value = read_value(text)
    assert value == CORE_SCHEMA[text]
    assert type(value) is type(CORE_SCHEMA[text])


def test_not_a_number_reads_as_such():
    assert math.isnan(read_value(".nan"))


def test_every_value_remembers_where_it_stands():
    node = read("# a comment\na: 1\nb:\n  - x\n  - {c: [2,\n     three]}\n", "file.yaml", Problems())
    assert isinstance(node, Mapping)
    assert str(node.mark) == "file.yaml:2:1"
    assert str(node.key_marks["b"]) == "file.yaml:3:1"
    items = node.entries["b"]
    assert isinstance(items, Sequence)
    assert [str(item.mark) for item in items.items] == ["file.yaml:4:5", "file.yaml:5:5"]
    inner = items.items[1].entries["c"]
    assert [(item.value, item.mark.line, item.mark.column) for item in inner.items] == [(2, 5, 10), ("three", 6, 6)]


def test_columns_count_characters_and_lines_end_in_every_way():
    node = read("é: {😀: 1}\r\nb: 2\r\n", "file.yaml", Problems())
    assert str(node.entries["é"].entries["😀"].mark) == "file.yaml:1:8"
    assert str(node.key_marks["b"]) == "file.yaml:2:1"


def test_duplicate_keys_are_told_with_both_places_and_reading_goes_on():
    text = "a: 1\nb: {c: 1, d: 2, c: 3}\na: 2\n"
    assert refusals(text) == [
        ("2:17", "a key stands once, but 'c' stands at file.yaml:2:5 too; take one away"),
        ("3:1", "a key stands once, but 'a' stands at file.yaml:1:1 too; take one away"),
    ]


def test_keys_are_words_whatever_they_look_like():
    node = read("1: a\n1.0: b\ntrue: c\n~: d\n", "file.yaml", Problems())
    assert list(node.entries) == ["1", "1.0", "true", "~"]


REFUSED = {
    "anchor": ("a: 1\nb: &x 2\n", "2:4", "anchors and aliases are not read"),
    "alias": ("a: *x\n", "1:4", "anchors and aliases are not read"),
    "anchored mapping": ("a: &x\n  b: 1\n", "1:4", "anchors and aliases are not read"),
    "tag": ("a: !!python/object/apply:os.system [x]\n", "1:4", "YAML tags are not read"),
    "tagged scalar": ("a: !!str 1\n", "1:4", "YAML tags are not read"),
    "bare tag": ("a: ! 1\n", "1:4", "YAML tags are not read"),
    "two documents": ("a: 1\n---\nb: 2\n", "2:1", "a file holds one document"),
    "empty": ("", "1:1", "a file holds a document, but this one is empty"),
    "only a comment": ("# nothing\n", "1:1", "a file holds a document, but this one is empty"),
    "complex key": ("a: 1\n[b, c]: 2\n", "2:1", "a key is a word"),
    "NUL": ("a: 1\nb: x\x00y\n", "2:5", "a file is text, but character U+0000"),
    "control character": ("a: \x1b[31m\n", "1:4", "a file is text, but character U+001B"),
    "half of a character": ("a: \ud800\n", "1:4", "a file is text, but character U+D800"),
    "NUL after every line break": ("a\n: \r\n\x85\u2028\x00", "5:1", "a file is text, but character U+0000"),
    "tab as indent": ("a:\n\tb: 1\n", "2:1", "indent with spaces"),
    "unclosed list": ("a: [1, 2\n", "2:1", "this is not YAML"),
    "two values": ("a: b: c\n", "1:5", "this is not YAML"),
    "impossible escape": ('a: 1\nb: "\\UFFFFFFFF"\n', "2:5", "this is not YAML"),
    "escape past Unicode": ('b: "\\U00110000"\n', "1:5", "this is not YAML"),
    "another YAML": ("%YAML 2.0\n---\na: 1\n", "1:1", "this is not YAML"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_says_something_else_than_it_seems_is_refused_where_it_stands(name):
    text, place, sentence = REFUSED[name]
    ((found_place, message),) = refusals(text)
    assert found_place == place
    assert sentence in message


def test_depth_is_bounded():
    def nested(depth):
        return "[" * depth + "]" * depth

    assert refusals(nested(MAX_DEPTH)) == []
    ((place, message),) = refusals(nested(MAX_DEPTH + 1))
    assert place == f"1:{MAX_DEPTH + 1}"
    assert "nest at most 64 deep" in message
    assert refusals("[" * 100_000)[0][0] == place  # no recursion error, long before the end of the text
    assert "deep" in refusals("".join(f"{' ' * depth}a:\n" for depth in range(100)))[0][1]


def test_length_is_bounded():
    ((place, message),) = refusals("#" * 4_000_001)
    assert place == "1:1"
    assert "4,000,001" in message


def test_a_file_that_is_not_text_is_named(tmp_path):
    path = tmp_path / "garbage.yaml"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(UsageError, match=r"garbage\.yaml cannot be read: it is not text in UTF-8"):
        find(str(path))


def test_a_directory_and_an_impossible_name_are_refused(tmp_path):
    with pytest.raises(UsageError, match="is a folder; give the path of a YAML file in it"):
        find(str(tmp_path))
    with pytest.raises(UsageError, match="cannot be read"):
        find("nul\0.yaml")


def test_quoted_words_are_never_resolved():
    node = read("a: ['no', \"1e-4\", plain]", "file.yaml", Problems())
    assert [item.value for item in node.entries["a"].items] == ["no", "1e-4", "plain"]
    assert all(isinstance(item, Scalar) for item in node.entries["a"].items)
