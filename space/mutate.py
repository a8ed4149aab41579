"""New candidates from known ones: one decision changed, two parents crossed, a part completed.

A new candidate keeps a decision of an old one where the same hole is met again, which its key tells. So what hangs on a
changed choice is drawn anew, also where the new branch names its holes as the old one did, and what is shared with a
part that is still there stays. Where a space has constraints, the whole step is repeated until all are met.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from space.errors import Mark, Problem, Problems, SpecificationError, did_you_mean
from space.options import options
from space.space import Candidate, Space
from space.tree import Choice, Domain, Hole, Value, resolve, shown

MAX_TRIES = 1_000


def decisions(space: Space, candidate: Candidate) -> dict[str, Hole]:
    """The holes that a candidate decides, by path, in the order in which they are met.

    Raises:
        SpecificationError: the candidate is not of this space.

    """
    met: dict[str, Hole] = {}
    resolve(space.tree, lambda hole: _kept(space, candidate, hole, met), {})
    if met.keys() != candidate.keys():
        space.close(candidate)  # tells which decisions are of no active hole
    return met


def mutate(space: Space, candidate: Candidate, rng: random.Random) -> Candidate:
    """Change one decision, each that can being as likely; its new value is the prior's, given that it changes.

    Raises:
        SpecificationError: no decision can change, or no change of so many meets the constraints.

    """
    met = decisions(space, candidate)
    open_ = [hole for hole in met.values() if options(hole.domain) != 1]
    if not open_:
        rule = "a mutation changes a decision, but none of this candidate's has another value; widen a hole"
        raise SpecificationError([Problem(space.tree.mark, "", rule)])

    def changed() -> Candidate:
        target = rng.choice(open_)

        def decide(hole: Hole) -> Value:
            if hole.path == target.path and hole.key == target.key:
                return _other(hole.domain, candidate[hole.path], rng)
            is_same = hole.path in met and met[hole.path].key == hole.key
            return candidate[hole.path] if is_same else hole.domain.draw(rng)

        return _walk(space, decide)

    return _feasible(space, changed, "mutations")


def crossover(space: Space, first: Candidate, second: Candidate, rng: random.Random) -> Candidate:
    """Take each decision from one of two parents, evenly where both made it, from the prior where neither did.

    Raises:
        SpecificationError: a parent is not of this space, or no child of so many meets the constraints.

    """
    parents = [(parent, decisions(space, parent)) for parent in (first, second)]

    def child() -> Candidate:
        def decide(hole: Hole) -> Value:
            made = [parent for parent, met in parents if hole.path in met and met[hole.path].key == hole.key]
            return rng.choice(made)[hole.path] if made else hole.domain.draw(rng)

        return _walk(space, decide)

    return _feasible(space, child, "children")


def complete(space: Space, partial: Candidate, rng: random.Random) -> Candidate:
    """Draw a candidate that makes all decisions of a partial one, the others as the prior has them, given these.

    Raises:
        SpecificationError: a decision is of no hole of this space, or none of so many draws makes all of them.

    """
    problems = Problems()
    known = {hole.path: hole for hole in space.holes}
    for path, value in partial.items():
        domains = [hole.domain for hole in space.holes if hole.path == path]
        if not domains:
            rule = f"a candidate decides holes of its space, but none has this path; {did_you_mean(path, known)}"
            problems.add(space.tree.mark, path, rule)
        elif not any(domain.holds(value) for domain in domains):
            rule = f"a candidate decides this hole by {domains[0]}, but {shown(value)} was given; choose another"
            problems.add(known[path].mark, path, rule)
    problems.raise_if_any()
    missed: Candidate = {}
    for _ in range(MAX_TRIES):
        drawn = _walk(space, lambda hole: _given(partial, hole, rng))
        missed = {path: value for path, value in partial.items() if path not in drawn or drawn[path] != value}
        if not missed and space.reject(drawn) is None:
            return drawn
    path = next(iter(missed), "")
    mark = known[path].mark if path else space.tree.mark
    rule = f"a candidate is completed by drawing its other decisions, but none of {MAX_TRIES:,} draws"
    rule = f"{rule} {'meets this one' if path else 'meets the constraints'}; decide what it hangs on too"
    raise SpecificationError([Problem(mark, path, rule)])


def _given(partial: Candidate, hole: Hole, rng: random.Random) -> Value:
    value = partial.get(hole.path)
    return hole.domain.draw(rng) if value is None or not hole.domain.holds(value) else value


def _kept(space: Space, candidate: Candidate, hole: Hole, met: dict[str, Hole]) -> Value:
    value = candidate.get(hole.path)
    if value is None or not hole.domain.holds(value):
        space.close(candidate)  # raises, with all that is wrong
        raise AssertionError("a decision that is missing or not in its domain is refused")
    met[hole.path] = hole
    return value


def _other(domain: Domain, value: Value, rng: random.Random) -> Value:
    """Draw a value that is not the given one, as the prior has it."""
    if isinstance(domain, Choice):
        weights = {label: weight for label, weight in zip(domain.labels, domain.weights, strict=True) if label != value}
        return rng.choices(list(weights), list(weights.values()))[0]
    for _ in range(MAX_TRIES):
        drawn = domain.draw(rng)
        if drawn != value:
            return drawn
    return domain.low if value != domain.low else domain.high


def _walk(space: Space, decide: Callable[[Hole], Value]) -> Candidate:
    candidate: Candidate = {}
    resolve(space.tree, decide, candidate)
    return candidate


def _feasible(space: Space, make: Callable[[], Candidate], what: str) -> Candidate:
    """The first of so many new candidates that meets the constraints."""
    name: str | None = None
    for _ in range(MAX_TRIES):
        candidate = make()
        name = space.reject(candidate)
        if name is None:
            return candidate
    mark: Mark = next(each.condition.mark for each in space.constraints if each.name == name)
    rule = f"a new candidate meets the constraints, but none of {MAX_TRIES:,} {what} does, the last breaking {name!r}"
    raise SpecificationError([Problem(mark, "constraints", f"{rule}; loosen it, or begin from another candidate")])
