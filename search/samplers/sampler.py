"""What a sampler is, and what it is shown of a search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from space.space import Candidate, Space

Size: TypeAlias = Literal["parameters", "multiply_adds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A trial that was asked before, and what is known of it.

    Arguments:
        number: of the trial.
        candidate: its decisions.
        objective: to be made large; None while it is pending. Of a trial that a scheduler stopped it is the last
            report's, so it is compared with others by `standing` alone.
        stopped_after: epochs after which a scheduler stopped it; None where it was not stopped.
        is_lost: whether it learnt nothing (it diverged, or stayed at chance), so that `objective` is chance level.
        duplicate_of: the trial whose end it was told, having an equal architecture; None where it was trained itself.
        parameters: how many its architecture has.
        multiply_adds: of its architecture, for one image.

    """

    number: int
    candidate: Candidate
    objective: float | None
    stopped_after: int | None = None
    is_lost: bool = False
    duplicate_of: int | None = None
    parameters: int = 0
    multiply_adds: int = 0

    @property
    def standing(self) -> tuple[int, int, float]:
        """What ranks ended trials: those lost, those stopped by their epochs, those complete; then the objective."""
        assert self.objective is not None
        if self.is_lost:
            return 0, 0, self.objective
        if self.stopped_after is not None:
            return 1, self.stopped_after, self.objective
        return 2, 0, self.objective


class Observed:
    """What a sampler is shown of a search: every trial that was told an objective, and every one that is pending.

    It grows event by event, so that showing ten thousand trials costs no more than showing ten.

    Arguments:
        observations: to begin with, in record order.

    """

    def __init__(self, observations: Iterable[Observation] = ()) -> None:
        self.told: list[Observation] = []
        self.pending: dict[int, Observation] = {}
        for each in observations:
            self.add(each)

    def add(self, observation: Observation) -> None:
        """Take in a new pending trial, or the end of one."""
        if observation.objective is None:
            self.pending[observation.number] = observation
        else:
            self.pending.pop(observation.number, None)
            self.told.append(observation)

    def forget(self, number: int) -> None:
        """A pending trial failed: nothing is told of it."""
        self.pending.pop(number, None)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate to try next.

    Arguments:
        candidate: its decisions.
        log_propensity: log of the probability (density) with which this ask gives this candidate; None where it
            cannot be stated.

    """

    candidate: Candidate
    log_propensity: float | None


class Sampler(Protocol):
    """Proposes candidates of one space; what it keeps between asks is at most a memo of what it was shown."""

    @property
    def adaptive(self) -> bool:
        """Whether the proposals depend on what was observed."""

    def ask(self, observed: Observed, seed: int) -> Proposal:
        """Propose a candidate; equal observations and seeds give equal ones.

        Arguments:
            observed: the search so far; failed trials are left out.
            seed: of this ask alone.

        """


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerOptions:
    """What a search may choose of its sampler.

    Arguments:
        warm_up: rank the first candidates by size: each is the largest of so many draws from the prior. 1 for none.
        against: the size that a multi-objective sampler makes small while it makes the objective large.

    """

    warm_up: int = 1
    against: Size = "parameters"


class MakeSampler(Protocol):
    """Makes a sampler of a space."""

    def __call__(self, space: Space, options: SamplerOptions) -> Sampler:
        """The sampler."""
