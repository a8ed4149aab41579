"""NSGA-II of Deb et al. 2002 by Optuna: a large objective against a small size.

Each generation is the next `POPULATION` trials that were trained to their end. Optuna chooses its parents from the last
generation and that one's parents, so an ask shows it these alone, however long the search is. Optuna crosses decisions
that all parents make; so the genome is of all holes, those that an architecture does not reach being dormant, with a
value that is drawn once for each trial. Trials that were stopped or learnt nothing are of no generation: their
objectives cannot be compared with the others', and a small network would count for being small.
"""

from __future__ import annotations

import random

from search.samplers.fold import Asked, Fold
from search.samplers.optuna_study import Direction, FrozenTrial, decided, individual, nsga2, study, suggest
from search.samplers.sampler import Observation, Observed, Proposal, SamplerOptions, Size
from search.samplers.warm_up import WarmUp
from space.space import Space

POPULATION = 30
DIRECTIONS: tuple[Direction, Direction] = "maximize", "minimize"
TRIES = 20  # at a child that was not asked before


class Generations(Fold):
    """The trials from which the parents of the next generation are chosen."""

    eligible: list[Observation]

    def __init__(self, space: Space, against: Size) -> None:
        self.space = space
        self.against = against
        super().__init__()

    def clear(self) -> None:
        """No generation is whole."""
        self.eligible = []
        self._next: list[Observation] = []

    def take(self, place: int, observation: Observation) -> None:
        """Take a trial into the next generation, and when that is whole, make it the last one."""
        if observation.is_lost or observation.stopped_after is not None or observation.duplicate_of is not None:
            return
        self._next.append(observation)
        if len(self._next) == POPULATION:
            self.eligible = [*self._parents(), *self._next]
            self._next = []

    def _parents(self) -> list[Observation]:
        """Those of the eligible that the next generation is made of."""
        if not self.eligible:
            return []
        sampler = nsga2(0, POPULATION)
        chosen = sampler.select_parent(study(sampler, self.trials(), *DIRECTIONS), generation=1)
        return [self.eligible[each.number] for each in chosen]

    def trials(self) -> list[FrozenTrial]:
        """The eligible, as one generation of Optuna's."""
        return [self._individual(each) for each in self.eligible]

    def _individual(self, observation: Observation) -> FrozenTrial:
        rng = random.Random(observation.number)
        genome = {hole.key: (hole, hole.domain.draw(rng)) for hole in self.space.holes}
        genome |= decided(self.space, observation.candidate)
        size = observation.parameters if self.against == "parameters" else observation.multiply_adds
        return individual(genome, (observation.objective or 0.0, float(size)))


class NSGA2Sampler:
    """Optuna's NSGA-II; the first generation is from the prior."""

    adaptive = True

    def __init__(self, space: Space, options: SamplerOptions) -> None:
        self.space = space
        self.warm_up = WarmUp(space, options.warm_up)
        self.generations = Generations(space, options.against)
        self.asked = Asked()

    def ask(self, observed: Observed, seed: int) -> Proposal:
        """Propose a child of the last whole generation and its parents."""
        self.generations.follow(observed)
        if not self.generations.eligible:
            return self.warm_up.ask(observed, seed)
        self.asked.follow(observed)
        known = study(nsga2(seed, POPULATION), self.generations.trials(), *DIRECTIONS)
        for _ in range(TRIES):
            child = suggest(self.space, known.ask())
            if child not in self.asked:
                break
        return Proposal(child, None)
