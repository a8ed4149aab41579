"""What every cell promises, whatever its options."""

import dataclasses
import itertools

import pytest
import torch

from cells.network import CELLS, Network
from space import model
from space.graph import lower
from space.model import ConvLSTM, Feedforward, Link, ReciprocalGated, SimpleRNN

IMAGES, CHANNELS, SIZE, STEPS = 3, 2, 5, 4
LINKS = [Link(kernel=kernel, separable=separable) for kernel in range(1, 6) for separable in (False, True)]
OPTIONS = [
    Feedforward(),
    *(SimpleRNN(hidden=link, norm=norm) for link, norm in itertools.product(LINKS, ("none", "layer"))),
    *(ConvLSTM(gates=link, norm=norm) for link, norm in itertools.product(LINKS, ("none", "layer"))),
    *(ReciprocalGated(keep=link, admit=other) for link, other in zip(LINKS, reversed(LINKS), strict=True)),
]


def label(cell):
    parts = [type(cell).__name__]
    for field in dataclasses.fields(cell):
        value = getattr(cell, field.name)
        if isinstance(value, Link):
            parts.append(f"{field.name}{value.kernel}{'s' if value.separable else ''}")
        elif field.name == "norm":
            parts.append(value)
    return "-".join(parts)


@pytest.fixture(params=OPTIONS, ids=label)
def cell(request):
    """A cell with every parameter away from its initial value."""
    area = model.Area(name="V1", drive=(model.Conv(kernel=1, channels=CHANNELS),), cell=request.param)
    architecture = model.Architecture(
        striate=1,
        name="one-area",
        input=model.Input(channels=1, size=SIZE, classes=2),
        time=model.Time(steps=2),
        areas=(area,),
        train=model.Training(data="digits", learning_rate=0.1),
    )
    found = Network(lower(architecture), 0).areas["V1"].cell.double()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return found


def drives(seed=0, steps=STEPS, images=IMAGES):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(steps, images, CHANNELS, SIZE, SIZE, generator=generator, dtype=torch.float64)


def run(cell, x_TNCHW, state=None):
    """The outputs of all steps and the last state."""
    state = cell.initial(x_TNCHW[0]) if state is None else state
    outputs = []
    for x_NCHW in x_TNCHW:
        h_NCHW, state = cell.update(cell.project(x_NCHW), {}, state)
        outputs.append(h_NCHW)
    return torch.stack(outputs), state


def test_the_contract_drives_every_cell_of_the_language():
    assert {type(option) for option in OPTIONS} == set(CELLS) == {kind for _, kind in model.CELLS}


def test_outputs_and_states_have_the_shape_of_the_drive_and_states_start_at_zero(cell):
    x_TNCHW = drives()
    outputs, state = run(cell, x_TNCHW)
    initial = cell.initial(x_TNCHW[0])
    assert outputs.shape == x_TNCHW.shape and outputs.dtype == torch.float64 and outputs.isfinite().all()
    assert len(initial) == len(state)
    for before, after in zip(initial, state, strict=True):
        assert before.shape == after.shape == x_TNCHW[0].shape and before.dtype == after.dtype == torch.float64
        assert not before.any()


def test_the_last_output_has_a_gradient_in_every_number_of_every_parameter(cell):
    outputs, _ = run(cell, drives().requires_grad_())
    (outputs[-1] * drives(seed=1)[0]).sum().backward()
    for name, parameter in cell.named_parameters():
        assert parameter.grad is not None and (parameter.grad != 0).all(), name


def test_gradients_flow_through_time_exactly_where_there_is_a_state(cell):
    x_TNCHW = drives().requires_grad_()
    outputs, state = run(cell, x_TNCHW)
    for step in range(STEPS):
        (gradient,) = torch.autograd.grad((outputs[step] * drives(seed=1)[0]).sum(), x_TNCHW, retain_graph=True)
        assert gradient[step].any()
        assert bool(gradient[:step].any(dim=(1, 2, 3, 4)).all()) == (len(state) > 0 or step == 0)
        assert not gradient[step + 1 :].any()


def test_the_same_run_gives_the_same_bits(cell):
    assert torch.equal(run(cell, drives())[0], run(cell, drives())[0])


def test_an_image_does_not_see_the_others(cell):
    x_TNCHW, other_TNCHW = drives(), drives(seed=2)
    other_TNCHW[:, 1] = x_TNCHW[:, 1]
    outputs = run(cell, x_TNCHW)[0]
    assert torch.equal(run(cell, other_TNCHW)[0][:, 1], outputs[:, 1])
    torch.testing.assert_close(run(cell, x_TNCHW[:, 1:2])[0], outputs[:, 1:2], rtol=0, atol=1e-12)


def test_two_and_two_steps_are_four(cell):
    whole, last = run(cell, drives())
    first, state = run(cell, drives()[:2])
    second, resumed = run(cell, drives()[2:], state)
    assert torch.equal(torch.cat((first, second)), whole)
    assert all(torch.equal(a, b) for a, b in zip(resumed, last, strict=True))


def test_a_step_leaves_what_it_reads_as_it_was(cell):
    x_TNCHW = drives()
    _, state = run(cell, x_TNCHW[:2])
    projections = cell.project(x_TNCHW[2])
    feedback = {"hidden": drives(seed=3)[0], "output": drives(seed=4)[0]}
    read = (*state, *projections, *feedback.values())
    before = [tensor.clone() for tensor in read]
    cell.update(projections, feedback, state)
    assert all(torch.equal(a, b) for a, b in zip(read, before, strict=True))
