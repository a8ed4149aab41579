"""How many candidates a space has, before constraints."""

from __future__ import annotations

from dataclasses import dataclass

from space.options import options
from space.space import Space
from space.ways import Known, Ways


@dataclass(frozen=True, slots=True)
class Count:
    """How many candidates a space has before constraints.

    Arguments:
        candidates: the number of discrete ways to decide: which decisions are met, and the values of those that are not
            continuous.
        exact: whether that is their number; else it is an upper bound, since a condition asks about real numbers, or
            about more than can be gone through, and either answer is counted.
        decisions: how many decisions there are, of which a candidate meets some.
        continuous: paths of the decisions that are real numbers.

    """

    candidates: int
    exact: bool
    decisions: int
    continuous: tuple[str, ...]


def count(space: Space) -> Count:
    """Count the candidates of a space."""
    ways = Ways(space.tree)
    candidates = ways.number((space.tree,), Known())
    continuous = {hole.path: None for hole in space.holes if options(hole.domain) is None}
    return Count(candidates, ways.is_exact, len({hole.path for hole in space.holes}), tuple(continuous))
