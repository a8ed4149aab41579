"""The driver: every end told apart, nothing trained twice, the same asks after any kill."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

import pytest
from played_search import BOTH, Outcome, Play, asks, planted

from search.budget import Budget
from search.failures import Failure, FailureKind
from search.history import History, Trial
from search.record import Event, Record
from search.samplers.registry import SAMPLERS
from search.slots import Slots
from space.space import Candidate

TWO_CHOICES = """
striate: 1
name: few
input: {channels: 1, size: 8, classes: 10}
time: {steps: 3}
areas:
  V1: {drive: [{conv: {kernel: 3, channels: {choice: [2, 3]}}}, elu]}
  V2: {drive: [{conv: {kernel: 3, channels: {choice: [4, 5, 6]}}}, elu]}
edges:
  forward: chain
  feedback: {candidates: [V2>V1], each: {include: {bool: 0.5}, via: [{conv: {kernel: 1}}]}}
train: {data: digits, epochs: 3, learning_rate: 0.1}
"""


def flat(candidate: Candidate) -> list[float]:
    return [0.2, 0.3, 0.4]


def unbroken(tmp_path: Path, **arguments: object) -> Play:
    play = Play(tmp_path / "whole", **{"curve": planted, **arguments})  # type: ignore[arg-type]
    play.create()
    play.run()
    return play


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_killed_anywhere_asks_what_an_unbroken_one_asks(sampler: str, tmp_path: Path) -> None:
    whole = unbroken(tmp_path, sampler=sampler, trials=24)
    expected = asks(History.read(whole.folder))
    rng = random.Random(3)
    for number in range(3):
        broken = Play(tmp_path / f"broken-{number}", planted, sampler=sampler, trials=24)
        broken.create()
        while len(History.read(broken.folder).ended) < len(expected):
            broken.run(kill_after=rng.randrange(1, 25))
        found = History.read(broken.folder)
        assert asks(found) == expected
        assert max(Counter(broken.trained).values()) == 1, "what was recorded is not trained again"
        assert found.status == "finished"


def test_equal_candidates_train_once_also_in_flight(tmp_path: Path) -> None:
    play = unbroken(tmp_path, text=TWO_CHOICES, slots=6, trials=12, curve=flat)
    history = History.read(play.folder)
    keys = Counter(trial.key for trial in history.trials.values() if trial.duplicate_of is None)
    assert max(keys.values()) == 1
    duplicates = [trial for trial in history.trials.values() if trial.duplicate_of is not None]
    place = {(event.kind, event.trial): event.number for event in Record(play.folder).events()}
    in_flight = [each for each in duplicates if place["asked", each.number] < place["ended", each.duplicate_of or 0]]
    assert 0 < len(in_flight) < len(duplicates), "some were asked while their original was under way"
    for trial in duplicates:
        original = history.trials[trial.duplicate_of or 0]
        assert (trial.key, trial.end, trial.objective) == (original.key, "duplicate", original.objective)
        assert not trial.reports
        assert trial.number > original.number
    assert {number for number, _ in play.trained}.isdisjoint(trial.number for trial in duplicates)


def test_a_small_space_is_exhausted(tmp_path: Path) -> None:
    play = unbroken(tmp_path, text=TWO_CHOICES, trials=100, curve=flat)
    history = History.read(play.folder)
    assert history.counted == 2 * 3 * 2
    assert history.status == "finished"
    assert history.why == "nothing new is left in the space"


def test_a_space_without_holes_has_one_trial(tmp_path: Path) -> None:
    text = TWO_CHOICES.replace("{choice: [2, 3]}", "2").replace("{choice: [4, 5, 6]}", "4")
    play = unbroken(tmp_path, text=text.replace("include: {bool: 0.5}, ", ""), trials=100, curve=flat)
    assert History.read(play.folder).counted == 1


def test_duplicates_in_a_row_give_way_to_anything_new(tmp_path: Path) -> None:
    # One of 30,000 draws has the second cell's kernel 3, so all but surely 50 duplicates in a row come first.
    text = TWO_CHOICES.replace("{choice: [2, 3]}", "2").replace("{choice: [4, 5, 6]}", "4")
    text = text.replace("{bool: 0.5}", "{bool: 0.00003}")
    play = unbroken(tmp_path, text=text, trials=2, curve=flat)
    history = History.read(play.folder)
    assert history.trials[1].sampler == "prior"
    assert len(history.trials) == 1 + 50 + 1
    assert history.trials[52].sampler == "unseen"
    assert history.trials[52].log_propensity is None


@pytest.mark.parametrize(("kind", "survived"), [("error", 0), ("out_of_memory", 1), ("hung", 1), ("worker_died", 2)])
def test_what_may_be_the_machines_fault_is_tried_again(kind: FailureKind, survived: int, tmp_path: Path) -> None:
    for times in (survived, survived + 1):
        second = iter([Failure(kind, "it was so")] * times + [0.4])
        play = Play(tmp_path / f"{kind}-{times}", lambda _, second=second: [0.3, second, 0.5], trials=1)
        play.create()
        trial = play.run().trials[1]
        assert trial.end == ("complete" if times == survived else "failed")
        assert trial.attempt == min(times, survived) + 1
        if trial.end == "failed":
            assert (trial.kind, trial.reason, trial.objective) == (kind, "it was so", None)
        assert sorted(trial.reports) == ([1, 2, 3] if trial.end == "complete" else [1])


def test_after_it_ran_out_of_memory_a_trial_runs_alone(tmp_path: Path) -> None:
    play = Play(tmp_path / "s", planted, trials=2)
    play.create()
    driver = play.driver()
    driver.start(Slots(number=2, gpu=0.0, memory=1e12, alone=1, cpus_alone=4, memory_alone=2e12))
    first, second = driver.next_task(), driver.next_task()
    assert first is not None and second is not None
    assert not first.alone and first.memory == 1e12
    driver.begun(1, 1)
    driver.crashed(1, 1, Failure("out_of_memory", "no more"))
    again = driver.next_task()
    assert again is not None
    assert (again.number, again.attempt, again.alone, again.memory) == (1, 2, True, 2e12)


def test_what_is_predicted_not_to_fit_runs_alone(tmp_path: Path) -> None:
    play = Play(tmp_path / "s", planted, trials=1)
    play.create()
    driver = play.driver()
    driver.start(Slots(number=2, gpu=0.0, memory=1000, alone=1, cpus_alone=4, memory_alone=None))
    task = driver.next_task()
    assert task is not None
    assert driver.history.trials[1].memory > 1000
    assert task.alone


def test_trials_that_run_alone_wait_for_each_other(tmp_path: Path) -> None:
    alike = Play(tmp_path / "alike", planted, trials=40)
    alike.create()
    expected = {trial.number: trial.memory for trial in alike.run().trials.values() if trial.duplicate_of is None}
    fits = sorted(expected.values())[len(expected) * 3 // 4]
    play = Play(tmp_path / "s", planted, trials=40)
    play.create()
    driver = play.driver()
    driver.start(Slots(number=1, gpu=0.25, memory=fits, alone=3, cpus_alone=1, memory_alone=None))
    order = []
    while (task := driver.next_task()) is not None:
        order.append((task.number, task.alone))
    assert not driver.has_more
    large = [number for number, memory in expected.items() if memory > fits]
    assert sorted(number for number, _ in order) == sorted(expected)
    assert [number for number, is_alone in order if is_alone] == large
    runs = [len(list(run)) for is_alone, run in itertools.groupby(order, lambda each: each[1]) if is_alone]
    assert all(length % 3 == 0 for length in runs[:-1]), "three at a time, for as long as there are others"


def test_failed_trials_are_tried_again_when_asked(tmp_path: Path) -> None:
    broken = {"now": True}

    def curve(candidate: Candidate) -> list[Outcome]:
        bad = broken["now"] and int(candidate["areas.V2.drive[0].conv.channels"]) > 3
        return [0.2, Failure("error", "a bug") if bad else 0.3, 0.4]

    play = Play(tmp_path / "s", curve, trials=20)
    play.create()
    before = play.run()
    failed = {trial.number for trial in before.ended if trial.end == "failed" and trial.duplicate_of is None}
    assert 0 < len(failed) < 20
    broken["now"] = False
    driver = play.driver()
    assert set(driver.retry_failed({"error"})) == failed
    after = play.run(driver=driver)
    assert {trial.end for trial in after.trials.values()} <= {"complete", "duplicate"}
    assert all(after.trials[number].attempt == 2 for number in failed)
    assert after.counted == 20
    assert asks(History.read(play.folder)) == asks(after), "what is read back is what was lived through"


def test_duplicates_are_told_again_what_a_retried_trial_ends_with(tmp_path: Path) -> None:
    broken = {"now": True}

    def curve(candidate: Candidate) -> list[Outcome]:
        return [0.2, Failure("error", "a bug") if broken["now"] else 0.3, 0.4]

    play = Play(tmp_path / "s", curve, text=TWO_CHOICES, trials=8)
    play.create()
    before = play.run()
    copies = [trial.number for trial in before.trials.values() if trial.duplicate_of is not None]
    assert copies and {before.trials[number].objective for number in copies} == {None}
    broken["now"] = False
    driver = play.driver()
    driver.retry_failed({"error"})
    assert {trial.number for trial in driver.history.open.values()} == set(before.trials)
    after = play.run(driver=driver)
    assert {(after.trials[number].end, after.trials[number].objective) for number in copies} == {("duplicate", 0.4)}
    assert {each.number for each in after.observed.told} == set(after.trials)
    assert not after.open and not after.observed.pending
    read = History.read(play.folder)
    assert read.trials == after.trials
    assert [trial.number for trial in read.ended] == [trial.number for trial in after.ended]
    assert read.observed.told == after.observed.told


def test_replicates_repeat_a_trial_and_count_for_nothing(tmp_path: Path) -> None:
    play = unbroken(tmp_path, trials=5)
    driver = play.driver()
    best = driver.history.best
    assert best is not None
    numbers = driver.replicate(best.number, 2) + driver.replicate(best.number, 1)
    history = play.run(driver=driver)
    copies = [history.trials[number] for number in numbers]
    assert [each.end for each in copies] == ["complete"] * 3
    assert len({each.key for each in [best, *copies]}) == 4
    assert len({each.seed for each in [best, *copies]}) == 4
    assert all(each.candidate == best.candidate and each.replicate_of == best.number for each in copies)
    assert history.counted == 5
    assert history.best is not None and history.best.number == best.number
    assert len(history.measured) == len([trial for trial in history.ended if trial.is_counted])
    assert not {each.number for each in history.observed.told} & set(numbers), "samplers do not see them"


def test_a_search_ends_at_its_target_or_when_its_hours_are_over(tmp_path: Path) -> None:
    history = History.read(unbroken(tmp_path, trials=10).folder)
    best = history.best
    assert best is not None and best.objective is not None
    many = Budget(max_trials=100)
    assert many.spent(history, 0.0) is None
    assert "all 10" in str(Budget(max_trials=10).spent(history, 0.0))
    assert "target" in str(many.changed(target=best.objective).spent(history, 0.0))
    assert many.changed(target=best.objective + 0.01).spent(history, 0.0) is None
    hours = len([1 for trial in history.trials.values() for _ in trial.reports]) / 60  # each epoch took a minute
    assert "worker-hours" in str(many.changed(max_cost=hours).spent(history, 0.0))
    assert many.changed(max_cost=hours + 0.01).spent(history, 0.0) is None
    assert "hours are over" in str(many.changed(max_hours=0.0).spent(history, 0.0))
    assert many.changed(max_hours=1.0).spent(history, 0.0) is None


def test_driven_time_is_that_of_all_starts(tmp_path: Path) -> None:
    def event(number: int, at: float, kind: str, **payload: object) -> Event:
        return Event(number, at, kind, 0, 0, payload)

    history = History()
    history.add(event(1, 100.0, "created"))
    history.add(event(2, 110.0, "started"))
    history.add(event(3, 130.0, "stopped", status="interrupted", why=""))
    history.add(event(4, 200.0, "started"))
    assert history.driven_seconds(now=205.0) == 25.0
    history.add(event(5, 207.0, "started"))  # it was killed at some time after its last event
    assert history.driven_seconds(now=210.0) == 20.0 + 0.0 + 3.0


def test_the_end_of_a_trial_is_the_end_of_its_checkpoint(tmp_path: Path) -> None:
    play = Play(tmp_path / "s", planted, trials=3)
    play.create()
    driver = play.driver()
    (play.folder / "checkpoints").mkdir()
    for number in (1, 2, 3):
        (play.folder / "checkpoints" / f"trial-{number}.pt").write_text("weights")
    play.run(driver=driver, stop=False)
    assert not list((play.folder / "checkpoints").iterdir())
    (play.folder / "checkpoints" / "trial-2.pt").write_text("by a worker that outlived a killed driver")
    driver.stop("finished")
    assert not list((play.folder / "checkpoints").iterdir())


def test_checkpoints_of_what_goes_on_stay(tmp_path: Path) -> None:
    play = Play(tmp_path / "s", planted, trials=3)
    play.create()
    driver = play.driver()
    play.run(kill_after=2, driver=driver)
    (open_still, *_) = driver.history.unfinished
    (play.folder / "checkpoints" / f"trial-{open_still.number}.pt").write_text("weights")
    driver.stop("interrupted")
    (left,) = (play.folder / "checkpoints").iterdir()
    assert left.name == f"trial-{open_still.number}.pt"


def test_trials_are_read_back_as_they_were(tmp_path: Path) -> None:
    play = Play(tmp_path / "s", planted, trials=8)
    play.create()
    lived = play.run()
    read = History.read(play.folder)
    assert read.trials == lived.trials
    assert [trial.number for trial in read.ended] == [trial.number for trial in lived.ended]
    assert isinstance(read.trials[1], Trial)
    assert BOTH in read.created["space"]
