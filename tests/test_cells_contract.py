"""What every cell promises, whatever its options."""

import dataclasses
import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from cells.beginning import beginning
from cells.network import CELLS, Network
from space import model
from space.cell_equations import add_cell
from space.dataflow import Builder, Function, Image, Part, Product, Sum
from space.graph import lower
from space.model import (
    UGRNN,
    ConvGRU,
    ConvLSTM,
    Feedforward,
    HiddenAdmitGate,
    HiddenAdmitSources,
    Intersection,
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
    TimeDecay,
)
from space.operations import Convolution, LayerNorm, Resizing, Scale

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
    TimeDecay(),
    *(SimpleRNN(hidden=link, norm=norm) for link, norm in itertools.product(LINKS, ("none", "layer"))),
    *(ConvGRU(gates=link, candidate=other) for link, other in zip(LINKS, reversed(LINKS), strict=True)),
    *(
        ConvLSTM(gates=link, norm=norm, peepholes=peepholes)
        for link, norm, peepholes in itertools.product(LINKS, ("none", "layer"), (False, True))
    ),
    *(UGRNN(gates=link) for link in LINKS),
    *(Intersection(gates=link) for link in LINKS),
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
        elif value is True:
            parts.append(field.name)
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
    found = Network(graph, 0)["areas"]["V1"]["cell"].double()
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_outputs_and_states_lie_where_the_drive_does_in_its_precision(cell, dtype):
    """The meta device has shapes and no numbers: what is made on another device does not fit there."""
    cell = cell.to("meta", dtype)
    outputs, state = run(cell, drives().to("meta", dtype), r_NCHW=reads().to("meta", dtype))
    assert outputs.shape == (STEPS, IMAGES, CHANNELS, SIZE, SIZE)
    assert all((each.device.type, each.dtype) == ("meta", dtype) for each in (outputs, *state))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_gives_what_a_cpu_gives(cell):
    x_TNCHW = drives().requires_grad_()
    outputs, _ = run(cell, x_TNCHW)
    (gradient,) = torch.autograd.grad((outputs[-1] * drives(seed=1)[0]).sum(), x_TNCHW)
    there_TNCHW = drives().cuda().requires_grad_()
    found, _ = run(cell.cuda(), there_TNCHW, r_NCHW=reads().cuda())
    (other,) = torch.autograd.grad((found[-1] * drives(seed=1)[0].cuda()).sum(), there_TNCHW)
    torch.testing.assert_close(found.cpu(), outputs, rtol=0, atol=1e-10)
    torch.testing.assert_close(other.cpu(), gradient, rtol=0, atol=1e-10)


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


def test_a_last_step_emits_what_any_step_emits(cell):
    x_TNCHW = drives()
    _, state = run(cell, x_TNCHW[:2])
    projections = cell.project(x_TNCHW[2], reads())
    feedback = {"hidden": torch.ones_like(state[0])} if state else {}
    feedback["output"] = drives(seed=4)[0]
    assert torch.equal(cell.emit(projections, feedback, state), cell.update(projections, feedback, state)[0])


def test_a_first_step_is_that_from_zeros_with_the_same_gradients(cell, graph):
    """From one pixel of zeros, and without their convolutions."""
    x_NCHW, feedback = drives()[0].requires_grad_(), {"output": drives(seed=4)[0]}
    zeros = cell.initial(torch.zeros_like(x_NCHW))
    pixel = cell.initial(x_NCHW.new_zeros(1, CHANNELS, 1, 1))
    learnt = [x_NCHW, *cell.parameters()]
    found = {}
    for name, each, state in (("whole", cell, zeros), ("begun", beginning(cell, graph.areas[0]), pixel)):
        y_NCHW, after = each.update(cell.project(x_NCHW, reads()), feedback, state)
        assert torch.equal(each.emit(cell.project(x_NCHW, reads()), feedback, state), y_NCHW)
        total = sum((value * drives(seed=seed)[0, :, :1]).sum() for seed, value in enumerate((y_NCHW, *after)))
        gradients = torch.autograd.grad(total, learnt, allow_unused=True, materialize_grads=True)
        found[name] = (y_NCHW, *after, *gradients)
    for whole, begun in zip(found["whole"], found["begun"], strict=True):
        torch.testing.assert_close(begun, whole, rtol=0, atol=1e-12)


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


