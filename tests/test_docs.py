"""The documents say what is: commands run, examples parse, the command line's page is its help."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
import shlex
from pathlib import Path

import pytest
from conftest import Striate

from space.parse import LIBRARY, find, parse_architecture, parse_space

ROOT = Path(__file__).parent.parent


def blocks(file: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / file).read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("file", ["README.md", "docs/language.md"])
def test_examples_are_of_the_language(file: str) -> None:
    examples = blocks(file, "yaml")
    assert examples
    for example in examples:
        parse_space(example, file)


def test_the_example_of_another_package_is_imported(striate: Striate, tmp_path: Path) -> None:
    (example,) = blocks("docs/language.md", "json")
    (tmp_path / "network.json").write_text(example)
    assert striate("import", "network.json", "-o", "network.yaml").returncode == 0
    architecture, graph = parse_architecture(*find(str(tmp_path / "network.yaml")))
    assert [area.name for area in architecture.areas] == ["V1"]
    assert graph.parameter_count == (9 * 3 * 16 + 16) + (16 * 16 * 16 * 10 + 10)


def test_shipped_spaces_are_right() -> None:
    names = [path.stem for path in LIBRARY.rglob("*.yaml")]
    assert {"digits", "fashion"} <= set(names)
    assert len(set(names)) == len(names)
    for name in names:
        assert parse_space(*find(name)).name == name


def test_the_page_of_the_command_line_is_its_help() -> None:
    written = runpy.run_path(str(ROOT / "docs" / "write_cli.py"))
    assert (ROOT / "docs" / "cli.md").read_text() == written["page"](), "write it again with `make docs`"


def test_commands_of_the_readme_run(striate: Striate) -> None:
    (commands,) = [block for block in blocks("README.md", "bash") if "striate" in block]
    lines = [shlex.split(line, comments=True) for line in commands.splitlines()]
    run = [line[1:] for line in lines if line[0] == "striate" and line[1] != "ui"]  # the UI has a test of its own
    assert [line[0] for line in run] == ["launch", "status", "export", "describe", "train", "train", "trials"]
    for line in run:
        done = striate(*["3" if word == "40" else word for word in line])
        assert done.returncode == 0, (line, done.stdout, done.stderr)


def test_the_readme_shows_what_a_search_prints() -> None:
    (printed,) = [block for block in blocks("README.md", "text") if block.startswith("Search digits-1")]
    for line in ("40/40 trials  best top-1", "Best architecture: ", "Record: ", "MLflow UI: "):
        assert line in printed


def test_no_other_package_owns_our_names() -> None:
    ours = {"space", "cells", "trainers", "search", "dashboards"}
    owners = importlib.metadata.packages_distributions()
    assert {name: set(owners.get(name, ["striate"])) for name in ours} == {name: {"striate"} for name in ours}
