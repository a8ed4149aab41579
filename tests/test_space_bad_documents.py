"""What is told about documents that break rules, word by word and place by place."""

import re
from pathlib import Path

import pytest
import yaml

from space.errors import SpecificationError, UsageError
from space.parse import find, parse_space

GOLDEN = yaml.safe_load((Path(__file__).parent / "golden" / "bad_documents.yaml").read_text(encoding="utf-8"))


def document(name):
    bad = GOLDEN["bad"][name]
    text = bad.get("document", GOLDEN["base"])
    for old, new in bad.get("replace", ()):
        assert old in text
        text = text.replace(old, new)
    return text


def told(name):
    with pytest.raises(SpecificationError) as caught:
        parse_space(document(name), "tiny.yaml")
    return str(caught.value).split("\n")


def test_the_base_document_is_a_space():
    assert parse_space(GOLDEN["base"], "tiny.yaml").name == "tiny"


@pytest.mark.parametrize("name", GOLDEN["bad"])
def test_a_bad_document_is_told_exactly(name):
    assert told(name) == GOLDEN["bad"][name]["told"]


@pytest.mark.parametrize("name", GOLDEN["bad"])
def test_a_message_is_one_sentence_with_a_way_out(name):
    places = []
    for line in GOLDEN["bad"][name]["told"]:
        place = re.match(r"tiny\.yaml:(\d+):(\d+): ", line)
        places.append((int(place[1]), int(place[2])))
        assert "; " in line
        assert not line.endswith(".")
        assert "Traceback" not in line
    assert places == sorted(places)  # in file order


def test_a_missing_file_is_told_in_one_sentence():
    with pytest.raises(UsageError) as caught:
        find("nowhere/space.yaml")
    assert (
        str(caught.value)
        == "nowhere/space.yaml cannot be read: No such file or directory; give the path of a YAML file"
    )
    assert caught.value.exit_status == 2


def test_an_unknown_name_is_told_with_its_nearest_one():
    with pytest.raises(UsageError) as caught:
        find("digit")
    assert str(caught.value) == "there is no file and no shipped space 'digit'; did you mean 'digits'?"
