"""The tree-structured Parzen estimator by Optuna: multivariate, grouped by the decisions that are met together.

The cost of an ask grows with the history, so it is shown a window of it. Pending trials are shown as running: they
repel.
"""

from __future__ import annotations

from search.samplers.optuna_study import study, suggest, told, tpe
from search.samplers.sampler import Observed, Proposal, SamplerOptions
from search.samplers.warm_up import WarmUp
from search.samplers.window import Translations, Window
from space.space import Space

STARTUP = 20  # trials that are told before any is ranked


class OptunaSampler:
    """Optuna's TPE; the first asks are from the prior."""

    adaptive = True

    def __init__(self, space: Space, options: SamplerOptions) -> None:
        self.space = space
        self.warm_up = WarmUp(space, options.warm_up)
        self.window = Window()
        self.trials = Translations(lambda each: told(space, each))

    def ask(self, observed: Observed, seed: int) -> Proposal:
        """Propose by TPE, whose propensity cannot be stated; the prior's can."""
        if len(observed.told) < STARTUP:
            return self.warm_up.ask(observed, seed)
        shown = [*self.window.shown(observed, seed), *observed.pending.values()]
        known = study(tpe(seed), self.trials.of(shown), "maximize")
        return Proposal(suggest(self.space, known.ask()), None)
