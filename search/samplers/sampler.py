"""What a sampler is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from space.space import Candidate


@dataclass(frozen=True, slots=True)
class Observation:
    """A candidate that was asked before, and what is known of it.

    Arguments:
        candidate: its decisions.
        objective: to be made large; None while it is pending.

    """

    candidate: Candidate
    objective: float | None


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
    """Proposes candidates of one space; keeps nothing of what it observed between asks."""

    @property
    def adaptive(self) -> bool:
        """Whether the proposals depend on what was observed."""

    def ask(self, observed: Sequence[Observation], seed: int) -> Proposal:
        """Propose a candidate; the same arguments give the same one.

        Arguments:
            observed: candidates told or pending, in record order; failed ones are left out.
            seed: of this ask alone.

        """
