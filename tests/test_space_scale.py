"""Learnt factors, of time decay and of peepholes: what they count, when they matter, what the normal form says."""

import pytest
from random_networks import architecture

from space.cost import declared
from space.graph import lower
from space.hashes import architecture_hash
from space.model import Area, Conv, ConvLSTM, Feedforward, Link, TimeDecay
from space.operations import count
from space.reach import reach

CHANNELS = 3
LSTM, PEEPING = (ConvLSTM(gates=Link(kernel=1), peepholes=each) for each in (False, True))


def network(cell, steps=5):
    return lower(architecture(Area(name="V1", drive=(Conv(kernel=3, channels=CHANNELS),), cell=cell), steps=steps))


def live(cell, steps):
    """The factors that can influence the logits."""
    names = reach(network(cell, steps)).parameters
    return {name.split(".")[3] for name in names if "decay" in name or "peephole" in name}


def test_a_decay_is_one_number_and_peepholes_are_three_for_each_channel():
    assert count(network(TimeDecay()).parameters) == count(network(Feedforward()).parameters) + 1
    assert count(network(PEEPING).parameters) == count(network(LSTM).parameters) + 3 * CHANNELS


def test_factors_are_not_counted_as_multiply_adds():
    assert declared(network(TimeDecay())).multiply_adds == declared(network(Feedforward())).multiply_adds
    assert declared(network(PEEPING)).multiply_adds == declared(network(LSTM)).multiply_adds


def test_factors_of_the_past_matter_from_the_second_evaluation_on():
    """With two steps an area is evaluated once, from states that are zero; the output gate reads the new c."""
    assert (live(TimeDecay(), 2), live(TimeDecay(), 3)) == (set(), {"decay"})
    assert live(PEEPING, 2) == {"peephole_o"}
    assert live(PEEPING, 3) == {"peephole_i", "peephole_f", "peephole_o"}


@pytest.mark.parametrize(("steps", "equal"), [(2, True), (3, False)])
def test_time_decay_is_the_feedforward_cell_where_it_has_no_past(steps, equal):
    hashes = {architecture_hash(network(cell, steps)) for cell in (TimeDecay(), Feedforward())}
    assert (len(hashes) == 1) == equal


def test_peepholes_change_the_hash():
    assert architecture_hash(network(PEEPING)) != architecture_hash(network(LSTM))
