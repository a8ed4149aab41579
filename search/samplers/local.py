"""Local search of White et al. 2021 (arXiv 2005.02960, algorithm 1): look around the best until nothing is new there.

A neighbour differs from an architecture by one decision, with all that hangs on it. Theirs begins again from a random
architecture; here the next best is looked around then, so that a search never begins from nothing, and what comes next
follows from the told trials alone.
"""

from __future__ import annotations

import random

from search.samplers.fold import Asked, Ranking
from search.samplers.sampler import Observed, Proposal, SamplerOptions
from search.samplers.warm_up import WarmUp
from space.mutate import mutate
from space.space import Space

STARTS = 10  # trials before the first is looked around
TRIES = 50  # at a neighbour that was not asked before


class LocalSampler:
    """Proposes a neighbour of the best trial that has a new one."""

    adaptive = True

    def __init__(self, space: Space, options: SamplerOptions) -> None:
        self.space = space
        self.warm_up = WarmUp(space, options.warm_up)
        self.ranking = Ranking()
        self.asked = Asked()

    def ask(self, observed: Observed, seed: int) -> Proposal:
        """Propose a neighbour; of the first trials what the warm-up proposes."""
        self.ranking.follow(observed)
        if len(self.ranking.best) < STARTS:
            return self.warm_up.ask(observed, seed)
        self.asked.follow(observed)
        rng = random.Random(seed)
        for place in self.ranking.best[:STARTS]:
            for _ in range(TRIES):
                neighbour = mutate(self.space, observed.told[place].candidate, rng)
                if neighbour not in self.asked:
                    return Proposal(neighbour, None)
        return self.warm_up.ask(observed, seed)
