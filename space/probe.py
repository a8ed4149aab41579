"""The probe: some samples of a space are lowered when it is read, so that shapes that do not fit are told at once.

What it may cost is bounded in values met, not in seconds, so that one file is told the same on every machine.
"""

from __future__ import annotations

import random
from collections import Counter

from space.constraints import Constraint
from space.errors import Mark, Problem, SpecificationError
from space.expressions import Expression, cost
from space.space import Space
from space.terms import Call, Over, terms
from space.tree import Choice, Hole, Mapping, Node, Sequence, When

SAMPLES = 64
FEWEST_SAMPLES = 3
FEWEST_DRAWS = 200
MOST_DRAWS = 4_000
MOST_VALUES = 150_000
_LOWERING = 5  # what building and lowering a value of a draw costs, beside drawing it
_MEASURING = 3  # what counting its operations costs


def probe(space: Space) -> None:
    """Lower some samples of a space.

    Draws that break a constraint are not samples. Where none of at least `FEWEST_DRAWS` is one, the space is refused;
    a large space whose draws are dear may be spared that, and is refused when it is sampled.

    Raises:
        SpecificationError: what a draw describes does not fit together, or no draw meets the constraints.

    """
    rng = random.Random(0)
    drawing = _met(space.tree) + sum(_asked(each, 0) for each in space.constraints if each.stage == "candidate")
    members = _members(space)
    asking = sum(_asked(each, members) for each in space.constraints if each.stage == "built")
    measuring = any(map(_is_measured, space.constraints))
    lowering = (_LOWERING + measuring * _MEASURING) * _held(space.tree) + asking
    found: dict[tuple[Mark, str], Problem] = {}
    broken: Counter[str] = Counter()
    lowered = spent = 0
    samples, draws, enough = (SAMPLES, MOST_DRAWS, FEWEST_DRAWS) if space.holes else (1, 1, 1)
    while lowered < samples and broken.total() < draws:
        if spent > MOST_VALUES and lowered + broken.total() >= FEWEST_SAMPLES:
            break
        candidate, tree = space.drawn(rng)
        spent += drawing
        try:
            name = next(space.broken(candidate, tree), None)
        except SpecificationError as error:
            name = None
            for problem in error.problems:  # one value that does not fit stands for all that a hole may bring
                found.setdefault((problem.mark, problem.path), problem)
        if name is None:
            lowered += 1
        else:
            broken[name] += 1
        if name is None or asking:
            spent += lowering
    if found:
        raise SpecificationError(found.values())
    if not lowered and broken.total() >= enough:
        raise space.none_feasible(broken)


def _met(node: Node) -> int:
    """The most values, and parts of conditions, that one draw meets."""
    match node:
        case Hole(domain=Choice(labels=labels, branches=branches)):
            return 1 + len(labels) // 8 + max(map(_met, branches), default=0)
        case Sequence(items=items, is_closed=False):
            return 1 + sum(map(_met, items))
        case Mapping(entries=entries, is_closed=False):
            return 1 + sum(map(_met, entries.values()))
        case When(condition, body):
            return (cost(condition) if isinstance(condition, Expression) else 1) + _met(body)
        case _:
            return 1


def _held(node: Node) -> int:
    """The most values that an architecture of a draw has."""
    match node:
        case Hole(domain=Choice(branches=branches)):
            return max(map(_held, branches), default=1)
        case Sequence(items=items):
            return 1 + sum(map(_held, items))
        case Mapping(entries=entries):
            return 1 + sum(map(_held, entries.values()))
        case When(body=body):
            return _held(body)
        case _:
            return 1


def _members(space: Space) -> int:
    """The most edges or areas that a walk over the architecture may meet."""
    areas = space.tree.entries["areas"]
    return max(len(space.edges), len(areas.entries) if isinstance(areas, Mapping) else 1)


def _is_measured(constraint: Constraint) -> bool:
    """Whether a constraint asks what the operations of an architecture cost."""
    return any(
        isinstance(term, Call) and term.function in ("flops", "memory") for term in terms(constraint.condition.term)
    )


def _asked(constraint: Constraint, members: int) -> int:
    """What it costs to ask a constraint, in parts of it."""
    term = constraint.condition.term
    walked = sum(1 for over in terms(term) if isinstance(over, Over) for _ in terms(over))
    return cost(constraint.condition) + walked * members
