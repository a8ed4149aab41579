"""What is told about documents that break rules, word by word and place by place."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from space.errors import SpecificationError, UsageError, did_you_mean
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


def test_capitals_do_not_hide_what_was_meant():
    with pytest.raises(UsageError, match=r"'CORnet-RT'; did you mean 'cornet-rt'\?$"):
        find("CORnet-RT")
    assert did_you_mean("STEPS", ["steps", "stops"]) == "did you mean 'steps'?"
    assert did_you_mean("v1", ["V2", "V1"]) == "did you mean 'V1'?"


def test_a_name_like_no_other_is_told_with_a_few_and_the_command_that_lists_all():
    with pytest.raises(UsageError) as caught:
        find("qqq")
    told, _, names = str(caught.value).partition("; the nearest are ")
    assert told == "there is no file and no shipped space 'qqq'"
    assert names.endswith("; `striate space list` names all")
    assert len(names.split(", ")) == 8


def test_what_is_no_regular_file_is_read_where_it_can_be(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        written = pool.submit(pipe.write_text, "striate: 1")
        assert find(str(pipe)) == ("striate: 1", str(pipe))
        assert written.result() == 10


def test_a_folder_is_told_from_a_file_that_is_missing(tmp_path):
    with pytest.raises(UsageError) as caught:
        find(str(tmp_path))
    rule = f"a space is one file, but {tmp_path} is a folder; give the path of a YAML file in it"
    assert str(caught.value) == rule


@pytest.mark.parametrize("name", ["x" * 5_000, "a\0b", ""])
def test_a_name_that_no_file_can_have_is_refused_in_a_sentence(name):
    with pytest.raises(UsageError):
        find(name)
