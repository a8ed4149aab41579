"""What every cell promises, whatever its options."""

import dataclasses
import itertools

import pytest
import torch

from cells.network import CELLS, Network
from space import model
from space.graph import lower
from space.model import (
    ConvGRU,
    ConvLSTM,
    Feedforward,
    HiddenAdmitGate,
    HiddenAdmitSources,
    KeepGate,
    KeepSources,
    Link,
    OutputAdmitGate,
    OutputAdmitSources,
    ReciprocalGated,
    Searched,
    SearchedHidden,
    SearchedOutput,
    SimpleRNN,
)

IMAGES, CHANNELS, SIZE, STEPS = 3, 2, 5, 4
LINKS = [Link(kernel=kernel, separable=separable) for kernel in range(1, 6) for separable in (False, True)]
KEEP = KeepGate(offset=0.9, sources=KeepSources(own=Link(kernel=3)))
KEEP_BY_ALL = KeepGate(
    function="tanh", sources=KeepSources(own=Link(kernel=1), input=Link(kernel=2), residual=Link(kernel=3))
)
HIDDEN = SearchedHidden(
    channels=3,
    from_input=Link(kernel=2),
    keep=KEEP,
    admit=HiddenAdmitGate(sources=HiddenAdmitSources(output=Link(kernel=3, separable=True), residual=Link(kernel=1))),
)
HIDDEN_OF_RESIDUAL = SearchedHidden(channels=1, from_residual=Link(kernel=3, separable=True), keep=KEEP_BY_ALL)
BY_HIDDEN = OutputAdmitGate(function="tanh", offset=0.7, sources=OutputAdmitSources(hidden=Link(kernel=3)))
BY_RESIDUAL = OutputAdmitGate(scale=0.5, sources=OutputAdmitSources(residual=Link(kernel=2), input=Link(kernel=1)))
SEARCHED = [
    Searched(output=SearchedOutput(keep=None)),
    Searched(output=SearchedOutput(keep=KEEP, bypass=True, admit=BY_RESIDUAL), norm="layer"),
    Searched(output=SearchedOutput(keep=KEEP_BY_ALL, from_input=Link(kernel=3)), hidden=None),
    Searched(hidden=HIDDEN, output=SearchedOutput(keep=KEEP, from_hidden=Link(kernel=2), bypass=True)),
    Searched(hidden=HIDDEN_OF_RESIDUAL, output=SearchedOutput(keep=KEEP, admit=BY_HIDDEN, from_input=Link(kernel=2))),
    Searched(hidden=HIDDEN, output=SearchedOutput(keep=None, admit=BY_HIDDEN), norm="layer"),
]
OPTIONS = [
    Feedforward(),
    *(SimpleRNN(hidden=link, norm=norm) for link, norm in itertools.product(LINKS, ("none", "layer"))),
    *(ConvGRU(gates=link, candidate=other) for link, other in zip(LINKS, reversed(LINKS), strict=True)),
    *(ConvLSTM(gates=link, norm=norm) for link, norm in itertools.product(LINKS, ("none", "layer"))),
    *(ReciprocalGated(keep=link, admit=other) for link, other in zip(LINKS, reversed(LINKS), strict=True)),
    *SEARCHED,
]


def label(cell):
    if isinstance(cell, Searched):
        return f"Searched-{SEARCHED.index(cell)}"
    parts = [type(cell).__name__]
    for field in dataclasses.fields(cell):
        value = getattr(cell, field.name)
        if isinstance(value, Link):
            parts.append(f"{field.name}{value.kernel}{'s' if value.separable else ''}")
        elif field.name == "norm":
            parts.append(value)
    return "-".join(parts)


@pytest.fixture(params=OPTIONS, ids=label)
def graph(request):
    """A network of one area with a cell."""
    area = model.Area(name="V1", drive=(model.Conv(kernel=1, channels=CHANNELS),), cell=request.param)
    architecture = model.Architecture(
        striate=1,
        name="one-area",
        input=model.Input(channels=1, size=SIZE, classes=2),
        time=model.Time(steps=2),
        areas=(area,),
        train=model.Training(data="digits", learning_rate=0.1),
    )
    return lower(architecture)


@pytest.fixture
def cell(graph):
    """Its cell with every parameter away from its initial value."""
    found = Network(graph, 0).areas["V1"].cell.double()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return found


def drives(seed=0, steps=STEPS, images=IMAGES):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(steps, images, CHANNELS, SIZE, SIZE, generator=generator, dtype=torch.float64)


def reads(images=IMAGES):
    """What the area reads before its drive: another width than the drive's, the same at every step."""
    return torch.linspace(-1, 1, images * SIZE * SIZE, dtype=torch.float64).reshape(images, 1, SIZE, SIZE)


