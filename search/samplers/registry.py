"""Samplers by name; a library is imported only where its sampler is made."""

from __future__ import annotations

from search.samplers.random_prior import RandomSampler
from search.samplers.sampler import MakeSampler, Sampler, SamplerOptions
from space.space import Space


def _hyperopt(space: Space, options: SamplerOptions) -> Sampler:
    from search.samplers.hyperopt_tpe import HyperoptSampler

    return HyperoptSampler(space)


def _optuna(space: Space, options: SamplerOptions) -> Sampler:
    from search.samplers.optuna_tpe import OptunaSampler

    return OptunaSampler(space)


SAMPLERS: dict[str, MakeSampler] = {
    "random": lambda space, options: RandomSampler(space),
    "hyperopt": _hyperopt,
    "optuna": _optuna,
}