def dataflow(area, ports):
    """The nodes of a cell's equation from states that are not zeros, where its sources stand, and what it emits."""
    build = Builder()
    hidden = model.port_channels(area.cell, "hidden", area.shape[0])
    shapes = {"r": area.input_shape, "c": (hidden, *area.shape[1:])}
    sources = {
        name: build.add(name, Image(), (), shapes.get(name, area.shape), name)
        for name in ("r", "drive", "c", "h", *(f"at {port}" for port in ports))
    }
    build.states = {name: sources[name] for name in ("c", "h")}
    entering = {port: (sources[f"at {port}"],) for port in ports}
    emitted = add_cell(build, area, sources["r"], sources["drive"], entering)
    return build, sources, emitted


def evaluated(nodes, given, cell):
    """The value of every node, its operations being the modules of the cell of the same names."""
    functions = {"elu": F.elu, "relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "identity": lambda x: x}
    values = dict(given)
    for position, node in enumerate(nodes):
        if position in values:
            continue
        read = [values[each] for each in node.inputs]
        match node.kind:
            case Sum():
                values[position] = sum(read)
            case Product():
                values[position] = math.prod(read)
            case Function(name, added, scale, offset):
                values[position] = offset + scale * functions[name](read[0] + added)
            case Part(index, parts):
                values[position] = read[0].chunk(parts, dim=1)[index]
            case _:
                values[position] = cell.get_submodule(node.name)(read[0])
    return values


def test_the_dataflow_computes_what_the_cell_computes(cell, graph):
    """One step from states that are not zero, with something at every port."""
    generator = torch.Generator().manual_seed(1)

    def some(like):
        return torch.randn(like.shape, generator=generator, dtype=like.dtype)

    area = graph.areas[0]
    ports = model.cell_ports(area.cell)
    build, sources, emitted = dataflow(area, ports)
    x_NCHW, r_NCHW = some(drives()[0]), some(reads())
    state = tuple(map(some, cell.initial(x_NCHW)))
    feedback = {"output": some(x_NCHW), **({"hidden": some(state[0])} if state else {})}
    states = ("c", "h")[2 - len(state) :]
    assert build.carried.keys() == set(states)
    given = {sources["r"]: r_NCHW, sources["drive"]: x_NCHW, sources["at input"]: some(x_NCHW)}
    given |= {sources[f"at {port}"]: feedback[port] for port in ports if port != "input"}
    given |= {sources[name]: value for name, value in zip(states, state, strict=True)}
    unread = {sources[name]: x_NCHW for name in ("c", "h") if name not in states}
    values = evaluated(build.nodes, given | unread, cell)
    y_NCHW, after = cell.update(cell.project(x_NCHW + given[sources["at input"]], r_NCHW), feedback, state)
    torch.testing.assert_close(values[emitted], y_NCHW, rtol=1e-12, atol=1e-12)
    for name, wanted in zip(states, after, strict=True):
        torch.testing.assert_close(values[build.carried[name]], wanted, rtol=1e-12, atol=1e-12)


def test_the_dataflow_has_every_operation_once(graph):
    area = graph.areas[0]
    build, _, _ = dataflow(area, model.cell_ports(area.cell))
    operations = [node for node in build.nodes if isinstance(node.kind, Convolution | LayerNorm | Scale | Resizing)]
    assert {node.name: node.kind for node in operations} == area.cell_operations
    assert len(operations) == len(area.cell_operations)
