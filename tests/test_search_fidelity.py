"""Successive halving: curves that cross, decisions that survive a kill, and no stopped trial told as complete."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from played_search import Play, asks

from search.driver import Driver
from search.engine import Asha
from search.history import History
from search.record import Record
from search.samplers.sampler import Observed
from search.settings import SearchSettings
from search.slots import Slots
from search.summary import censored_median, trial_rows
from search.trial import TrialReport
from space.space import Candidate
from trainers.loop import EpochResult

EPOCHS = 9


def crossing(candidate: Candidate) -> list[float]:
    """Nine epochs; those who learn slowly are behind at first and better in the end."""
    place = math.log10(float(candidate["train.learning_rate"]) / 0.001) / 2
    final, speed = 0.9 - 0.5 * place, 0.2 + place
    return [0.1 + (final - 0.1) * (1 - math.exp(-speed * epoch)) for epoch in range(1, EPOCHS + 1)]


def asha(grace: int = 1, reduction: int = 3) -> Asha:
    settings = SearchSettings(name="x", sampler="random", seed=0, scheduler="asha", grace=grace, reduction=reduction)
    return Asha(settings, EPOCHS)


def play(folder: Path, sampler: str = "evolution", trials: int = 40) -> Play:
    made = Play(folder, crossing, sampler=sampler, trials=trials, make_rungs=asha)
    made.create(scheduler="asha")
    return made


@pytest.mark.parametrize("sampler", ["evolution", "optuna"])
def test_after_kills_and_replay_the_decisions_are_the_same(sampler: str, tmp_path: Path) -> None:
    whole = play(tmp_path / "whole", sampler)
    expected = asks(whole.run())
    assert sum(each[5] == "stopped" for each in expected) >= 10
    broken = play(tmp_path / "broken", sampler)
    rng = random.Random(1)
    while len(History.read(broken.folder).ended) < len(expected):
        broken.run(kill_after=rng.randrange(1, 40))
    assert asks(History.read(broken.folder)) == expected


@pytest.mark.parametrize("slow", [True, False])
def test_of_epochs_told_together_those_after_the_stop_are_forgotten(slow: bool, tmp_path: Path) -> None:
    made = play(tmp_path / "s", "random")
    written = []
    driver = Driver(made.folder, lambda history: written.append(len(history.ended)), asha(reduction=2))
    driver.start(Slots(number=2, gpu=0.0, memory=None, alone=1, cpus_alone=1, memory_alone=None))
    for number, values in ((1, [0.5] * EPOCHS), (2, [0.4 if slow else 0.6, *[0.5] * (EPOCHS - 1)])):
        task = driver.next_task()
        assert task is not None and task.number == number
        driver.begun(number, 1)
        told = [
            TrialReport(EpochResult(epoch, 1.0, 1.0, top1, top1, 0.1), "complete" if epoch == EPOCHS else None, None)
            for epoch, top1 in enumerate(values, start=1)
        ]
        written.clear()
        assert driver.reported(number, 1, told, {"process": 1})
        assert written == [number], "all of it at once"
    trials = History.read(made.folder).trials
    assert (trials[1].end, sorted(trials[1].reports)) == ("complete", list(range(1, EPOCHS + 1)))
    assert (trials[2].end, max(trials[2].reports)) == (("stopped", 1) if slow else ("complete", EPOCHS))


def test_a_rung_is_decided_as_the_paper_says(tmp_path: Path) -> None:
    # Independent of Ray: of the values that a rung has seen, the best third (by linear interpolation) go on.
    history = play(tmp_path / "s", "random").run()
    rungs: dict[int, list[float]] = {1: [], 3: []}
    for event in Record(tmp_path / "s").events():
        if event.kind != "reported" or event.payload["epoch"] not in rungs:
            continue
        seen = rungs[event.payload["epoch"]]
        ranked = sorted(seen)
        place = (len(ranked) - 1) * 2 / 3
        low = int(place)
        stops = bool(ranked) and event.payload["top1"] < (
            ranked[low] + (place - low) * (ranked[min(low + 1, len(ranked) - 1)] - ranked[low])
        )
        seen.append(event.payload["top1"])
        trial = history.trials[event.trial]
        assert stops == (trial.end == "stopped" and trial.stopped_after == event.payload["epoch"])


def test_a_stopped_trial_is_told_with_its_epoch_and_never_as_complete(tmp_path: Path) -> None:
    history = play(tmp_path / "s").run()
    told = {each.number: each for each in history.observed.told}
    for trial in history.ended:
        if trial.duplicate_of is not None:
            continue
        observation = told[trial.number]
        if trial.end == "stopped":
            assert max(trial.reports) < EPOCHS
            assert observation.stopped_after == max(trial.reports)
            assert observation.objective == trial.reports[max(trial.reports)]["top1"]
        else:
            assert observation.stopped_after is None
    complete = min(each.standing for each in told.values() if each.stopped_after is None)
    assert all(each.standing < complete for each in told.values() if each.stopped_after is not None)
    assert history.best is not None
    assert history.best.end == "complete"
    read = Observed(history.observed.told)
    assert read.told == history.observed.told


def test_medians_count_stopped_trials_as_below(tmp_path: Path) -> None:
    history = play(tmp_path / "s", "random").run()
    for position, row in enumerate(trial_rows(history), start=1):
        window = history.measured[max(0, position - 50) : position]
        above = sorted((each.objective or 0.0 for each in window if each.end != "stopped"), reverse=True)
        if len(above) * 2 < len(window):  # the middle is among the censored
            assert row.median is None
        elif row.median is not None:
            assert sum(value > row.median for value in above) <= len(window) / 2
            assert sum(value >= row.median for value in above) >= len(window) / 2
    assert censored_median([]) is None


def test_what_repeats_a_trial_is_measured_whole(tmp_path: Path) -> None:
    made = play(tmp_path / "s")
    history = made.run()
    stopped = next(trial for trial in history.trials.values() if trial.end == "stopped")
    driver = made.driver()
    (number,) = driver.replicate(stopped.number, 1)
    assert made.run(driver=driver).trials[number].end == "complete"
