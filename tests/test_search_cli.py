"""What a user can do wrong: one sentence, exit 1 or 2, no traceback, and nothing left behind."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from conftest import TINY, Striate

from space.parse import LIBRARY, find, parse_space


def edited(old: str, new: str) -> str:
    text = TINY.read_text()
    assert old in text
    return text.replace(old, new)


BAD_SPACES = {
    "not-yaml": (edited("name: tiny", "name: [tiny"), "bad.yaml:4:6: this is not YAML"),
    "unknown-key": (
        edited("time: {steps: 4}", "time: {stepz: 4}"),
        "time.stepz: 'stepz' is not a key here; did you mean 'steps'?",
    ),
    "kernel-of-0": (
        edited("conv: {kernel: 3, channels: 6}", "conv: {kernel: 0, channels: 6}"),
        "from 1 to 63, but 0 was given",
    ),
    "unknown-area": (edited("from: [V2, V4]", "from: [V2, V5]"), "there is no area 'V5'"),
    "unknown-data": (edited("data: digits", "data: digit"), "there is no data set 'digit'; did you mean 'digits'?"),
    "other-data": (edited("size: 8", "size: 28"), "the input is that of the data"),
    "frames": (
        edited("time: {steps: 4}", "time: {steps: 4, stimulus: {frames: true}}"),
        "but digits has single images; take `frames` away",
    ),
}


@pytest.mark.parametrize("name", BAD_SPACES)
def test_a_bad_space_is_refused_where_it_is_bad(name: str, striate: Striate, tmp_path: Path) -> None:
    text, sentence = BAD_SPACES[name]
    (tmp_path / "bad.yaml").write_text(text)
    done = striate("launch", "bad.yaml", "--trials", 5)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stderr.startswith("Error: bad.yaml:")
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"], "nothing is left behind"


BAD_DATA = {
    "unknown": ("data: digits", "data: digit", r"train\.data: there is no data set 'digit'; did you mean 'digits'\?"),
    "frames": (
        "time: {steps: 8}",
        "time: {steps: 8, stimulus: {frames: true}}",
        r"time\.stimulus\.frames: .* digits has single images; take `frames` away",
    ),
    "input": ("size: 8", "size: 9", r"input: the input is that of the data: digits needs .*"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_train_refuses_data_where_the_file_names_it(name: str, striate: Striate, tmp_path: Path) -> None:
    old, new, sentence = BAD_DATA[name]
    text = (LIBRARY / "zoo" / "digits-rgc.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "bad.yaml").write_text(text.replace(old, new), encoding="utf-8")
    done = striate("train", "bad.yaml")
    assert done.returncode == 1
    assert re.fullmatch(rf"Error: bad\.yaml:\d+:\d+: {sentence}\n", done.stderr)


def test_the_version_is_that_of_the_package(striate: Striate) -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert striate("--version").stdout == f"striate {project['version']}\n"


USAGE = {
    "no-file": (("launch", "nowhere.yaml"), "nowhere.yaml cannot be read: No such file or directory"),
    "no-shipped-space": (("launch", "digit"), "no shipped space 'digit'; did you mean 'digits'?"),
    "space-and-resume": (
        ("launch", "digits", "--resume", "digits-1"),
        "but digits was given beside --resume digits-1; take one of them away",
    ),
    "sampler-and-resume": (
        ("launch", "--resume", "digits-1", "--sampler", "random"),
        "--sampler was given; take it away",
    ),
    "neither": (("launch",), "but neither was given; begin with `striate launch digits`"),
    "no-search": (("launch", "--resume", "digits-1"), "there is no search 'digits-1', nor any other, in the folder /"),
    "no-searches": (("status",), "begin one with `striate launch digits`"),
    "sampler": (("launch", "digits", "--sampler", "hyperop"), "did you mean 'hyperopt'?"),
    "name": (("launch", "digits", "--name", "../up"), "a search's name is a letter"),
    "trials": (("launch", "digits", "--trials", "0"), "--trials"),
    "option": (("launch", "digits", "--trails", "3"), "--trails"),
    "gpus": (("launch", "digits", "--gpus", "99"), "--gpus 99 was given and"),
    "describe-nothing": (("describe", "digits-rgd"), "did you mean 'digits-rgc'?"),
}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_exits_2(name: str, striate: Striate, tmp_path: Path) -> None:
    arguments, sentence = USAGE[name]
    done = striate(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_missing_data_names_the_command_that_gets_it(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = striate("launch", "fashion", "--data-dir", "empty")
    assert done.returncode == 1
    assert "apt-get install dataset-fashion-mnist" in done.stderr
    assert not (tmp_path / "searches").exists()


def test_an_output_that_cannot_be_written(striate: Striate, tmp_path: Path, finished: tuple[Path, str]) -> None:
    (tmp_path / "file").touch()
    done = striate("launch", "digits", "--home", "file/searches")
    assert done.returncode == 1
    assert "file/searches/digits-1 cannot be written" in done.stderr
    home = finished[0] / "searches"
    done = striate("export", "--home", home, "-o", "no/such/folder/best.yaml")
    assert done.returncode == 1
    assert "no/such/folder/best.yaml cannot be written: No such file or directory" in done.stderr
    done = striate("export", "--home", home, "--trial", 99)
    assert done.returncode == 2
    assert "the trials 1 to 12, not 99" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_space_is_no_architecture(striate: Striate) -> None:
    done = striate("describe", "digits")
    assert done.returncode == 1
    assert "an architecture has no holes" in done.stderr


def test_check_says_that_a_space_is_right(striate: Striate) -> None:
    for name in ("digits", "fashion", "digits-rgc", TINY):
        done = striate("space", "check", name)
        assert done.returncode == 0, done.stderr
        assert "is right" in done.stdout


def test_check_warns_of_edges_that_the_steps_are_too_short_for(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(TINY.read_text())  # three areas and four steps: no feedback brings the image
    done = striate("space", "check", "short.yaml")
    assert done.returncode == 0
    for edge in ("V2>V1", "V4>V1", "V4>V2"):
        assert any(line.startswith("Warning: ") and edge in line for line in done.stdout.splitlines())


@pytest.mark.parametrize(("right", "wrong", "said"), [
    ("data: digits", "data: digitz", "train.data: there is no data set 'digitz'; did you mean 'digits'?"),
    ("size: 8", "size: 9", "input: the input is that of the data"),
])  # fmt: skip
def test_check_warns_of_data_that_a_launch_would_refuse(
    right: str, wrong: str, said: str, striate: Striate, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(TINY.read_text().replace(right, wrong))
    done = striate("space", "check", "mine.yaml")
    assert done.returncode == 0 and "is right" in done.stdout
    told = " ".join(done.stdout.split())
    assert "Warning: `launch` would refuse it here: mine.yaml:" in told and said in told
    warnings = json.loads(striate("space", "check", "mine.yaml", "--json").stdout)["warnings"]
    assert said in warnings[-1]


@pytest.mark.long
def test_trials_that_fail_are_counted_and_the_search_ends_well(striate: Striate, tmp_path: Path) -> None:
    # A convolution of 65,536 × 65,536 channels fits the language, and no memory.
    small, wide = "conv: {kernel: 3, channels: 6}", "conv: {kernel: 63, channels: 65536}"
    huge = f"drive: {{choice: {{small: [{small}], huge: [{wide}, {wide}]}}}}"
    (tmp_path / "huge.yaml").write_text(edited("drive: [conv: {kernel: 3, channels: 6}]", huge))
    done = striate("launch", "huge.yaml", "--trials", 6, "--sampler", "random", "--slots", 2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "6 of 6 trials ended" in done.stdout
    assert "0 failed" not in done.stdout
    assert "0 complete" not in done.stdout
    failures = json.loads(striate("status", "--json").stdout)["failures"]
    assert failures
    assert all("memory" in failure["reason"] for failure in failures)


def test_a_launch_of_an_architecture_says_that_nothing_is_open(striate: Striate) -> None:
    done = striate("launch", "digits-feedforward", "--trials", 5)
    assert done.returncode == 0, done.stderr
    first = "digits-feedforward leaves nothing open, so it is one trial; `striate replicate` repeats it."
    assert done.stdout.splitlines()[0] == first


def test_the_list_names_every_shipped_file_and_what_kind_it_is(striate: Striate) -> None:
    told = json.loads(striate("space", "list", "--json").stdout)
    kinds = {each["name"]: each["kind"] for each in told}
    assert set(kinds) == {path.stem for path in LIBRARY.rglob("*.yaml")}
    for name, kind in kinds.items():
        assert kind == ("space" if parse_space(*find(name)).holes else "architecture"), name
    titles = {each["name"]: each["title"] for each in told}
    assert titles["cornet-rt"] == "CORnet-RT of Kubilius et al. 2018 (bioRxiv 408385; public code)"
    assert all(titles.values())
    table = striate("space", "list").stdout
    assert all(name in table for name in kinds)
