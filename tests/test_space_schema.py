"""The JSON Schema of the language, under a real validator."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from space.errors import Problems, SpecificationError
from space.parse import LIBRARY, find, parse_space, to_yaml
from space.reader import read
from space.schema import schema, schema_text
from space.tree import Mapping, Node, Scalar, Sequence

ROOT = Path(__file__).parent.parent
VALIDATOR = jsonschema.Draft202012Validator(schema())
GOLDEN = yaml.safe_load((ROOT / "tests" / "golden" / "bad_documents.yaml").read_text(encoding="utf-8"))
SHIPPED = {path.stem: path for path in [*LIBRARY.rglob("*.yaml"), *(ROOT / "tests" / "spaces").glob("*.yaml")]}
# Rules about one value alone, which a schema can state; a `null` is refused like another value of the wrong kind.
STRUCTURAL = (
    r"is not a key here|the key `\w+` is missing|: this is |is a name|there is no operation|an operation is"
    r"|has keys, but|beside `\w+` stands|`choice` (is given|has at least)|`bool` is given|the bounds of `int` are whole"
)
# … unless what is wrong stands in a shared value, which may be anything, or is which bound is the lower, or that
# 3.0 is a real number: it is a whole one in JSON.
UNSEEN = r"areas\.V[24]\.cell|the lower one first|\d\.0 was given"


def plain(node: Node | None) -> Any:
    """What a document holds, as JSON has it."""
    match node:
        case Scalar(value=value):
            return value
        case Sequence(items):
            return [plain(item) for item in items]
        case Mapping(entries):
            return {key: plain(value) for key, value in entries.items()}
    raise AssertionError(f"a document that was just read holds {node}")


def accepts(text: str) -> bool:
    problems = Problems()
    root = read(text, "document.yaml", problems)
    problems.raise_if_any()
    return VALIDATOR.is_valid(plain(root))


def bad_document(name: str) -> str:
    bad = GOLDEN["bad"][name]
    text = bad.get("document", GOLDEN["base"])
    for old, new in bad.get("replace", ()):
        text = text.replace(old, new)
    return str(text)


def test_the_shipped_schema_is_the_language_as_it_is() -> None:
    assert (LIBRARY / "schema.json").read_text(encoding="utf-8") == schema_text(), "write it again with `make docs`"


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    references = re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema()))
    assert set(references) == set(schema()["$defs"])


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_shipped_documents_are_accepted(name: str) -> None:
    text = SHIPPED[name].read_text(encoding="utf-8")
    assert [error.message for error in VALIDATOR.iter_errors(plain(read(text, name, Problems())))] == []


@pytest.mark.parametrize("file", ["docs/language.md", "README.md"])
def test_documented_examples_are_accepted(file: str) -> None:
    for example in re.findall(r"```yaml\n(.*?)```", (ROOT / file).read_text(encoding="utf-8"), flags=re.DOTALL):
        assert accepts(example), example


@pytest.mark.parametrize("name", GOLDEN["bad"])
def test_what_is_wrong_with_one_value_alone_is_refused(name: str) -> None:
    told = GOLDEN["bad"][name]["told"]
    try:
        is_accepted = accepts(bad_document(name))
    except SpecificationError:
        return  # it is not a document at all
    if any(re.search(STRUCTURAL, line) and not re.search(UNSEEN, line) for line in told):
        assert not is_accepted, told


def test_a_quarter_and_more_of_what_is_refused_is_refused_by_the_schema() -> None:
    refused = 0
    for name in GOLDEN["bad"]:
        try:
            refused += not accepts(bad_document(name))
        except SpecificationError:
            refused += 1
    assert refused > len(GOLDEN["bad"]) / 4


@pytest.mark.parametrize("name", ["digits", "fashion"])
def test_architectures_of_a_space_are_accepted(name: str) -> None:
    space = parse_space(*find(name))
    for seed in range(5):
        assert accepts(to_yaml(space.fill(space.sample(random.Random(seed)))[0]))
