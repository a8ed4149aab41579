"""The engine on real Ray workers: kills, failures of every kind, duplicates, fake GPUs, two searches at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import run_striate
from synthetic_trials import LEAKED

from search.budget import Budget
from search.engine import KEPT_BYTES
from search.history import History
from search.record import Record
from search.settings import SearchSettings

TESTS = Path(__file__).parent
SYNTHETIC = (TESTS / "spaces" / "synthetic.yaml").read_text()
# Epochs that are told alone, and others that are told together.
SLOW_AND_FAST = SYNTHETIC.replace("momentum: 0.0", "momentum: 0.0\n  weight_decay: {choice: [0.0, 0.2]}")


def created(folder: Path, trials: int, text: str = SYNTHETIC, **settings: object) -> Path:
    given = {"sampler": "evolution", "seed": 2, **settings}
    decided = SearchSettings(name=folder.name, **given)  # type: ignore[arg-type]
    budget = Budget(max_trials=trials).plain()
    Record.create(folder, id=folder.name, settings=decided.plain(), budget=budget, space=text, file="s.yaml").close()
    return folder


def driving(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(TESTS / "synthetic_trials.py"), str(folder), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    )


def finished(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate(timeout=500)
    assert process.returncode == 0, printed
    return printed


def kill_after(process: subprocess.Popen[str], ended: int) -> None:
    """Kill the driver once so many trials have ended; its workers find out by themselves."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().isdigit() and int(line) >= ended:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()


def lines(file: Path) -> list[list[str]]:
    return [line.split() for line in file.read_text().splitlines()]


def test_killed_again_and_again_nothing_is_lost_or_trained_twice(tmp_path: Path) -> None:
    # Beside it another search runs whole: they do not notice each other.
    other = driving(created(tmp_path / "other", 12), 2)
    folder = created(tmp_path / "killed", 24, SLOW_AND_FAST, scheduler="asha")
    rng = random.Random(7)
    snapshots = []
    ended = 0
    for _ in range(2):
        ended += rng.randrange(3, 8)
        kill_after(driving(folder, 2), ended)
        snapshots.append(History.read(folder))
    finished(driving(folder, 2))
    finished(other)
    history = History.read(folder)
    assert history.status == "finished"
    assert history.counted == 24
    assert all(trial.end is not None for trial in history.trials.values())
    for snapshot in snapshots:
        for trial in snapshot.ended:
            assert history.trials[trial.number] == trial, "what has ended stays as it was"
        for trial in snapshot.unfinished:
            assert history.trials[trial.number].candidate == trial.candidate
    recorded = Counter(
        (event.trial, event.payload["epoch"]) for event in Record(folder).events() if event.kind == "reported"
    )
    assert max(recorded.values()) == 1, "no recorded epoch was trained again"
    # An epoch is trained again only where the kill came before it was in a checkpoint: one for each slot and kill.
    trained = Counter((int(trial), int(epoch)) for trial, epoch in lines(folder / "trained.log"))
    assert sum(trained.values()) - len(trained) <= 2 * len(snapshots)
    assert {trial.end for trial in history.trials.values()} >= {"complete", "stopped"}
    whole = History.read(tmp_path / "other")
    assert (whole.status, whole.counted) == ("finished", 12)
    assert not list((folder / "checkpoints").glob("*.pt"))


