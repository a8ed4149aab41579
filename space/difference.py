"""What two candidates decide otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from space.space import Candidate
from space.tree import Value


@dataclass(frozen=True, slots=True)
class Difference:
    """A decision that two candidates do not share; None where a candidate does not make it."""

    path: str
    before: Value | None
    after: Value | None


def diff(before: Candidate, after: Candidate) -> tuple[Difference, ...]:
    """The decisions in which two candidates differ, in the order of the first, then what only the second decides."""
    paths = dict.fromkeys((*before, *after))
    pairs = [(path, before.get(path), after.get(path)) for path in paths]
    return tuple(Difference(*each) for each in pairs if type(each[1]) is not type(each[2]) or each[1] != each[2])
