"""The values that a hole may take, by their number and position, where they can be told one by one."""

from __future__ import annotations

from space.tree import Choice, Domain, Integers, Reals, Value


def options(domain: Domain) -> int | None:
    """How many values a domain has; None where it is continuous."""
    match domain:
        case Choice(labels=labels):
            return len(labels)
        case Integers(low=low, high=high):
            return high - low + 1
        case Reals(points=points):
            return points


def option(domain: Domain, position: int) -> Value:
    """The value at a position, from 0, of a domain that is not continuous: options as written, numbers upwards."""
    match domain:
        case Choice(labels=labels):
            return labels[position]
        case Integers(low=low):
            return low + position
        case Reals():
            return domain.point(position)
