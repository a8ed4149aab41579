"""What a library's sampler is shown of a long search, so that an ask costs the same after ten thousand trials."""

from __future__ import annotations

import random

from search.samplers.fold import Ranking
from search.samplers.sampler import Observation, Observed

BEST, LATEST, OTHERS = 100, 100, 100  # of the told trials


class Window:
    """Of the told trials the best, the latest and some others, drawn anew for each ask; a short history whole."""

    def __init__(self) -> None:
        self.ranking = Ranking()

    def shown(self, observed: Observed, seed: int) -> list[Observation]:
        """What is shown of the told trials, in record order."""
        told = observed.told
        if len(told) <= BEST + LATEST + OTHERS:
            return list(told)
        self.ranking.follow(observed)
        places = set(self.ranking.best[:BEST]) | set(range(len(told) - LATEST, len(told)))
        drawn = random.Random(seed).sample(range(len(told)), BEST + LATEST + OTHERS)
        places.update([place for place in drawn if place not in places][:OTHERS])
        return [told[place] for place in sorted(places)]