def test_a_search_in_which_trials_fail_in_every_way_ends_well(tmp_path: Path) -> None:
    weights = "{choice: [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], weights: [14, 2, 1, 1, 1, 1]}"
    text = SYNTHETIC.replace("momentum: 0.0", f"momentum: {weights}")
    folder = created(tmp_path / "failing", 20, text, patience=0.15, sampler="random", seed=228)
    finished(driving(folder, 2))
    history = History.read(folder)
    assert history.status == "finished"
    kinds = {
        0.0: (None, 1),
        0.1: ("error", 1),
        0.2: ("worker_died", 3),
        0.3: ("hung", 2),
        0.4: ("out_of_memory", 2),
        0.5: (None, 2),
    }
    assert history.count("failed") == 6, "30 %"
    seen = set()
    for trial in history.trials.values():
        fate = float(trial.candidate["train.momentum"])
        kind, attempts = kinds[fate]
        seen.add(fate)
        assert trial.end == ("complete" if kind is None else "failed")
        assert trial.kind == (kind or "")
        assert trial.attempt == attempts
        assert bool(trial.reason) == (kind is not None)
        assert "Traceback" not in trial.reason and "\n" not in trial.reason
        assert sorted(trial.reports) == ([1, 2, 3, 4, 5] if kind is None else [1])
    assert seen == set(kinds), "the seed lets each of them happen"
    facts = json.loads(run_striate("status", "failing", "--home", tmp_path, "--json", cwd=tmp_path).stdout)
    told = {each["kind"]: each["times"] for each in facts["failures"]}
    assert told == {"error": 3, "worker_died": 1, "hung": 1, "out_of_memory": 1}
    alone = {
        (int(trial), int(attempt))
        for _, trial, attempt, is_alone in lines(folder / "processes.log")
        if is_alone == "True"
    }
    short = [trial for trial in history.trials.values() if "out_of_memory" in trial.crashes]
    assert alone == {(trial.number, 2) for trial in short}
    # A fresh worker, and neighbours that did not notice: what was complete began once.
    pids = {(int(trial), int(attempt)): pid for pid, trial, attempt, _ in lines(folder / "processes.log")}
    assert all(pids[trial.number, 1] != pids[trial.number, 2] for trial in short)


@pytest.mark.long
def test_workers_are_few_whatever_the_sizes_of_trials(tmp_path: Path) -> None:
    folder = created(tmp_path / "sizes", 50)
    memories = sorted(
        trial.memory for trial in History.read(played(tmp_path / "played", 50)).trials.values() if trial.memory
    )
    slots, gpus = 4, 2
    assert memories[-1] > 1.2 * memories[0]
    gpu_memory = (memories[-1] + (1 << 30)) * slots // gpus
    finished(driving(folder, slots, gpus, gpu_memory))
    history = History.read(folder)
    assert Counter(trial.end for trial in history.ended if trial.is_counted) == {"complete": 50}
    rows = lines(folder / "processes.log")
    assert {is_alone for *_, is_alone in rows} == {"False"}
    assert len(rows) == 50
    assert len({pid for pid, *_ in rows}) <= slots


def test_a_worker_that_keeps_too_much_of_its_trials_is_replaced(tmp_path: Path) -> None:
    # What the first trial leaves may be libraries and data; then one more leak than fits makes it too much.
    of_each = 1 + KEPT_BYTES // LEAKED + 1
    trials = 2 * of_each + 1
    folder = created(tmp_path / "leaking", trials, SYNTHETIC.replace("momentum: 0.0", "momentum: 0.6"))
    finished(driving(folder, 1))
    history = History.read(folder)
    counted = [trial for trial in history.ended if trial.is_counted]
    assert Counter(trial.end for trial in counted) == {"complete": trials}
    assert {trial.attempt for trial in counted} == {1}
    begun = Counter(pid for pid, *_ in lines(folder / "processes.log"))
    assert sorted(begun.values()) == [1, of_each, of_each]


@pytest.mark.long
def test_workers_that_are_replaced_are_in_nobodys_way(tmp_path: Path) -> None:
    # Of trials that leak every other one also runs out of memory, and then waits for the whole machine.
    folder = created(
        tmp_path / "both", 14, SYNTHETIC.replace("momentum: 0.0", "momentum: {choice: [0.5, 0.6]}"), sampler="random"
    )
    finished(driving(folder, 2))
    history = History.read(folder)
    counted = [trial for trial in history.ended if trial.is_counted]
    assert Counter(trial.end for trial in counted) == {"complete": 14}
    assert Counter(trial.attempt for trial in counted).keys() == {1, 2}
    rows = lines(folder / "processes.log")
    assert {is_alone for *_, is_alone in rows} == {"True", "False"}


def test_trials_that_are_shorter_than_the_start_of_a_worker_get_all_workers(tmp_path: Path) -> None:
    trials = 40
    folder = created(tmp_path / "short", trials)
    finished(driving(folder, 2))
    history = History.read(folder)
    assert Counter(trial.end for trial in history.ended if trial.is_counted) == {"complete": trials}
    begun = Counter(pid for pid, *_ in lines(folder / "processes.log"))
    assert len(begun) == 2
    assert min(begun.values()) > trials // 10


def played(folder: Path, trials: int) -> Path:
    """The same space's sizes, without workers."""
    from played_search import Play

    play = Play(folder, lambda candidate: [0.2, 0.3, 0.4, 0.5, 0.6], text=SYNTHETIC, trials=trials)
    play.create()
    play.run()
    return folder
