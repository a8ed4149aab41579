"""`striate trials`, `status` and `compare` say what is in the record, no more and no less."""

from __future__ import annotations

import csv
import json
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from conftest import TINY, Striate
from PIL import Image
from pyarrow import parquet
from written_searches import Fates, begin, play

from search.cli import main
from search.history import ENDS, History
from search.record import FILE, Record, driving
from search.summary import trial_rows

FATES = Fates(chance=0.1, diverged=0.1, failed=0.15)


class StopsFifths:
    """Stops every fifth trial."""

    def stops(self, trial: int, epoch: int, value: float) -> bool:
        return trial % 5 == 0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three searches that differ by their seeds, one of another sampler's settings, one on fewer candidates."""
    folder = tmp_path_factory.mktemp("tables")
    home = folder / "searches"
    for seed in range(3):
        begin(home / f"seed-{seed}", space=TINY, max_trials=20 + seed, seed=seed)
        play(home / f"seed-{seed}", FATES, rungs=StopsFifths() if seed == 0 else None)
    few = TINY.read_text().replace("{float: [0.02, 0.2], log: true}", "0.1").replace("{int: [1, 3]}", "3")
    (folder / "few.yaml").write_text(few.replace("epochs: 2", "epochs: 3"))
    play(begin(home / "few", space=folder / "few.yaml", max_trials=8))
    play(begin(home / "all-failed", space=TINY, max_trials=2), Fates(failed=1.0))
    return home


@dataclass(frozen=True)
class Done:
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


