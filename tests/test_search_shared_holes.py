"""Samplers by other libraries draw from our prior where one decision leads to several branches, as `all` makes it."""

from collections import Counter

import optuna
import pytest
from scipy import stats

from search.samplers.hyperopt_tpe import HyperoptSampler
from search.samplers.optuna_study import suggest
from search.samplers.registry import SAMPLERS
from search.samplers.sampler import Observation, Observed, SamplerOptions
from space.parse import parse_space

DRAWS = 900
FALSE_FAILURE_RATE = 1e-4  # of each of the eighteen comparisons below; their seeds are fixed
AREAS = "".join(f"  V{rank}: {{drive: [conv: {{kernel: 3, channels: 4}}]}}\n" for rank in range(3))
SPACE = f"""\
striate: 1
name: shared
input: {{channels: 1, size: 8, classes: 10}}
time: {{steps: 7}}
areas:
{AREAS}edges:
  feedback:
    candidates: {{from: all, to: all}}
    all: {{include: {{bool: 0.3}}}}
    each:
      via:
        - conv:
            kernel: {{choice: [1, 3], weights: [1, 3]}}
            separable: {{choice: {{a: true, b: {{bool: 0.25}}}}}}
train: {{data: digits, learning_rate: 0.1}}
"""
INCLUDE = "edges.feedback.include"
EDGES = ("V1>V0", "V2>V0", "V2>V1")
MARGINALS = {  # path → its values and their probabilities, where it is met
    INCLUDE: {True: 0.3, False: 0.7},
    **{f"edges.feedback[{edge}].via[0].conv.kernel": {1: 0.25, 3: 0.75} for edge in EDGES},
    **{f"edges.feedback[{edge}].via[0].conv.separable": {"a": 0.5, "b": 0.5} for edge in EDGES},
    "edges.feedback[V2>V0].via[0].conv.separable{b}": {True: 0.25, False: 0.75},
    "edges.feedback[V2>V1].via[0].conv.separable{b}": {True: 0.25, False: 0.75},
}


@pytest.fixture(scope="module")
def space():
    return parse_space(SPACE, "shared.yaml")


@pytest.fixture(scope="module")
def drawn(space):
    """Candidates by each library's draws from what it takes for the prior."""
    hyperopt = HyperoptSampler(space)  # before 20 observations it draws from its prior
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=7))
    return {
        "hyperopt": [hyperopt.ask(Observed(), seed).candidate for seed in range(DRAWS)],
        "optuna": [suggest(space, study.ask()) for _ in range(DRAWS)],
    }


@pytest.mark.parametrize("library", ["hyperopt", "optuna"])
@pytest.mark.parametrize("path", MARGINALS)
def test_each_decision_is_drawn_from_our_prior_wherever_it_is_met(drawn, space, library, path):
    candidates = drawn[library]
    values = [candidate[path] for candidate in candidates if path in candidate]
    assert len(values) > 50
    counts = Counter(values)
    assert counts.keys() <= MARGINALS[path].keys()
    wanted = [len(values) * share for share in MARGINALS[path].values()]
    assert stats.chisquare([counts[each] for each in MARGINALS[path]], wanted).pvalue > FALSE_FAILURE_RATE


@pytest.mark.parametrize("library", ["hyperopt", "optuna"])
def test_candidates_decide_what_is_met_and_nothing_else(drawn, space, library):
    for candidate in drawn[library][:100]:
        space.close(candidate)  # raises where a decision is missing, or one too many
        assert all((path in candidate) == candidate[INCLUDE] for path in MARGINALS if path.endswith("kernel"))


@pytest.mark.parametrize("name", ["hyperopt", "optuna"])
def test_what_is_observed_is_told(space, name):
    observed = Observed()
    for seed in range(40):
        candidate = SAMPLERS[name](space, SamplerOptions()).ask(observed, seed).candidate
        space.close(candidate)
        observed.add(Observation(number=seed + 1, candidate=candidate, objective=0.1 + 0.5 * candidate[INCLUDE]))
    assert sum(bool(each.candidate[INCLUDE]) for each in observed.told[25:]) > 7  # planted; 4.5 of 15 by chance