def run(cell, x_TNCHW, state=None, r_NCHW=None):
    """The outputs of all steps and the last state."""
    r_NCHW = reads(x_TNCHW.shape[1]) if r_NCHW is None else r_NCHW
    state = cell.initial(x_TNCHW[0]) if state is None else state
    outputs = []
    for x_NCHW in x_TNCHW:
        h_NCHW, state = cell.update(cell.project(x_NCHW, r_NCHW), {}, state)
        outputs.append(h_NCHW)
    return torch.stack(outputs), state


def test_the_contract_drives_every_cell_of_the_language():
    assert {type(option) for option in OPTIONS} == set(CELLS) == {kind for _, kind in model.CELLS}


def test_outputs_have_the_shape_of_the_drive_and_states_its_size_and_start_at_zero(cell):
    x_TNCHW = drives()
    outputs, state = run(cell, x_TNCHW)
    initial = cell.initial(x_TNCHW[0])
    assert outputs.shape == x_TNCHW.shape and outputs.dtype == torch.float64 and outputs.isfinite().all()
    assert len(initial) == len(state)
    for before, after in zip(initial, state, strict=True):
        assert before.shape == after.shape and before.dtype == after.dtype == torch.float64
        assert (len(before), *before.shape[2:]) == (IMAGES, SIZE, SIZE)
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
    torch.testing.assert_close(run(cell, x_TNCHW[:, 1:2], r_NCHW=reads()[1:2])[0], outputs[:, 1:2], rtol=0, atol=1e-12)


def test_two_and_two_steps_are_four(cell):
    whole, last = run(cell, drives())
    first, state = run(cell, drives()[:2])
    second, resumed = run(cell, drives()[2:], state)
    assert torch.equal(torch.cat((first, second)), whole)
    assert all(torch.equal(a, b) for a, b in zip(resumed, last, strict=True))


def test_a_step_leaves_what_it_reads_as_it_was(cell):
    x_TNCHW = drives()
    _, state = run(cell, x_TNCHW[:2])
    projections = cell.project(x_TNCHW[2], reads())
    feedback = {"hidden": torch.ones_like(state[0])} if state else {}
    feedback["output"] = drives(seed=4)[0]
    read = (*state, *projections, *feedback.values())
    before = [tensor.clone() for tensor in read]
    cell.update(projections, feedback, state)
    assert all(torch.equal(a, b) for a, b in zip(read, before, strict=True))


def closure(flow, name):
    """All that a name's value depends on within a step."""
    found, waiting = set(), [name]
    while waiting:
        for read in flow.get(waiting.pop(), ()):
            if read not in found:
                found.add(read)
                waiting.append(read)
    return found


def test_the_flow_of_the_lowering_says_what_depends_on_what(cell, graph):
    """Gradients of one step from states that are not zero, against the closure of the flow."""
    generator = torch.Generator().manual_seed(1)

    def some(like):
        return torch.randn(like.shape, generator=generator, dtype=like.dtype).requires_grad_()

    flow = graph.areas[0].cell_flow
    x_NCHW, r_NCHW = some(drives()[0]), some(reads())
    states = [name for name in ("c'", "h'") if name in flow]
    state = tuple(map(some, cell.initial(x_NCHW)))
    feedback = {"output": some(x_NCHW)}
    if len(state) == 2:
        feedback["hidden"] = some(state[0])
    sources = {"drive": x_NCHW, "r": r_NCHW, **{f"port.{port}": value for port, value in feedback.items()}}
    sources |= {name[0]: value for name, value in zip(states, state, strict=True)}
    parameters = dict(cell.named_parameters())
    y_NCHW, after = cell.update(cell.project(x_NCHW, r_NCHW), feedback, state)
    for name, value in {"y": y_NCHW, **dict(zip(states, after, strict=True))}.items():
        depends = closure(flow, name)
        read = [*sources.values(), *parameters.values()]
        direction = some(value).detach()
        found = torch.autograd.grad((value * direction).sum(), read, allow_unused=True, retain_graph=True)
        moved = {key: g is not None and bool(g.any()) for key, g in zip((*sources, *parameters), found, strict=True)}
        for source in sources:
            assert moved[source] == (source in depends), (name, source)
        for key in parameters:
            assert moved[key] == (key.split(".")[0] in depends), (name, key)


def test_the_flow_names_every_operation_and_nothing_unknown(graph):
    area = graph.areas[0]
    flow, ports = area.cell_flow, model.cell_ports(area.cell)
    sources = {"drive", "r", "c", "h", *(f"port.{port}" for port in ports)}
    read = {name for reads in flow.values() for name in reads}
    assert set(area.cell_operations) <= set(flow) and not sources & set(flow)
    assert read <= sources | set(flow)
    assert {f"port.{port}" for port in ports} <= read
    assert {"c", "h"} & read <= {name[0] for name in flow if name.endswith("'")}
