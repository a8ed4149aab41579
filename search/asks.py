"""Who proposes the next trial: the search's sampler, or now and then the prior."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from search.history import History
from search.samplers.random_prior import RandomSampler
from search.samplers.sampler import Observation, Proposal, Sampler
from search.settings import SearchSettings
from space.errors import UsageError, did_you_mean
from space.space import Space

PRIOR = "prior"
FEASIBLE_TRIES = 20
PRIOR_EVERY = 10  # every tenth ask is an unranked draw: it explores, and population estimates stand on these


def _hyperopt(space: Space) -> Sampler:
    from search.samplers.hyperopt_tpe import HyperoptSampler  # slow to import, and only this sampler needs it

    return HyperoptSampler(space)


def _optuna(space: Space) -> Sampler:
    from search.samplers.optuna_tpe import OptunaSampler  # as slow

    return OptunaSampler(space)


SAMPLERS: dict[str, Callable[[Space], Sampler]] = {
    "random": RandomSampler,
    "hyperopt": _hyperopt,
    "optuna": _optuna,
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A proposal and who made it."""

    sampler: str
    proposal: Proposal
    log_prior: float

    def plain(self) -> dict[str, Any]:
        """As the record keeps it."""
        return {
            "sampler": self.sampler,
            "candidate": self.proposal.candidate,
            "log_prior": self.log_prior,
            "log_propensity": self.proposal.log_propensity,
        }


class Asks:
    """Proposes trials; each ask is a function of (space, settings, number, history) alone."""

    def __init__(self, space: Space, settings: SearchSettings) -> None:
        if settings.sampler not in SAMPLERS:
            raise UsageError(f"there is no sampler {settings.sampler!r}; {did_you_mean(settings.sampler, SAMPLERS)}")
        self.space = space
        self.settings = settings
        self.sampler = SAMPLERS[settings.sampler](space)
        self.prior = RandomSampler(space)

    def ask(self, number: int, history: History) -> Ask:
        """Propose the candidate of trial `number`."""
        from_prior = not self.sampler.adaptive or number % PRIOR_EVERY == 0
        sampler = self.prior if from_prior else self.sampler
        ended = [Observation(trial.candidate, trial.objective) for trial in history.ended if trial.end != "failed"]
        pending = [Observation(trial.candidate, None) for trial in history.unfinished]
        proposal = self._feasible(sampler, [*ended, *pending], number)
        name = PRIOR if from_prior else self.settings.sampler
        return Ask(name, proposal, self.space.log_prior(proposal.candidate))

    def _feasible(self, sampler: Sampler, observed: list[Observation], number: int) -> Proposal:
        """A proposal that meets the space's constraints, which a library's sampler does not know: it is asked again."""
        for attempt in range(FEASIBLE_TRIES):
            purpose = f"ask again {attempt}" if attempt else "ask"
            proposal = sampler.ask(observed, self.settings.derived_seed(purpose, number))
            if self.space.reject(proposal.candidate) is None:
                return proposal
        drawn = self.prior.ask(observed, self.settings.derived_seed("ask the prior", number))
        return Proposal(drawn.candidate, None)
