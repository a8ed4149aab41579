"""The tree-structured Parzen estimator of Bergstra et al. 2011, by Hyperopt, which Nayebi et al. 2018 searched with.

Each ask builds Hyperopt's history from the observations and asks once; of a long search, from a window of them.
Hyperopt splits trials by the order of their losses alone, so it is told their ranks, in which a stopped trial stands
below all that are complete. A pending trial counts as one of the bad, so that trials in flight repel each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import hyperopt

from search.samplers.sampler import Observed, Proposal
from search.samplers.window import Translations, Window
from space.space import Candidate, Space
from space.tree import Choice, Domain, Hole, Integers, Mapping, Node, Reals, Scalar, Value, When, holes, resolve
from space.tree import Sequence as TreeSequence


class HyperoptSampler:
    """Hyperopt's TPE with its own defaults: the first 20 asks are random."""

    adaptive = True

    def __init__(self, space: Space) -> None:
        self.space = space
        self.domain = hyperopt.Domain(lambda _: 0.0, _Expressions(space.tree).of(space.tree))
        self.window = Window()
        self.values = Translations(lambda each: self._active(each.candidate))

    def ask(self, observed: Observed, seed: int) -> Proposal:
        """Propose by TPE; its propensity cannot be stated."""
        trials = self._trials(observed, seed)
        (suggestion,) = hyperopt.tpe.suggest([len(trials)], self.domain, trials, seed, verbose=False)
        drawn = {key: values[0] for key, values in suggestion["misc"]["vals"].items() if len(values)}
        candidate: Candidate = {}
        resolve(self.space.tree, lambda hole: _from_hyperopt(hole, drawn[hole.key]), candidate)
        return Proposal(candidate, None)

    def _trials(self, observed: Observed, seed: int) -> hyperopt.Trials:
        told = self.window.shown(observed, seed)
        worst_first = sorted({each.standing for each in told})
        loss = {standing: -float(rank) for rank, standing in enumerate(worst_first)}
        results: list[dict[str, Any]] = [
            {"status": hyperopt.STATUS_OK, "loss": loss[each.standing]} for each in told
        ] + [{"status": hyperopt.STATUS_NEW} for _ in observed.pending]
        trials = hyperopt.Trials()
        documents = []
        active = self.values.of([*told, *observed.pending.values()])
        for number, (decided, result) in enumerate(zip(active, results, strict=True)):
            values = {key: decided.get(key, []) for key in self.domain.params}
            indices = {key: [number] if found else [] for key, found in values.items()}
            misc = {"tid": number, "cmd": self.domain.cmd, "workdir": None, "idxs": indices, "vals": values}
            documents += trials.new_trial_docs([number], [None], [result], [misc])
        trials.insert_trial_docs(documents)
        trials.refresh()
        return trials

    def _active(self, candidate: Candidate) -> dict[str, list[Any]]:
        """Hole key → the one value that Hyperopt knows the decision by."""
        values: dict[str, list[Any]] = {}

        def note(hole: Hole) -> Value:
            value = candidate[hole.path]
            values[hole.key] = [_to_hyperopt(hole, value)]
            return value

        resolve(self.space.tree, note, {})
        return values


class _Expressions:
    """A Hyperopt space in which the same holes are active, with the same priors.

    A decision is one node of it, however many holes wait for it; each option leads to all that any of them then holds,
    such as what each edge holds where `all` of them are included by one decision.
    """

    def __init__(self, tree: Node) -> None:
        self.holes: dict[str, list[Hole]] = {}
        for hole in holes(tree):
            self.holes.setdefault(hole.key, []).append(hole)
        self.made: dict[str, Any] = {}

    def of(self, node: Node) -> Any:
        """The expression of a tree."""
        match node:
            case Scalar():
                return 0
            case TreeSequence(items):
                return self._inside(items)
            case Mapping(entries):
                return self._inside(entries.values())
            case When(body=body):  # Hyperopt draws it always; where the condition does not hold, nobody asks
                return self.of(body)
            case Hole(key=key, domain=domain):
                if key not in self.made:
                    self.made[key] = self._parameter(key, domain)
                return self.made[key]

    def _inside(self, nodes: Iterable[Node]) -> list[Any]:
        """Those in which anything is decided; Hyperopt copies all that it is given at each ask."""
        return [expression for expression in map(self.of, nodes) if expression not in (0, [])]

    def _parameter(self, key: str, domain: Domain) -> Any:
        match domain:
            case Choice(weights=weights):
                domains = [hole.domain for hole in self.holes[key] if isinstance(hole.domain, Choice)]
                inside = zip(*(each.branches for each in domains), strict=True)
                total = sum(weights)
                options = [
                    (weight / total, [self.of(branch) for branch in branches])
                    for weight, branches in zip(weights, inside, strict=True)
                ]
                return hyperopt.hp.pchoice(key, options)
            case Integers(low, high, log=True):
                return hyperopt.hp.qloguniform(key, math.log(low - 0.5), math.log(high + 0.5), 1)
            case Integers(low, high):
                # Hyperopt's own uniformint gives the ends half of the mass.
                return hyperopt.hp.quniform(key, low - 0.5, high + 0.5, 1)
            case Reals(points=int(points)):
                return hyperopt.hp.quniform(key, -0.5, points - 0.5, 1)
            case Reals(low, high, True):
                return hyperopt.hp.loguniform(key, math.log(low), math.log(high))
            case Reals(low, high):
                return hyperopt.hp.uniform(key, low, high)


def _from_hyperopt(hole: Hole, drawn: Any) -> Value:
    match hole.domain:
        case Choice(labels=labels):
            return labels[int(drawn)]
        case Integers(low, high):
            return min(max(int(drawn), low), high)
        case Reals(points=int(points)) as domain:
            return domain.point(min(max(int(drawn), 0), points - 1))
        case Reals(low, high):
            return min(max(float(drawn), low), high)


def _to_hyperopt(hole: Hole, value: Value) -> Any:
    match hole.domain:
        case Choice(labels=labels):
            return labels.index(value)
        case Reals(low=low, step=float(step)):
            return round((float(value) - low) / step)
        case _:
            return value
