"""What `striate describe` tells, against counts by hand and what fits a terminal."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from conftest import STRIATE, Striate

from space.parse import LIBRARY

ZOO = sorted(path.stem for path in (LIBRARY / "zoo").glob("*.yaml"))

EVERYTHING = """
striate: 1
name: everything
input: {channels: 1, size: 8, classes: 10}
time: {steps: 6, unroll: sweep, stimulus: {shown: 2, after: 0.5}}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}, norm: {kind: instance}, elu], cell: {type: lstm, gates: {kernel: 3}}}
  V2: {drive: [conv: {kernel: 3, channels: 4}, dropout: {rate: 0.2}], post: [avg_pool: {kernel: 2, stride: 2}]}
edges:
  forward: [{from: image, to: V1}, {from: V1, to: V2}, {from: image, to: V2, via: [conv: {kernel: 1, channels: 4}]}]
  lateral: [{from: V2, to: V2, via: [transposed_conv: {kernel: 2, stride: 2}]}]
  feedback:
    - {from: V2, to: V1, delay: 2, active: {first: 3, last: 4}, via: [resize: {mode: nearest}, conv: {kernel: 1}]}
readout: {pool: none, decode: threshold, loss: every}
train: {data: digits, learning_rate: 0.1}
"""


def described(cwd: Path, columns: int, *arguments: str) -> str:
    environment = {"COLUMNS": str(columns), "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"}
    command = [str(STRIATE), "describe", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True, timeout=300)
    return done.stdout


def test_the_facts_of_digits_rgc(striate: Striate) -> None:
    facts = json.loads(striate("describe", "digits-rgc", "--json").stdout)
    assert facts["time"] == {
        "steps": 8, "unroll": "biological", "stimulus": {"shown": None, "after": None, "frames": False}
    }  # fmt: skip
    first, second, third, last = facts["areas"]
    assert (first["reads"], first["cell_at"], first["emits"]) == ([1, 8, 8], [12, 8, 8], [12, 8, 8])
    assert first["parameters"] == 9 * 12 + 12
    assert first["multiply_adds_per_step"] == 64 * 9 * 12
    assert (first["live_steps"], first["computed_steps"], first["batch_steps"]) == ([0, 1, 2, 3], [0], [])
    assert second["multiply_adds_per_step"] == 64 * 9 * (12 * 16 + 4 * 16 * 16)
    assert (second["live_steps"], second["batch_steps"]) == ([0, 1, 2, 3, 4], [0])
    assert third["batch_steps"] == [0, 1] and last["batch_steps"] == [0, 1, 2]
    feedback = facts["edges"][-1]
    assert (feedback["name"], feedback["kind"], feedback["enters"]) == ("IT>V2", "feedback", "input")
    assert (feedback["delay"], feedback["active"]) == (1, None)
    assert feedback["live_steps"] == [0, 1, 2, 3, 4]  # V2 at 4 is the last that reaches IT at 6
    assert feedback["via"] == ["resize bilinear", "conv 3×3 · 16"]
    assert feedback["parameters"] == 9 * 32 * 16 + 16
    assert facts["readout"]["parameters"] == 32 * 10 + 10
    parts = [*facts["areas"], *facts["edges"], facts["readout"]]
    assert facts["parameters"] == sum(part["parameters"] for part in parts) == facts["live"]["parameters"]
    assert facts["declared"]["multiply_adds"] == 330 - 10 + 7 * sum(
        part["multiply_adds_per_step"] for part in (*facts["areas"], *facts["edges"])
    )
    assert facts["live"]["multiply_adds"] < facts["declared"]["multiply_adds"]


@pytest.mark.parametrize("columns", [80, 160])
@pytest.mark.parametrize("name", [*ZOO, "everything"])
def test_tables_fit_the_terminal_and_cut_no_word(name: str, columns: int, tmp_path: Path) -> None:
    (tmp_path / "everything.yaml").write_text(EVERYTHING)
    text = described(tmp_path, columns, "everything.yaml" if name == "everything" else name)
    assert all(len(line) <= columns for line in text.splitlines() if not line.startswith(("everything:", name)))
    assert "…" not in text


def test_all_that_a_file_may_say_is_told(tmp_path: Path) -> None:
    (tmp_path / "everything.yaml").write_text(EVERYTHING)
    text = described(tmp_path, 160, "everything.yaml")
    for line in (
        "Time: 6 steps, sweep unroll; the image is shown for 2 steps, then 0.5 everywhere",
        "lstm of V1: gates 3×3",
        "Read-out: of the whole map of V2, at the same step; answers at steps 0–5; the first of probability 0.9 is the",
    ):
        assert line in text
    rows = {cells[0]: cells[1:] for cells in (line.split() for line in text.splitlines()) if cells}
    assert rows["V2>V1"] == [
        "feedback",
        "input",
        "2",
        "3–4",
        "3–4",
        "resize",
        "nearest,",
        "conv",
        "1×1",
        "·",
        "4",
        "20",
    ]
    assert rows["V2>V2"] == [
        "lateral",
        "input",
        "1",
        "always",
        "0–5",
        "transposed",
        "conv",
        "2×2",
        "/",
        "2",
        "·",
        "4",
        "68",
    ]
    assert rows["image>V1"] == ["forward", "drive", "0", "always", "0–5", "0"]


DEAD_EDGES = """
striate: 1
name: dead-edges
input: {channels: 1, size: 8, classes: 10}
time: {steps: 4, unroll: sweep}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}]}
  V2: {drive: [conv: {kernel: 3, channels: 4}]}
edges:
  lateral:
    - {from: V2, to: V2, delay: 4, via: [conv: {kernel: 1, bias: false}]}
    - {from: V1, to: V1, delay: 5, via: [conv: {kernel: 1}]}
  feedback: [{from: V2, to: V1, active: {first: 1, last: 2}, via: [conv: {kernel: 1}]}]
train: {data: digits, learning_rate: 0.1}
"""


def test_an_edge_that_never_matters_is_told_and_why(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "dead.yaml").write_text(DEAD_EDGES)
    done = striate("describe", "dead.yaml")
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if "never matters" in line]
    assert told == [
        "V2>V2 never matters: its delay is 4 steps, of 4 steps in all",
        "V2>V1 never matters: no answer depends on what it brings",
    ]
    facts = json.loads(striate("describe", "dead.yaml", "--json").stdout)
    live = {edge["name"]: edge["live_steps"] for edge in facts["edges"]}
    assert live["V2>V2"] == live["V2>V1"] == []
    assert live["V1>V1"] == [3], "its biases are there at every step"


def test_the_plan_is_written_and_a_place_that_cannot_be_written_is_told(striate: Striate, tmp_path: Path) -> None:
    done = striate("describe", "digits-rgc", "--plan", "plan.svg")
    assert done.returncode == 0 and "Wrote plan.svg" in done.stdout
    assert ET.fromstring((tmp_path / "plan.svg").read_text(encoding="utf-8")).findtext("{*}title")
    refused = striate("describe", "digits-rgc", "--plan", "no/such/plan.svg")
    assert refused.returncode == 1
    assert "no/such/plan.svg cannot be written: No such file or directory" in refused.stderr
    assert "Traceback" not in refused.stderr
