"""Samplers: one contract for all."""

from __future__ import annotations

import itertools
import json
import math
import random
from dataclasses import asdict, replace

import pytest

from search.samplers.registry import SAMPLERS
from search.samplers.sampler import Observation, Observed, Sampler, SamplerOptions
from space.hashes import candidate_hash
from space.parse import find, parse_space
from space.space import Candidate, Space

OPTIONS = SamplerOptions()
ADAPTIVE = [name for name in SAMPLERS if name != "random"]
SHIPPED = ["digits", "fashion", "convrnn-2018"]


@pytest.fixture(scope="module")
def digits() -> Space:
    return parse_space(*find("digits"))


@pytest.fixture(params=SAMPLERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def worth(candidate: Candidate) -> float:
    """A planted objective: one cell, one edge and a learning rate near 0.1 are good."""
    rate = abs(math.log10(float(candidate["train.learning_rate"])) + 1)
    edge = bool(candidate["edges.feedback[IT>V2].include"])
    return 0.5 + 0.2 * (candidate["local"] == "simple") + 0.2 * edge - 0.1 * rate


def told(space: Space, number: int, seed: int = 0) -> list[Observation]:
    """Draws from the prior, with what they are worth; sizes are made up."""
    rng = random.Random(seed)
    return [
        Observation(
            number=each,
            candidate=space.sample(rng),
            objective=rng.random(),
            parameters=rng.randrange(1_000, 9_000),
            multiply_adds=rng.randrange(1_000, 9_000),
        )
        for each in range(1, number + 1)
    ]


def mixed(space: Space, number: int) -> list[Observation]:
    """A search as it comes: lost and stopped trials, duplicates, and the last three pending."""
    kinds = itertools.cycle(
        [{}, {"is_lost": True, "objective": 0.1}, {}, {"stopped_after": 2}, {}, {"duplicate_of": 1}, {}]
    )
    found = [replace(each, **kind) for each, kind in zip(told(space, number), kinds, strict=False)]
    return [*found[:-3], *(replace(each, objective=None, stopped_after=None, is_lost=False) for each in found[-3:])]


def proposals(sampler: Sampler, observed: Observed, asks: int = 6) -> list[Candidate]:
    return [sampler.ask(observed, seed).candidate for seed in range(asks)]


def search(space: Space, sampler: Sampler, number: int) -> Observed:
    """A search of so many trials, each told at once."""
    observed = Observed()
    for each in range(1, number + 1):
        candidate = sampler.ask(observed, each).candidate
        observed.add(Observation(number=each, candidate=candidate, objective=worth(candidate)))
    return observed


def test_an_ask_is_a_pure_function(digits: Space, name: str) -> None:
    sampler = SAMPLERS[name](digits, OPTIONS)
    observations = mixed(digits, 90)
    observed = Observed(observations)
    first = sampler.ask(observed, 5)
    sampler.ask(Observed(observations[:10]), 7)
    assert sampler.ask(observed, 5) == first
    follows_seed = any(sampler.ask(observed, seed) != first for seed in range(6, 9))
    assert follows_seed == (name != "local"), "local search looks around the best in an order of its own"


def test_an_ask_follows_from_the_record_alone(digits: Space, name: str) -> None:
    # One sampler goes through the whole search; another sees what came of it, through JSON, once.
    sampler, observed = SAMPLERS[name](digits, OPTIONS), Observed()
    observations = mixed(digits, 90)
    for place, each in enumerate(observations):
        if place % 9 == 0:
            sampler.ask(observed, place)
        observed.add(replace(each, objective=None))
        observed.add(each)
    read = [Observation(**json.loads(json.dumps(asdict(each)))) for each in observations]
    assert SAMPLERS[name](digits, OPTIONS).ask(Observed(read), 5) == sampler.ask(observed, 5)


@pytest.mark.parametrize("shipped", SHIPPED)
def test_proposals_are_of_the_space(name: str, shipped: str) -> None:
    space = parse_space(*find(shipped))
    sampler = SAMPLERS[name](space, OPTIONS)
    for observed in (Observed(), Observed(mixed(space, 70))):
        for candidate in proposals(sampler, observed, 4):
            space.close(candidate)  # raises where it is not


def test_what_is_told_matters_exactly_to_adaptive_samplers(digits: Space, name: str) -> None:
    sampler = SAMPLERS[name](digits, OPTIONS)
    observations = told(digits, 70)
    turned = [replace(each, objective=1 - (each.objective or 0)) for each in observations]
    differ = proposals(sampler, Observed(observations)) != proposals(sampler, Observed(turned))
    assert differ == sampler.adaptive == (name in ADAPTIVE)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_no_proposal_is_pending(name: str) -> None:
    # What would be asked next is pending. It repels in the libraries' samplers; ours never ask for it.
    space = parse_space(*find("digits"))
    sampler = SAMPLERS[name](space, OPTIONS)
    observations = told(space, 70)
    asked = proposals(sampler, Observed(observations), 20)
    pending = [Observation(number=100 + place, candidate=each, objective=None) for place, each in enumerate(asked)]
    again = proposals(sampler, Observed([*observations, *pending]), 20)
    assert again != asked
    if name in ("evolution", "local"):
        hashes = {candidate_hash(each) for each in asked}
        assert not any(candidate_hash(each) in hashes for each in again)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_stopped_trial_never_counts_as_complete(digits: Space, name: str) -> None:
    # However high a stopped trial's last report is, the same is asked as if it were low: it stands below all that are
    # complete, and alone among those stopped.
    sampler = SAMPLERS[name](digits, OPTIONS)
    observations = told(digits, 70)
    asks = []
    for objective in (0.001, 0.5, 5.0):
        stopped = replace(observations[40], stopped_after=2, objective=objective)
        asks.append(proposals(sampler, Observed([*observations[:40], stopped, *observations[41:]])))
    assert asks[0] == asks[1] == asks[2]


@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_lost_trial_is_the_worst(digits: Space, name: str) -> None:
    sampler = SAMPLERS[name](digits, OPTIONS)
    observations = told(digits, 70)
    asks = []
    for objective in (0.001, 0.5, 5.0):
        lost = replace(observations[40], is_lost=True, objective=objective)
        asks.append(proposals(sampler, Observed([*observations[:40], lost, *observations[41:]])))
    assert asks[0] == asks[1] == asks[2]


@pytest.mark.parametrize("name", ADAPTIVE)
def test_first_asks_need_no_trial(digits: Space, name: str) -> None:
    sampler = SAMPLERS[name](digits, OPTIONS)
    pending = [replace(each, objective=None) for each in told(digits, 40)]
    for candidate in proposals(sampler, Observed(pending)):
        digits.fill(candidate)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_only_lost_trials_are_enough(digits: Space, name: str) -> None:
    lost = [replace(each, is_lost=True, objective=0.1) for each in told(digits, 60)]
    for candidate in proposals(SAMPLERS[name](digits, OPTIONS), Observed(lost)):
        digits.fill(candidate)


@pytest.mark.parametrize("name", [name for name in ADAPTIVE if name != "nsga2"])
def test_a_planted_optimum_is_found(digits: Space, name: str) -> None:
    # Under the prior 20 % of draws have the cell and 30 % the edge, so 6 % both: 12 of 40 come by chance once in 10⁵.
    last = [each.candidate for each in search(digits, SAMPLERS[name](digits, OPTIONS), 100).told[60:]]
    both = [each for each in last if each["local"] == "simple" and each["edges.feedback[IT>V2].include"]]
    assert len(both) >= 12


class Counted(list[Observation]):
    """Told trials that count how often one is looked at."""

    looks = 0

    def __getitem__(self, place):
        self.looks += 1
        return super().__getitem__(place)

    def __iter__(self):
        for each in super().__iter__():
            self.looks += 1
            yield each

    def __reversed__(self):
        for each in super().__reversed__():
            self.looks += 1
            yield each


def test_no_ask_goes_through_the_whole_search(digits: Space, name: str) -> None:
    # The most that any is shown is a window of 300 trials.
    kinds = itertools.cycle([{}, {"is_lost": True}, {"duplicate_of": 1}, {"stopped_after": 2}, {}])
    drawn = told(digits, 100)
    observed = Observed()
    observed.told = Counted(
        replace(drawn[number % 100], number=number, objective=number % 977 / 977, **kind)
        for number, kind in zip(range(3_000), kinds, strict=False)
    )
    sampler = SAMPLERS[name](digits, OPTIONS)
    sampler.ask(observed, 0)
    for number in range(3_000, 3_003):
        observed.add(replace(drawn[number % 100], number=number))
        observed.told.looks = 0
        sampler.ask(observed, number)
        assert observed.told.looks <= 310


def test_warm_up_takes_the_largest(digits: Space) -> None:
    # Of seven draws at a time the median of the largest is the 0.906 quantile of one draw's size. That fewer than 20
    # of 30 lie above the 0.75 quantile, as each does with probability 0.867, happens once in 3,000.
    rng = random.Random(0)

    def size(candidate: Candidate) -> int:
        return digits.fill(candidate)[1].parameter_count

    quantile = sorted(size(digits.sample(rng)) for _ in range(400))[300]
    for name in ("evolution", "local", "optuna", "nsga2"):
        sampler = SAMPLERS[name](digits, SamplerOptions(warm_up=7))
        asked = [sampler.ask(Observed(), seed) for seed in range(30)]
        assert sum(size(each.candidate) > quantile for each in asked) >= 20
        assert all(each.log_propensity is None for each in asked)


def test_evolution_forgets_by_age(digits: Space) -> None:
    # What was best left the population long ago: nobody descends from it.
    observations = told(digits, 80)
    champion = replace(observations[0], objective=9.0)
    sampler = SAMPLERS["evolution"](digits, OPTIONS)
    seen = proposals(sampler, Observed([champion, *observations[1:]]), 20)
    assert seen == proposals(sampler, Observed(observations), 20)
    young = proposals(sampler, Observed([*observations[1:], champion]), 20)
    close = [sum(champion.candidate.get(path) == value for path, value in each.items()) for each in young]
    assert sorted(close)[-5] >= len(champion.candidate) - 6


def of_two_decisions() -> Space:
    """Nine candidates, of four neighbours each."""
    text, file = find("digits-feedforward")
    text = text.replace("kernel: 3, channels: 12", "kernel: {choice: [1, 3, 5]}, channels: {choice: [8, 12, 16]}", 1)
    return parse_space(text, file)


def test_evolution_begins_when_a_tournament_is_whole() -> None:
    # After nine trials the prior is asked: that 20 draws are all neighbours of the best happens once in 10⁷. After ten
    # all of them meet in the tournament, so that all children are the best's.
    space = of_two_decisions()
    kernel, channels = (hole.path for hole in space.holes)
    sampler = SAMPLERS["evolution"](space, OPTIONS)
    observations = [
        Observation(number=number, candidate={kernel: 1, channels: 12}, objective=0.1) for number in range(1, 10)
    ]
    observations[4] = replace(observations[4], candidate={kernel: 5, channels: 16}, objective=0.2)
    neighbours = [{kernel: 1, channels: 16}, {kernel: 3, channels: 16}, {kernel: 5, channels: 8}]
    neighbours.append({kernel: 5, channels: 12})
    assert any(each not in neighbours for each in proposals(sampler, Observed(observations), 20))
    observations.append(replace(observations[0], number=10))
    assert all(each in neighbours for each in proposals(sampler, Observed(observations), 20))


def test_local_search_leaves_what_is_exhausted() -> None:
    # The best has four neighbours, and once these were asked, the next best's.
    space = of_two_decisions()
    kernel, channels = (hole.path for hole in space.holes)
    sampler = SAMPLERS["local"](space, OPTIONS)
    observed = Observed()
    for number in range(1, 11):  # one candidate again and again, and its worse neighbour once
        candidate = {kernel: 1, channels: 8 if number > 1 else 12}
        observed.add(Observation(number=number, candidate=candidate, objective=number / 100))
    asked = []
    for number in range(11, 16):
        asked.append(sampler.ask(observed, number).candidate)
        observed.add(Observation(number=number, candidate=asked[-1], objective=0.0))
    around = [{kernel: 3, channels: 8}, {kernel: 5, channels: 8}, {kernel: 1, channels: 16}]
    assert all(each in asked[:3] for each in around)
    assert asked[3] in ({kernel: 3, channels: 12}, {kernel: 5, channels: 12})
    assert asked[4] in ({kernel: 3, channels: 12}, {kernel: 5, channels: 12})


def test_a_failed_neighbour_is_new_again(digits: Space) -> None:
    # Whether it was seen pending or never: a search that is begun again from its record asks what it would have asked.
    observations = told(digits, 40)
    observed = Observed(observations)
    sampler = SAMPLERS["local"](digits, OPTIONS)
    first = sampler.ask(observed, 0).candidate
    observed.add(Observation(number=41, candidate=first, objective=None))
    assert sampler.ask(observed, 1).candidate != first
    observed.forget(41)
    assert sampler.ask(observed, 2) == SAMPLERS["local"](digits, OPTIONS).ask(Observed(observations), 2)
