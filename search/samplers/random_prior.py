"""Random search: every candidate is drawn from the space's prior."""

from __future__ import annotations

import random

from search.samplers.sampler import Observed, Proposal
from space.space import Space


class RandomSampler:
    """Draws from the prior and looks at nothing."""

    adaptive = False

    def __init__(self, space: Space) -> None:
        self.space = space

    def ask(self, observed: Observed, seed: int) -> Proposal:
        """Draw a candidate; its propensity is its prior, where no constraint makes that a share of what is feasible."""
        candidate = self.space.sample(random.Random(seed))
        return Proposal(candidate, None if self.space.constraints else self.space.log_prior(candidate))