Command: TypeAlias = Callable[..., Done]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line in this process: a start of its own takes a second or more."""

    def run(home: Path, *arguments: object) -> Done:
        monkeypatch.setattr("sys.argv", ["striate", *map(str, arguments), "--home", str(home)])
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        return Done(status, *capsys.readouterr())

    return run


def told(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_table_has_every_trial_with_every_decision(home: Path, tmp_path: Path, command: Command) -> None:
    for name in ("seed-0", "few"):
        history = History.read(home / name)
        rows = told(command(home, "trials", name, "--json"))
        assert [row["trial"] for row in rows] == list(history.trials)
        for row in rows:
            trial = history.trials[row["trial"]]
            assert (row["end"], row["objective"], row["epochs"]) == (trial.end, trial.objective, len(trial.reports))
            assert row["seconds"] == pytest.approx(sum(report["seconds"] for report in trial.reports.values()))
            decisions = {key.removeprefix("decision."): value for key, value in row.items() if "decision." in key}
            assert {path: value for path, value in decisions.items() if value is not None} == trial.candidate
            assert {key: row[f"proxy.{key}"] for key in trial.proxies} == trial.proxies


def test_files_have_the_same_rows(home: Path, tmp_path: Path, command: Command) -> None:
    rows = told(command(home, "trials", "seed-0", "--json"))
    printed = command(home, "trials", "seed-0", "--csv", tmp_path / "t.csv", "--parquet", tmp_path / "t.parquet").stdout
    assert printed.splitlines() == [
        f"20 trials written to {tmp_path / 't.csv'}",
        f"20 trials written to {tmp_path / 't.parquet'}",
    ]
    with (tmp_path / "t.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows] == read
    assert parquet.read_table(tmp_path / "t.parquet").to_pylist() == rows


def test_filters_and_order(home: Path, command: Command) -> None:
    history = History.read(home / "seed-0")
    stopped = told(command(home, "trials", "seed-0", "--end", "stopped", "--json"))
    assert [row["trial"] for row in stopped] == [
        each.number for each in history.trials.values() if each.end == "stopped"
    ]
    edge = told(command(home, "trials", "seed-0", "--edge", "V2>V1", "--json"))
    assert [row["trial"] for row in edge] == [each.number for each in history.trials.values() if "V2>V1" in each.edges]
    best = told(command(home, "trials", "seed-0", "--best", 3, "--json"))
    complete = sorted((trial.objective or 0.0 for trial in history.ended if trial.end == "complete"), reverse=True)
    assert [row["objective"] for row in best] == complete[:3]
    by_size = told(command(home, "trials", "seed-0", "--sort", "parameters", "--descending", "--json"))
    sizes = [row["parameters"] for row in by_size]
    assert sizes == sorted(sizes, reverse=True)
    assert told(command(home, "trials", "few", "--sampler", "prior", "--end", "duplicate", "--json"))


def test_status_for_scripts_has_every_end(home: Path, command: Command) -> None:
    for name in ("seed-0", "few", "all-failed"):
        history = History.read(home / name)
        facts = told(command(home, "status", name, "--json"))
        assert {end: facts[end] for end in ENDS} == {end: history.count(end) for end in ENDS}
        rows = trial_rows(history)
        assert (facts["ended"], facts["median_last_50"]) == (len(rows), rows[-1].median)
        assert facts["duplicates_avoided"] == sum(trial.duplicate_of is not None for trial in history.trials.values())
        trained = sum(report["seconds"] for trial in history.ended for report in trial.reports.values())
        assert math.isclose(facts["spent"]["worker_hours"], trained / 3600)
        assert facts["mirror"]["events_behind"] == len(Record(home / name, read_only=True).events())


def test_status_for_people_leaves_out_what_there_is_none_of(home: Path, command: Command) -> None:
    shown = command(home, "status", "few").stdout
    assert "duplicate " in shown and "duplicates avoided" in shown
    assert not any(word in shown for word in ("stopped", "failed", "diverged", "chance"))
    shown = command(home, "status", "all-failed").stdout
    assert "Failed 2 times (error), most often: RuntimeError: it was to fail" in shown
    assert "Try them again: " in shown and " retry --failed all-failed --home " in shown
    assert " sync all-failed --home " in shown


def test_status_of_a_search_that_goes_on(tmp_path: Path, command: Command) -> None:
    folder = begin(tmp_path / "searches" / "s", space=TINY, max_trials=10)
    play(folder, kill_after=20)
    killed = told(command(folder.parent, "status", "--json"))
    assert (killed["status"], killed["running"]) == ("killed", [])
    assert "launch --resume s --home" in command(folder.parent, "status").stdout
    with driving(folder):
        facts = told(command(folder.parent, "status", "--json"))
    assert facts["status"] == "running"
    history = History.read(folder)
    assert [each["trial"] for each in facts["running"]] == [each.number for each in history.unfinished if each.running]


def test_an_empty_record_is_in_the_way_of_no_other(tmp_path: Path, command: Command) -> None:
    folder = begin(tmp_path / "searches" / "s", space=TINY, max_trials=2)
    play(folder)
    (folder.parent / "cut").mkdir()
    (folder.parent / "cut" / FILE).touch()
    assert told(command(folder.parent, "status", "--json"))["name"] == "s"
    done = command(folder.parent, "status", "cut")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{FILE} is empty" in done.stderr


def test_replicates_of_the_best_are_told_without_it(tmp_path: Path, command: Command) -> None:
    folder = begin(tmp_path / "searches" / "s", space=TINY, max_trials=6)
    best = play(folder).best
    assert best is not None
    play(folder, before=lambda driver: driver.replicate(best.number, 4))
    values = [trial.objective for trial in History.read(folder).ended if trial.replicate_of == best.number]
    again = told(command(folder.parent, "status", "--json"))["best_replicates"]
    assert again["replicates"] == len(values) == 4
    assert again["mean"] == pytest.approx(statistics.fmean(value or 0.0 for value in values))
    assert again["sd"] == pytest.approx(statistics.stdev(value or 0.0 for value in values))
    assert f"{again['mean']:.4f} ± {again['sd']:.4f} (mean" in command(folder.parent, "status").stdout


def test_searches_that_differ_by_the_seed_are_one_band(home: Path, tmp_path: Path, command: Command) -> None:
    names = ["seed-0", "seed-1", "seed-2"]
    compared = told(command(home, "compare", *names, "--json"))
    assert {each["group"] for each in compared["searches"]} == {"random: seed-0 and 2 more"}
    rows = {name: trial_rows(History.read(home / name)) for name in names}
    assert compared["trials"] == 20
    assert compared["warnings"] == []
    level = min(own[-1].best or 0.0 for own in rows.values())
    for each in compared["searches"]:
        own = rows[each["name"]]
        assert each["trials_to_level"] == next(
            row.position for row in own if row.best is not None and row.best >= level
        )
        assert (each["best"], each["best_at_equal"]) == (own[-1].best, own[19].best)
    assert len(compared["courses"]) == 20
    for course in compared["courses"]:
        bests = [own[course["position"] - 1].best for own in rows.values()]
        if None in bests:
            assert course["best"] is None
        else:
            ordered = sorted(best or 0.0 for best in bests)
            assert course["best"] == pytest.approx(
                [(ordered[0] + ordered[1]) / 2, ordered[1], (ordered[1] + ordered[2]) / 2]
            )


def test_what_cannot_be_compared_is_said(home: Path, tmp_path: Path, command: Command) -> None:
    shown = command(home, "compare", "seed-0", "few", "--out", tmp_path / "c.png", "--out", tmp_path / "c.html").stdout
    warning = (
        "These searches train for different numbers of epochs, so their top-1 cannot be compared: seed-0 2, few 3."
    )
    assert shown.splitlines()[0] == f"Warning: {warning}"
    with Image.open(tmp_path / "c.png") as image:
        assert image.width > 1000
    page = (tmp_path / "c.html").read_text()
    assert "plotly.js v" in page and 'src="http' not in page
    assert {each["group"] for each in told(command(home, "compare", "seed-0", "few", "--json"))["searches"]} == {
        "seed-0",
        "few",
    }
    assert told(command(home, "compare", "seed-0", "all-failed", "--json"))["level"] is None


def test_what_did_not_fit_is_compared_without_a_word(home: Path, tmp_path: Path, command: Command) -> None:
    shared = "{kernel: KERNEL, channels: 8, weights: both}"
    rare = f"conv: {shared}, conv: {shared}".replace("KERNEL", "3", 1)
    rare = rare.replace("KERNEL", "{choice: [3, 5], weights: [1000000, 1]}")  # as often as not after a mutation
    text = TINY.read_text().replace("channels: 8}, elu]", f"channels: 8}}, {rare}, elu]")
    (tmp_path / "rare.yaml").write_text(text)
    play(begin(tmp_path / "rare", space=tmp_path / "rare.yaml", max_trials=20, sampler="evolution"))
    assert "unfit" in {trial.kind for trial in History.read(tmp_path / "rare").ended}
    play(begin(tmp_path / "tiny", space=TINY, max_trials=4))
    assert told(command(tmp_path, "compare", "rare", "tiny", "--json"))["warnings"] == []


def test_a_comparison_is_whole_in_a_pipe_and_on_a_narrow_terminal(
    home: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["seed-0", "seed-1", "few"]
    facts = told(command(home, "compare", *names, "--json"))
    piped = command(home, "compare", *names).stdout
    rows = [line.split() for line in piped.splitlines()[1:]]  # after the warning
    assert [row[0] for row in rows] == ["search", *names]
    assert "median of last 50" in piped and "duplicates" in piped
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("TERM", "dumb")  # which has 80 columns
    narrow = command(home, "compare", *names).stdout
    assert max(map(len, narrow.splitlines()[1:])) <= 80
    assert {"group", "seed", "trials", "best", "median", "dupli-", "cates", "chance", "hours"} <= set(narrow.split())
    for shown in (piped, narrow):
        assert "…" not in shown
        for each in facts["searches"]:
            assert {each["name"], f"{each['best']:.4f}", f"{each['median_last_50']:.4f}"} <= set(shown.split())


REFUSED = {
    "end": (("trials", "seed-0", "--end", "complet"), "'complet' is not an end here; did you mean 'complete'?"),
    "edge": (("trials", "seed-0", "--edge", "V2V1"), "did you mean 'V2>V1'?"),
    "sort": (("trials", "seed-0", "--sort", "top-1"), "is not a column here; did you mean 'top1'?"),
    "alone": (("compare", "seed-0"), "two different searches or more are compared, but seed-0 was given"),
    "itself": (("compare", "seed-0", "seed-0"), "but seed-0, seed-0 was given; name others"),
    "figure": (("compare", "seed-0", "few", "--out", "c.pdf"), "a figure is a .png or an .html file"),
    "retry-what": (("retry", "seed-0"), "give --failed"),
    "retry-unfit": (("retry", "seed-0", "--kind", "unfit"), "always will; mend the space"),
    "retry-kind": (("retry", "seed-0", "--kind", "hangs"), "but 'hangs' was given"),
    "retry-none": (("retry", "few", "--failed"), "no trial of few failed that could be tried again"),
    "replicate-none": (("replicate", "seed-0", "--trial", "99"), "the trials 1 to 20, not 99"),
    "replicate-stopped": (("replicate", "seed-0", "--trial", "5"), "only a complete trial is repeated, but trial 5 is"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused(name: str, home: Path, command: Command) -> None:
    arguments, sentence = REFUSED[name]
    done = command(home, *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_search_that_is_driven_is_left_alone(home: Path, command: Command) -> None:
    with driving(home / "seed-0"):
        for words in (("retry", "seed-0", "--failed"), ("replicate", "seed-0")):
            done = command(home, *words)
            assert done.returncode == 1
            assert "but seed-0 is driven by process" in done.stderr
            assert done.stdout == ""


def test_a_duplicate_names_its_original(home: Path, command: Command) -> None:
    history = History.read(home / "few")
    copy = next(trial for trial in history.ended if trial.end == "duplicate")
    done = command(home, "replicate", "few", "--trial", copy.number)
    assert done.returncode == 2
    assert f"is a duplicate of trial {copy.duplicate_of}; give --trial {copy.duplicate_of}" in done.stderr


def test_retried_and_replicated_trials_run(striate: Striate, tmp_path: Path) -> None:
    folder = begin(tmp_path / "searches" / "s", space=TINY, max_trials=3)
    failed = play(folder, Fates(failed=1.0)).ended
    assert {trial.end for trial in failed} == {"failed"}
    done = striate("retry", "s", "--failed")
    assert done.returncode == 0, done.stdout + done.stderr
    retried = History.read(folder)
    assert {(trial.end, trial.attempt) for trial in retried.ended} == {("complete", 2)}
    done = striate("replicate", "s", "--times", 2)
    assert done.returncode == 0, done.stdout + done.stderr
    history = History.read(folder)
    assert retried.best is not None and history.best is not None
    again = [trial.objective or 0.0 for trial in history.ended[3:]]
    assert f"Its replicates: {again[0]:.4f}, {again[1]:.4f}; mean {sum(again) / 2:.4f}.\n" in done.stdout
    assert history.best.number == retried.best.number, "a lucky seed is not a better network"
    assert [trial.replicate_of for trial in history.ended[3:]] == [retried.best.number] * 2
    assert len({trial.seed for trial in history.trials.values()}) == 5
    assert striate("export").stdout.splitlines()[0].startswith(f"# Trial {retried.best.number} ")
