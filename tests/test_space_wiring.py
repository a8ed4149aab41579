"""The schedule of an unroll, against sets of (area, step) filled by going through all pairs until none is new."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from space.model import ABSENCES
from space.wiring import IMAGE, Answer, Clock, Reader, Wire, answered, circle, schedule, steps_of

PORTS = ("drive", "input")


@st.composite
def wirings(draw):
    """A clock, up to four areas, and wires among them, without a circle that has no delay."""
    steps, areas = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    clock = Clock(steps, draw(st.integers(1, steps)), draw(st.sampled_from((None, 0.5))), draw(st.booleans()))
    readers = [Reader(draw(st.sampled_from(ABSENCES)), draw(st.booleans())) for _ in range(areas)]
    wires = []
    for _ in range(draw(st.integers(1, 2 * areas + 1))):
        source, target = draw(st.integers(IMAGE, areas - 1)), draw(st.integers(0, areas - 1))
        first = draw(st.integers(0, 2))
        last = draw(st.sampled_from((first, first + 2, 10**9)))
        wires.append(Wire(source, target, draw(st.sampled_from(PORTS)), draw(st.integers(0, 3)), first, last))
        if circle(areas, wires):
            wires.pop()
    return clock, readers, wires


def until_none_is_new(found, rule):
    """Add to a set what a rule makes of it, as long as that adds something."""
    while new := {pair for pair in rule(found) if pair not in found}:
        found = found | new
    return found


def read_at(wires, clock):
    """Every (wire, step) at which a wire is there and reads a step that has been."""
    return [
        (wire, step)
        for wire in wires
        for step in range(clock.steps)
        if wire.first <= step <= wire.last and step >= wire.delay
    ]


def sets_of(clock, readers, wires, answer):
    reads, every = read_at(wires, clock), range(clock.steps)
    something_shown = {(IMAGE, step) for step in every if step < clock.shown or clock.after is not None}
    always = {(rank, step) for rank, each in enumerate(readers) for step in every if each.absent != "undefined"}

    def spread(found):
        return {(wire.target, step) for wire, step in reads if (wire.source, step - wire.delay) in found}

    computed = until_none_is_new(something_shown | always, spread)

    def spread_and_kept(found):
        kept = {(rank, step + 1) for rank, step in found if rank != IMAGE and readers[rank].has_state}
        return spread(found) | kept & computed

    image = until_none_is_new({(IMAGE, step) for step in range(clock.shown)}, spread_and_kept)

    def back(found):
        sources = {(wire.source, step - wire.delay) for wire, step in reads if (wire.target, step) in found}
        states = {(rank, step - 1) for rank, step in found if readers[rank].has_state}
        return {pair for pair in sources | states if pair in computed and pair[0] != IMAGE}

    top = {(len(readers) - 1, step - answer.delay) for step in answer.steps}
    return computed, image, until_none_is_new(top & computed, back)


def as_pairs(sets):
    return {(rank, step) for rank, found in enumerate(sets) for step in steps_of(found)}


@settings(max_examples=600, deadline=None, derandomize=True)
@given(wirings(), st.integers(0, 3), st.booleans())
def test_a_schedule_is_what_walking_over_all_areas_and_steps_finds(wiring, delay, every):
    clock, readers, wires = wiring
    answer = answered(clock, readers, wires, delay, every=every)
    computed, image, live = sets_of(clock, readers, wires, answer)
    found = schedule(clock, readers, wires, answer)
    assert as_pairs(found.computed) == {pair for pair in computed if pair[0] != IMAGE}
    assert as_pairs(found.image) == {pair for pair in image if pair[0] != IMAGE}
    assert as_pairs(found.live) == live
    last = len(readers) - 1
    reached = [step for step in range(clock.steps) if (last, step - delay) in image]
    assert answer == Answer(delay, tuple(reached if every else [step for step in reached if step == clock.steps - 1]))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(wirings())
def test_within_a_step_areas_come_after_those_that_they_read_without_a_delay(wiring):
    clock, readers, wires = wiring
    order = schedule(clock, readers, wires, Answer(0, ())).order
    assert sorted(order) == list(range(len(readers)))
    for wire in wires:
        assert wire.delay or wire.source == IMAGE or order.index(wire.source) < order.index(wire.target)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(1, 5), st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 4), st.integers(0, 1)), max_size=8))
def test_a_circle_is_found_exactly_where_a_walk_without_delays_comes_back(areas, arrows):
    wires = [Wire(a, b, "input", delay, 0, 0) for a, b, delay in arrows if a < areas and b < areas]
    at_once = {(wire.source, wire.target) for wire in wires if not wire.delay and wire.source != IMAGE}
    walks = until_none_is_new(at_once, lambda found: {(a, d) for a, b in found for c, d in at_once if b == c})
    found = circle(areas, wires)
    assert bool(found) == any(a == b for a, b in walks)
    for reader, source in zip(found, (*found[1:], *found[:1]), strict=True):
        assert (source, reader) in at_once
