"""What joins the areas of a network, and at which steps who is computed, has been reached by the image, and matters.

A set of steps is an integer whose bit t stands for step t, so that all steps are worked out at once.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from space.model import DRIVE

IMAGE = -1
_Route: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection from an area, or from the image, to another, by their ranks.

    Arguments:
        source: rank, or `IMAGE`.
        target: rank.
        port: of the target.
        delay: how many steps before it reads what its source emitted.
        first: the first step at which it is there.
        last: the last one.

    """

    source: int
    target: int
    port: str
    delay: int
    first: int
    last: int

    def is_active(self, step: int) -> bool:
        """Whether it is there at a step."""
        return self.first <= step <= self.last


@dataclass(frozen=True, slots=True)
class Reader:
    """How an area takes part in time: what it does in the absence of a signal, and whether it has a state."""

    absent: str
    has_state: bool


@dataclass(frozen=True, slots=True)
class Clock:
    """When things happen.

    Arguments:
        steps: T.
        shown: for how many of them the image is shown, or None for all.
        after: what is shown then, if anything.
        frames: whether a sequence of images is shown, one at each step.

    """

    steps: int
    shown: int | None
    after: float | None
    frames: bool

    @property
    def every(self) -> int:
        """All steps."""
        return (1 << self.steps) - 1

    @property
    def lit(self) -> int:
        """The steps at which the image is shown."""
        return self.every if self.shown is None else (1 << min(self.shown, self.steps)) - 1


