"""What a library's sampler is shown of a long search, so that an ask costs the same after ten thousand trials."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from search.samplers.fold import Ranking
from search.samplers.sampler import Observation, Observed

T = TypeVar("T")
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


class Translations(Generic[T]):
    """Trials as a library knows them; those that the last ask was shown are kept for the next.

    Arguments:
        translate: makes what the library knows a trial by.

    """

    def __init__(self, translate: Callable[[Observation], T]) -> None:
        self.translate = translate
        self._kept: dict[int, tuple[Observation, T]] = {}

    def of(self, observations: Sequence[Observation]) -> list[T]:
        """What the library knows them by, in their order."""
        kept = {each.number: self._one(each) for each in observations}
        self._kept = kept
        return [translated for _, translated in kept.values()]

    def _one(self, observation: Observation) -> tuple[Observation, T]:
        kept = self._kept.get(observation.number)
        return kept if kept and kept[0] is observation else (observation, self.translate(observation))
