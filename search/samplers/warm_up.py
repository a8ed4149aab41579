"""The first candidates of a search that ranks what it was told: from the prior, perhaps the largest of some draws.

How many parameters an architecture has says something of how well it will do before anything is trained: on
NAS-Bench-201 their rank correlation is 0.7 (Abdelfattah et al. 2021, arXiv 2101.08134, section 4).
"""

from __future__ import annotations

import random

from search.samplers.random_prior import RandomSampler
from search.samplers.sampler import Observed, Proposal
from space.errors import SpecificationError
from space.space import Candidate, Space


class WarmUp:
    """Draws from the prior, `draws` times for each ask, and proposes the architecture with the most parameters."""

    def __init__(self, space: Space, draws: int) -> None:
        self.space = space
        self.draws = draws
        self.prior = RandomSampler(space)

    def ask(self, observed: Observed, seed: int) -> Proposal:
        """Propose a first candidate; its propensity can be stated where it is the only draw."""
        if self.draws == 1:
            return self.prior.ask(observed, seed)
        rng = random.Random(seed)
        return Proposal(max((self.space.sample(rng) for _ in range(self.draws)), key=self._parameters), None)

    def _parameters(self, candidate: Candidate) -> int:
        try:
            _, graph = self.space.fill(candidate)
        except SpecificationError:  # its parts do not fit together
            return 0
        return graph.parameter_count
