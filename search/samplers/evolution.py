"""Regularised evolution of Real et al. 2019 (arXiv 1802.01548, algorithm 1), asynchronous as in their section 3.

The population is what ended last, so that a trial leaves it by age and not by rank. Departures: the first tournament is
held as soon as there are trials enough for one, and the population grows on from there; one mutation changes one
decision, with all that hangs on it; a child that was asked before, or is pending, is made again; trials that were told
another's end are of no population.
"""

from __future__ import annotations

import random

from search.samplers.fold import Asked
from search.samplers.sampler import Observation, Observed, Proposal, SamplerOptions
from search.samplers.warm_up import WarmUp
from space.mutate import mutate
from space.space import Space

POPULATION = 20
TOURNAMENT = 10
TRIES = 50  # at a child that was not asked before


class EvolutionSampler:
    """Mutates the winner of a tournament among the last trials."""

    adaptive = True

    def __init__(self, space: Space, options: SamplerOptions) -> None:
        self.space = space
        self.warm_up = WarmUp(space, options.warm_up)
        self.asked = Asked()

    def ask(self, observed: Observed, seed: int) -> Proposal:
        """Propose a child; while there are too few trials for a tournament, what the warm-up proposes."""
        population = latest(observed, POPULATION)
        if len(population) < TOURNAMENT:
            return self.warm_up.ask(observed, seed)
        self.asked.follow(observed)
        rng = random.Random(seed)
        for _ in range(TRIES):
            parent = max(rng.sample(population, TOURNAMENT), key=lambda each: each.standing)
            child = mutate(self.space, parent.candidate, rng)
            if child not in self.asked:
                break
        return Proposal(child, None)


def latest(observed: Observed, number: int) -> list[Observation]:
    """The last trials that were trained, the latest first."""
    found: list[Observation] = []
    for each in reversed(observed.told):
        if len(found) == number:
            break
        if each.duplicate_of is None:
            found.append(each)
    return found
