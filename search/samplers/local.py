"""Local search of White et al. 2021 (arXiv 2005.02960, algorithm 1): look around the best until nothing is new there.

A neighbour differs from an architecture by one decision, with all that hangs on it. Of each architecture at most
`NEIGHBOURS` are drawn, by a seed of its own, so that what is new there depends on the told trials alone. Theirs begins
again from a random architecture; here the next best one is looked around then.
"""

from __future__ import annotations

import random

from search.samplers.fold import Asked, Ranking
from search.samplers.sampler import Observation, Observed, Proposal, SamplerOptions
from search.samplers.warm_up import WarmUp
from space.errors import SpecificationError
from space.mutate import mutate
from space.space import Candidate, Space

FIRST = 10  # trials before the best of them is looked around
NEIGHBOURS = 100
STARTS = 100  # best trials that are looked around before the prior is asked again


class LocalSampler:
    """Proposes a neighbour of the best trial that has a new one; which one, no seed decides."""

    adaptive = True

    def __init__(self, space: Space, options: SamplerOptions) -> None:
        self.space = space
        self.warm_up = WarmUp(space, options.warm_up)
        self.ranking = Ranking()
        self.asked = Asked()
        self.around: dict[int, _Neighbours] = {}

    def ask(self, observed: Observed, seed: int) -> Proposal:
        """Propose a neighbour; of the first trials what the warm-up proposes."""
        self.ranking.follow(observed)
        if len(self.ranking.best) < FIRST:
            return self.warm_up.ask(observed, seed)
        self.asked.follow(observed)
        for place in self.ranking.best[:STARTS]:
            start = observed.told[place]
            around = self.around.get(start.number)
            if around is None or around.start is not start:
                around = self.around[start.number] = _Neighbours(self.space, start)
            neighbour = around.new(self.asked)
            if neighbour is not None:
                return Proposal(neighbour, None)
        return self.warm_up.ask(observed, seed)


class _Neighbours:
    """The neighbours of a trial, in the order in which they are drawn; none before `first` is new."""

    def __init__(self, space: Space, start: Observation) -> None:
        self.space = space
        self.start = start
        self.rng = random.Random(start.number)
        self.drawn: list[Candidate] = []
        self.exhausted = False
        self.first = 0

    def new(self, asked: Asked) -> Candidate | None:
        """The first that was not asked, or None where all were."""
        for position in range(self.first, NEIGHBOURS):
            if position == len(self.drawn) and not self._draw():
                return None
            neighbour = self.drawn[position]
            if neighbour not in asked:
                return neighbour
            if position == self.first and asked.was_told(neighbour):  # what is pending may still fail, and be new again
                self.first += 1
        return None

    def _draw(self) -> bool:
        """Draw one more; where none is found that meets the constraints, no other is looked for again."""
        if not self.exhausted:
            try:
                self.drawn.append(mutate(self.space, self.start.candidate, self.rng))
            except SpecificationError:
                self.exhausted = True
        return not self.exhausted
