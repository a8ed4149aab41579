"""Who proposes the next trial: the search's sampler, now and then the prior, or what is left of the space."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from search.appraise import Appraisal, appraise
from search.samplers.random_prior import RandomSampler
from search.samplers.registry import SAMPLERS
from search.samplers.sampler import Observed, Proposal, Sampler, SamplerOptions
from search.settings import SearchSettings
from space.count import count
from space.enumeration import enumerate_candidates
from space.errors import SpecificationError, UsageError, did_you_mean
from space.space import Candidate, Space

PRIOR = "prior"
UNSEEN = "unseen"
FEASIBLE_TRIES = 20
PRIOR_EVERY = 10  # every tenth ask is an unranked draw: it explores, and population estimates stand on these
DUPLICATES_IN_A_ROW = 50  # of which the next ask is for anything that is new
UNSEEN_DRAWS = 300
FEW = 20_000  # candidates of a space that are gone through one by one before it is called exhausted


@dataclass(frozen=True, slots=True)
class Ask:
    """A proposal, who made it, and what is known of it."""

    sampler: str
    proposal: Proposal
    log_prior: float
    appraisal: Appraisal
    duplicate_of: int | None

    def plain(self) -> dict[str, Any]:
        """As the record keeps it."""
        return {
            "sampler": self.sampler,
            "candidate": self.proposal.candidate,
            "log_prior": self.log_prior,
            "log_propensity": self.proposal.log_propensity,
            "duplicate_of": self.duplicate_of,
            **self.appraisal.plain(),
        }


class Asks:
    """Proposes trials; each ask is a function of (space, settings, number, what was asked and told before) alone.

    Arguments:
        space: of the candidates.
        settings: of the search.

    Raises:
        UsageError: there is no such sampler.

    """

    def __init__(self, space: Space, settings: SearchSettings) -> None:
        if settings.sampler not in SAMPLERS:
            raise UsageError(f"there is no sampler {settings.sampler!r}; {did_you_mean(settings.sampler, SAMPLERS)}")
        self.space = space
        self.settings = settings
        options = SamplerOptions(warm_up=settings.warm_up, against=settings.against)
        self.sampler = SAMPLERS[settings.sampler](space, options)
        self.prior = RandomSampler(space)

    def ask(self, number: int, observed: Observed, known: Mapping[str, int], duplicates_in_a_row: int) -> Ask | None:
        """Propose the candidate of trial `number`.

        Arguments:
            number: of the trial.
            observed: the search so far.
            known: the key of each trial that was asked → its number.
            duplicates_in_a_row: how many of the last asks gave what was known.

        Returns:
            The ask, or None where nothing is left that is new.

        """
        if duplicates_in_a_row >= DUPLICATES_IN_A_ROW:
            return self._unseen(number, known)
        from_prior = not self.sampler.adaptive or number % PRIOR_EVERY == 0
        proposal = self._feasible(self.prior if from_prior else self.sampler, observed, number)
        appraisal = appraise(self.space, proposal.candidate)
        name = PRIOR if from_prior else self.settings.sampler
        return self._ask(name, proposal, appraisal, known.get(appraisal.key))

    def _feasible(self, sampler: Sampler, observed: Observed, number: int) -> Proposal:
        """A proposal that meets the space's constraints, which a library's sampler does not know: it is asked again.

        Raises:
            SpecificationError: none was found.

        """
        for attempt in range(FEASIBLE_TRIES):
            purpose = f"ask again {attempt}" if attempt else "ask"
            try:
                proposal = sampler.ask(observed, self.settings.derived_seed(purpose, number))
            except SpecificationError:  # it has tried as often as it is worth
                break
            if self.space.reject(proposal.candidate) is None:
                return proposal
        drawn = self.prior.ask(observed, self.settings.derived_seed("ask the prior", number))
        return Proposal(drawn.candidate, None)

    def _unseen(self, number: int, known: Mapping[str, int]) -> Ask | None:
        """Any candidate that is new: drawn from the prior, or where there are few candidates, found among all."""
        rng = random.Random(self.settings.derived_seed("unseen", number))
        drawn = ((each, appraise(self.space, each)) for each in self._draws(rng))
        for candidate, appraisal in itertools.chain(drawn, self._all()):
            if appraisal.key not in known:
                return self._ask(UNSEEN, Proposal(candidate, None), appraisal, None)
        return None

    def _draws(self, rng: random.Random) -> Iterator[Candidate]:
        with suppress(SpecificationError):  # so many draws broke a constraint that there may be none that does not
            for _ in range(UNSEEN_DRAWS):
                yield self.space.sample(rng)

    def _all(self) -> Iterator[tuple[Candidate, Appraisal]]:
        counted = count(self.space)
        if counted.continuous or counted.candidates > FEW:
            return
        for candidate in enumerate_candidates(self.space):
            if self.space.reject(candidate) is None:
                yield candidate, appraise(self.space, candidate)

    def _ask(self, sampler: str, proposal: Proposal, appraisal: Appraisal, duplicate_of: int | None) -> Ask:
        return Ask(sampler, proposal, self.space.log_prior(proposal.candidate), appraisal, duplicate_of)