@dataclass(frozen=True, slots=True)
class Answer:
    """The read-out: how many steps before it reads, and the steps of which it gives an answer."""

    delay: int
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What happens at which steps, as sets of steps.

    Arguments:
        order: the areas, so that within a step each is computed after those that it reads without a delay.
        computed: rank → the steps at which an area is computed.
        image: rank → those at which the image may have reached what it emits.
        live: rank → those at which the read-out may depend on it.

    """

    order: tuple[int, ...]
    computed: tuple[int, ...]
    image: tuple[int, ...]
    live: tuple[int, ...]


def schedule(clock: Clock, readers: Sequence[Reader], wires: Sequence[Wire], answer: Answer) -> Schedule:
    """Work out a schedule; `order` takes it for granted that no wires without a delay run in a circle."""
    routes = _routes(clock, wires)
    computed = _computed(clock, readers, routes)
    image = _image(clock, readers, routes, computed)
    live = [0] * len(readers)
    live[-1] = sum(1 << step - answer.delay for step in answer.steps if step >= answer.delay) & computed[-1]
    changed = True
    while changed:
        before = list(live)
        for rank, reader in enumerate(readers):
            if reader.has_state:
                live[rank] |= live[rank] >> 1 & computed[rank]
        for source, target, delay, active in routes:
            if source != IMAGE:
                live[source] |= (live[target] & active) >> delay & computed[source]
        changed = live != before
    return Schedule(_order(len(readers), wires), tuple(computed), tuple(image), tuple(live))


def answered(clock: Clock, readers: Sequence[Reader], wires: Sequence[Wire], delay: int, *, every: bool) -> Answer:
    """The read-out of the last step, or of all at which the image may have reached it; of none if it never has."""
    routes = _routes(clock, wires)
    reached = _image(clock, readers, routes, _computed(clock, readers, routes))[-1] << delay & clock.every
    wanted = reached if every else reached & 1 << clock.steps - 1
    return Answer(delay, steps_of(wanted))


@functools.lru_cache(maxsize=4096)
def steps_of(found: int) -> tuple[int, ...]:
    """The members of a set of steps."""
    return tuple(step for step in range(found.bit_length()) if found >> step & 1)


def circle(areas: int, wires: Sequence[Wire]) -> tuple[int, ...]:
    """Areas that read one another without a delay in a circle, or none."""
    reads = _read_at_once(areas, wires)
    done: set[int] = set()
    for start in range(areas):
        path: list[int] = []
        stack = [(start, iter(reads[start]))] if start not in done else []
        while stack:
            rank, rest = stack[-1]
            path = [each for each, _ in stack]
            source = next((each for each in rest if each != IMAGE and each not in done), None)
            if source is None:
                done.add(rank)
                stack.pop()
            elif source in path:
                return (*path[path.index(source) :],)
            else:
                stack.append((source, iter(reads[source])))
    return ()


def _order(areas: int, wires: Sequence[Wire]) -> tuple[int, ...]:
    reads = _read_at_once(areas, wires)
    order: list[int] = []
    waiting = list(range(areas))
    while waiting:
        ready = next(rank for rank in waiting if not any(source in waiting for source in reads[rank]))
        order.append(ready)
        waiting.remove(ready)
    return tuple(order)


def _read_at_once(areas: int, wires: Sequence[Wire]) -> list[list[int]]:
    """Rank → what it reads without a delay."""
    reads: list[list[int]] = [[] for _ in range(areas)]
    for wire in wires:
        if not wire.delay:
            reads[wire.target].append(wire.source)
    return reads


def _shown(clock: Clock) -> int:
    return clock.lit if clock.after is None else clock.every


def active_steps(wire: Wire, clock: Clock) -> int:
    """The steps at which a wire is there."""
    last = min(wire.last, clock.steps - 1)
    return (1 << last + 1) - (1 << wire.first) if wire.first <= last else 0


def illuminated(wire: Wire, clock: Clock, timing: Schedule) -> int:
    """The steps at which the image may have reached what a wire brings."""
    source = clock.lit if wire.source == IMAGE else timing.image[wire.source]
    return source << wire.delay & active_steps(wire, clock)


def arrivals(wire: Wire, clock: Clock, timing: Schedule, absent: str) -> int:
    """The steps at which a wire brings something that matters to its target, which takes absence so."""
    found = active_steps(wire, clock) & timing.live[wire.target]
    if absent != "zeros":
        found &= (_shown(clock) if wire.source == IMAGE else timing.computed[wire.source]) << wire.delay
    return found


def driven(rank: int, wires: Sequence[Wire], clock: Clock, timing: Schedule, absent: str) -> int:
    """The steps at which the drive of an area is computed and matters."""
    if absent == "zeros":
        return timing.live[rank]
    found = 0
    for wire in wires:
        if (wire.target, wire.port) == (rank, DRIVE):
            found |= arrivals(wire, clock, timing, absent)
    return found


def _routes(clock: Clock, wires: Sequence[Wire]) -> list[_Route]:
    """Source, target, delay and active steps of each wire, which what follows goes through again and again."""
    return [(wire.source, wire.target, wire.delay, active_steps(wire, clock)) for wire in wires]


def _computed(clock: Clock, readers: Sequence[Reader], routes: list[_Route]) -> list[int]:
    """The steps at which each area is computed."""
    begun = [0 if each.absent == "undefined" else clock.every for each in readers]
    return _spread(begun, routes, _shown(clock))


def _spread(found: list[int], routes: list[_Route], image: int) -> list[int]:
    """To each area's steps add those at which something that it reads was there."""
    changed = True
    while changed:
        before = list(found)
        for source, target, delay, active in routes:  # which is never past the last step
            found[target] |= (image if source == IMAGE else found[source]) << delay & active
        changed = found != before
    return found


def _image(clock: Clock, readers: Sequence[Reader], routes: list[_Route], computed: list[int]) -> list[int]:
    every = clock.every
    found = [0] * len(readers)
    changed = True
    while changed:
        before = list(found)
        found = _spread(found, routes, clock.lit)
        for rank, reader in enumerate(readers):
            if reader.has_state:  # which is lost where a step is not computed
                found[rank] |= found[rank] << 1 & computed[rank] & every
        changed = found != before
    return found
