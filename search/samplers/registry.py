"""Samplers by name; a library is imported only where its sampler is made."""

from __future__ import annotations

from search.samplers.evolution import EvolutionSampler
from search.samplers.local import LocalSampler
from search.samplers.random_prior import RandomSampler
from search.samplers.sampler import MakeSampler, Sampler, SamplerOptions
from space.space import Space


def _hyperopt(space: Space, options: SamplerOptions) -> Sampler:
    from search.samplers.hyperopt_tpe import HyperoptSampler

    return HyperoptSampler(space)


def _optuna(space: Space, options: SamplerOptions) -> Sampler:
    from search.samplers.optuna_tpe import OptunaSampler

    return OptunaSampler(space, options)


def _nsga2(space: Space, options: SamplerOptions) -> Sampler:
    from search.samplers.nsga2 import NSGA2Sampler

    return NSGA2Sampler(space, options)


SAMPLERS: dict[str, MakeSampler] = {
    "random": lambda space, options: RandomSampler(space),
    "evolution": EvolutionSampler,
    "local": LocalSampler,
    "hyperopt": _hyperopt,
    "optuna": _optuna,
    "nsga2": _nsga2,
}
