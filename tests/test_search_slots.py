"""How a machine is divided into slots: small machines, counted by hand."""

import pytest

from search.slots import CONTEXT_BYTES, Machine, choose
from space.errors import UsageError

GIB = 1 << 30


def test_without_a_gpu_each_cpu_is_a_slot_with_its_part_of_the_memory():
    slots = choose(Machine(cpus=4, most_cpus=4, memory=16.0 * GIB), [], None)
    assert (slots.number, slots.gpu, slots.memory) == (4, 0.0, 4.0 * GIB)
    assert (slots.alone, slots.cpus_alone, slots.memory_alone) == (1, 4, 16.0 * GIB)


def test_fewer_slots_have_more_memory_each():
    assert choose(Machine(cpus=4, most_cpus=4, memory=16.0 * GIB), [], 2).memory == 8.0 * GIB


def test_trials_that_run_alone_have_a_node_each():
    slots = choose(Machine(cpus=6, most_cpus=2, memory=8.0 * GIB), [], None)
    assert (slots.number, slots.memory) == (6, 4.0 * GIB)
    assert (slots.alone, slots.cpus_alone, slots.memory_alone) == (3, 2, 8.0 * GIB)


def test_a_gpu_is_shared_by_as_many_as_nine_of_ten_draws_fit_in_bfloat16():
    """32 bits are predicted and maps take 16: of 16 GiB a half, a quarter more in reserve, and 1 GiB of context: 11."""
    machine = Machine(cpus=16, most_cpus=16, memory=64.0 * GIB, gpus=2, gpu_memory=36 * GIB)
    slots = choose(machine, [16.0 * GIB] * 10, None)
    assert (slots.number, slots.gpu) == (6, 1 / 3)
    assert slots.memory == (36 * GIB / 3 - CONTEXT_BYTES) / 0.5
    assert (slots.alone, slots.cpus_alone, slots.memory_alone) == (2, 1, None)


def test_a_large_draw_in_twenty_runs_alone_and_makes_no_slot_larger():
    machine = Machine(cpus=64, most_cpus=64, memory=64.0 * GIB, gpus=1, gpu_memory=36 * GIB)
    few_large = choose(machine, [16.0 * GIB] * 38 + [200.0 * GIB] * 2, None)
    assert few_large.number == 3
    assert few_large.memory is not None and 16.0 * GIB < few_large.memory < 200.0 * GIB


def test_no_gpu_has_more_slots_than_there_are_cpus_for():
    machine = Machine(cpus=16, most_cpus=16, memory=64.0 * GIB, gpus=2, gpu_memory=36 * GIB)
    assert choose(machine, [1.0] * 10, None).number == 16


@pytest.mark.parametrize(("gpu_memory", "needed"), [(None, [1.0] * 10), (GIB, [16.0 * GIB] * 10), (36 * GIB, [])])
def test_a_gpu_is_not_shared_where_that_is_not_known_to_fit(gpu_memory, needed):
    machine = Machine(cpus=16, most_cpus=16, memory=64.0 * GIB, gpus=2, gpu_memory=gpu_memory)
    slots = choose(machine, needed, None)
    assert (slots.number, slots.gpu) == (2, 1.0)


def test_as_many_slots_as_were_asked_for():
    machine = Machine(cpus=16, most_cpus=16, memory=64.0 * GIB, gpus=2, gpu_memory=36 * GIB)
    slots = choose(machine, [16.0 * GIB] * 10, 5)
    assert (slots.number, slots.gpu) == (5, 1 / 3)


def test_more_slots_than_cpus_are_refused():
    with pytest.raises(UsageError, match=r"5 slots were given and 4 CPUs are there; give fewer$"):
        choose(Machine(cpus=4, most_cpus=4, memory=16.0 * GIB), [], 5)
