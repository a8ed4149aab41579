"""What samplers make of the told trials, one by one: no ask goes through all of them again."""

from __future__ import annotations

import abc
import bisect

from search.samplers.sampler import Observation, Observed
from space.numeric import Value
from space.space import Candidate


class Fold(abc.ABC):
    """A memo of the told trials: it takes in those that came since, and begins anew where another search is shown."""

    def __init__(self) -> None:
        self._observed = Observed()
        self._read = 0
        self.clear()

    def follow(self, observed: Observed) -> None:
        """Take in what was told since."""
        if self._observed is not observed:
            self._observed = observed
            self._read = 0
            self.clear()
        for place in range(self._read, len(observed.told)):
            self.take(place, observed.told[place])
        self._read = len(observed.told)

    @abc.abstractmethod
    def clear(self) -> None:
        """Forget everything."""

    @abc.abstractmethod
    def take(self, place: int, observation: Observation) -> None:
        """Take in the next trial, and which of the told ones it is."""


class Ranking(Fold):
    """The told trials that were trained, by their places in the record, the best first; of equals the earlier one."""

    best: list[int]

    def clear(self) -> None:
        """Rank nothing."""
        self.best = []
        self._keys: list[tuple[int, int, float]] = []

    def take(self, place: int, observation: Observation) -> None:
        """Put a trial where it belongs."""
        if observation.duplicate_of is not None:
            return
        rung, epochs, objective = observation.standing
        key = (-rung, -epochs, -objective)
        rank = bisect.bisect_right(self._keys, key)
        self._keys.insert(rank, key)
        self.best.insert(rank, place)


class Asked(Fold):
    """Which candidates were asked before, pending ones among them."""

    def clear(self) -> None:
        """Nothing was asked."""
        self._told: set[frozenset[tuple[str, Value]]] = set()
        self._pending: set[frozenset[tuple[str, Value]]] = set()

    def take(self, place: int, observation: Observation) -> None:
        """Note a told candidate."""
        self._told.add(frozenset(observation.candidate.items()))

    def follow(self, observed: Observed) -> None:
        """Take in what was told since, and what is pending now."""
        super().follow(observed)
        self._pending = {frozenset(each.candidate.items()) for each in observed.pending.values()}

    def was_told(self, candidate: Candidate) -> bool:
        """Whether a candidate is one of those told."""
        return frozenset(candidate.items()) in self._told

    def __contains__(self, candidate: Candidate) -> bool:
        return self.was_told(candidate) or frozenset(candidate.items()) in self._pending
