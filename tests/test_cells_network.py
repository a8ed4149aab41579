"""Whole networks: their parameters, the timing of the unroll, and the unroll itself against its description."""

import dataclasses
import itertools
import random

import pytest
import torch
import torch.nn.functional as F

from cells.network import Network
from space import model
from space.errors import SpecificationError
from space.parse import find, parse_architecture, parse_space

AREAS = ("V1", "V2", "V4", "IT")
PAIRS = [(higher, lower) for higher, lower in itertools.permutations(range(len(AREAS)), 2) if higher > lower]
RECIPROCAL = "{type: reciprocal_gated, keep: {kernel: 2}, admit: {kernel: 3}}"


def four_areas(steps=5, cell="{type: feedforward, input: {activation: elu}}", feedback=(), seed=0):
    """A small network in float64; `feedback` lists (higher rank, lower rank, port)."""
    edges = ", ".join(
        f"{{from: {AREAS[i]}, to: {AREAS[j]}, enters: {port}, via: [resize: {{mode: bilinear}}, conv: {{kernel: 3}}]}}"
        for i, j, port in feedback
    )
    areas = "".join(
        f"  {name}: {{drive: [conv: {{kernel: 3, channels: {3 + rank}}}], cell: {cell}, post: [{post}]}}\n"
        for rank, (name, post) in enumerate(
            zip(AREAS, ("max_pool: {kernel: 2, stride: 2}", "", "tanh", ""), strict=True)
        )
    )
    text = f"""
striate: 1
name: four-areas
input: {{channels: 2, size: 6, classes: 3}}
time: {{steps: {steps}}}
areas:
{areas}
edges: {{feedback: [{edges}]}}
train: {{data: digits, learning_rate: 0.1}}
"""
    _, graph = parse_architecture(text, "four-areas.yaml")
    return Network(graph, seed).double()


def at_steps(network, steps):
    """The same weights run for another number of steps, whether the language allows it or not."""
    graph = network.graph
    clock = dataclasses.replace(graph.clock, steps=steps, shown=None)
    answer = dataclasses.replace(graph.answer, steps=(steps - 1,))
    other = Network(dataclasses.replace(graph, clock=clock, answer=answer), 0).double()
    other.load_state_dict(network.state_dict())
    return other


def some_images(network, seed=0, images=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(images, *network.graph.input_shape, generator=generator, dtype=torch.float64)


def sampled(name, seed):
    """An architecture drawn from a shipped space, and its network in float64 with every weight moved off its start."""
    space = parse_space(*find(name))
    architecture, graph = space.fill(space.sample(random.Random(seed)))
    network = Network(graph, seed).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return architecture, network


SAMPLES = [*itertools.product(("digits",), range(12)), *itertools.product(("fashion",), range(8))]


@pytest.mark.parametrize(("name", "seed"), SAMPLES)
def test_parameters_are_those_of_the_graph(name, seed):
    _, network = sampled(name, seed)
    shapes = {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
    assert shapes == network.graph.parameters
    assert set(network.state_dict()) == set(shapes)
    assert sum(parameter.numel() for parameter in network.parameters()) == network.graph.parameter_count


def test_an_area_may_be_called_like_an_attribute_of_a_torch_module():
    text, file = find("digits-rgc")
    names = dict(zip(AREAS, ("half", "type", "forward", "keys"), strict=True))
    for name, other in names.items():
        text = text.replace(f"  {name}:", f"  {other}:").replace(f": {name},", f": {other},")
    _, graph = parse_architecture(text, file)
    network = Network(graph, 0)
    assert {name for name, _ in network.named_parameters()} == set(graph.parameters)
    assert network.half().double()(some_images(network)).isfinite().all()


# Timing. Ranks count from 0, the image is there from step 0, biases start at zero, so all is silent until it arrives.


def test_the_read_out_first_sees_the_image_one_step_more_than_there_are_areas():
    with pytest.raises(SpecificationError, match="give at least 5"):
        four_areas(steps=4)
    for cell in ("{type: feedforward}", RECIPROCAL):
        network = four_areas(steps=5, cell=cell)
        image, other = some_images(network), some_images(network, seed=1)
        assert not torch.equal(network(image), network(other))
        too_short = at_steps(network, 4)
        assert torch.equal(too_short(image), too_short(other))
        assert not too_short(image).any()


@pytest.mark.parametrize("rank", range(len(AREAS) - 1))
def test_an_area_is_first_heard_when_its_output_has_passed_those_above_it(rank):
    """A bias acts from step 0; area k's output of step t is read out at step t + A − k, so at T = A − k + 1."""
    network = four_areas()
    bias = dict(network.named_parameters())[f"areas.{AREAS[rank]}.drive.0.bias"]
    first = len(AREAS) - rank + 1
    image = some_images(network)
    silent, heard = at_steps(network, first - 1), at_steps(network, first)
    before = silent(image), heard(image)
    for each in (silent, heard):
        with torch.no_grad():
            each.get_parameter(f"areas.{AREAS[rank]}.drive.0.bias").add_(torch.ones_like(bias))
    assert torch.equal(silent(image), before[0])
    assert not torch.equal(heard(image), before[1])


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{AREAS[pair[0]]}>{AREAS[pair[1]]}")
@pytest.mark.parametrize(("cell", "port", "delay"), [
    ("{type: feedforward}", "input", 0),
    ("{type: simple, hidden: {kernel: 3}}", "input", 0),
    ("{type: lstm, gates: {kernel: 3}}", "input", 0),
    (RECIPROCAL, "input", 0),
    (RECIPROCAL, "output", 0),
    (RECIPROCAL, "hidden", 1),
])  # fmt: skip
def test_feedback_is_first_heard_when_the_signal_has_gone_up_down_and_up_again(pair, cell, port, delay):
    """The image leaves area j at step j, is in area i at step j + 1, in the last area A−1−i later, and read out at
    step A + j − i + 1, the last of T = A + j − i + 2; the hidden state is heard by the output one step later still.
    """
    higher, lower = pair
    network = four_areas(cell=cell, feedback=[(higher, lower, port)])
    first = len(AREAS) + higher - lower + 2 + delay
    image = some_images(network)
    for steps, heard in ((first - 1, False), (first, True)):
        whole, cut = at_steps(network, steps), at_steps(network, steps)
        with torch.no_grad():
            cut.get_parameter(f"edges.{AREAS[higher]}>{AREAS[lower]}.1.weight").zero_()
        assert torch.equal(whole(image), cut(image)) != heard


# The unroll, written from its description: y[area, t] reads only outputs of step t − 1.


def run_by_description(architecture, weights, images):
    names = [area.name for area in architecture.areas]
    emitted, states = {}, {}

    def emitted_at(rank, t):
        if rank < 0:
            return images
        if t < 0:
            below = emitted_at(rank - 1, t)
            area = architecture.areas[rank]
            silent = steps(area.post, steps(area.drive, below, f"areas.{names[rank]}.drive"), "")
            return torch.zeros_like(silent)
        return emitted[names[rank], t]

    def weight(path):
        if f"{path}.weight" in weights:
            return weights[f"{path}.weight"], weights.get(f"{path}.bias")
        own, across = weights[f"{path}.depthwise.weight"], weights[f"{path}.pointwise.weight"]
        return own[:, 0] * across, weights.get(f"{path}.pointwise.bias")  # the dense kernel that it amounts to

    def padded(x, kernel, stride, value=0.0):
        size = x.shape[-1]
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return F.pad(x, (total // 2, total - total // 2) * 2, value=value)

    def convolved(x, path, stride=1):
        kernel, bias = weight(path)
        return F.conv2d(padded(x, kernel.shape[-1], stride), kernel, bias, stride)

    def steps(operations, x, path):
        for position, operation in enumerate(operations):
            match operation:
                case model.Conv(stride=stride):
                    x = convolved(x, f"{path}.{position}", stride)
                case model.EdgeConv():
                    x = convolved(x, f"{path}.{position}")
                case model.MaxPool(kernel=kernel, stride=stride):
                    x = F.max_pool2d(padded(x, kernel, stride, -torch.inf), kernel, stride)
                case str():
                    x = function(operation)(x)
        return x

    def function(name):
        return {"elu": F.elu, "relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "identity": lambda x: x}[
            name
        ]

    def norm(x, path, option):
        if option == "none":
            return x
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean(dim=(1, 2, 3), keepdim=True)
        scale, shift = (weights[f"{path}.{part}"] for part in ("weight", "bias"))
        return (x - mean) / (variance + 1e-5).sqrt() * scale[:, None, None] + shift[:, None, None]

    def run_cell(cell, x, entering, state, path):
        x = function(cell.input.activation)(x + entering["input"])
        state = state or (torch.zeros_like(x), torch.zeros_like(x))
        c, h = state
        sigma = torch.sigmoid
        match cell:
            case model.Feedforward():
                return x, state
            case model.SimpleRNN():
                inner = norm(x + convolved(h, f"{path}.hidden"), f"{path}.norm", cell.norm)
                h = function(cell.activation)(inner)
            case model.ConvLSTM():
                joined = convolved(x, f"{path}.gates_input") + convolved(h, f"{path}.gates_hidden")
                gates = joined.chunk(4, dim=1)
                if cell.norm == "layer":
                    scales, shifts = (weights[f"{path}.norm_gates.{part}"].chunk(4) for part in ("weight", "bias"))
                    gates = [
                        F.layer_norm(gate, gate.shape[1:]) * scale[:, None, None] + shift[:, None, None]
                        for gate, scale, shift in zip(gates, scales, shifts, strict=True)
                    ]
                i, j, f, o = gates
                c = c * sigma(f + 1) + sigma(i) * torch.tanh(j)
                h = torch.tanh(norm(c, f"{path}.norm_state", cell.norm)) * sigma(o)
            case model.ReciprocalGated():
                phi = function(cell.activation)
                x_h, x_c = x + entering["output"], x + entering["hidden"]
                new_h = phi(
                    (1 - sigma(convolved(c, f"{path}.admit_output"))) * x_h
                    + (1 - sigma(convolved(h, f"{path}.keep_output"))) * h
                )
                new_c = phi(
                    (1 - sigma(convolved(h, f"{path}.admit_hidden"))) * x_c
                    + (1 - sigma(convolved(c, f"{path}.keep_hidden"))) * c
                )
                c, h = new_c, new_h
        return h, (c, h)

    last = architecture.time.steps - 1
    for t in range(last):
        for rank, area in enumerate(architecture.areas):
            x = steps(area.drive, emitted_at(rank - 1, t - 1), f"areas.{area.name}.drive")
            entering = {port: torch.zeros_like(x) for port in ("input", "hidden", "output")}
            for edge in architecture.edges.feedback:
                if edge.target == area.name:
                    arriving = emitted_at(names.index(edge.source), t - 1)
                    for position, operation in enumerate(edge.via):
                        if isinstance(operation, model.Resize):
                            arriving = F.interpolate(arriving, x.shape[-2:], mode=operation.mode)
                        else:
                            arriving = (
                                steps([operation], arriving, "")
                                if isinstance(operation, str)
                                else convolved(arriving, f"edges.{edge.name}.{position}")
                            )
                    entering[edge.enters] = entering[edge.enters] + arriving
            h, states[area.name, t] = run_cell(
                area.cell, x, entering, states.get((area.name, t - 1)), f"areas.{area.name}.cell"
            )
            emitted[area.name, t] = steps(area.post, h, "")
    top = emitted[names[-1], last - 1]
    features = top.mean(dim=(2, 3)) if architecture.readout.pool == "mean" else top.reshape(len(top), -1)
    return features @ weights["readout.weight"].T + weights["readout.bias"]


def check_against_description(architecture, network):
    weights = dict(network.named_parameters())
    images = some_images(network)
    logits, described = network(images), run_by_description(architecture, weights, images)
    torch.testing.assert_close(logits, described, rtol=1e-9, atol=1e-9)
    direction = torch.randn(logits.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    ours = torch.autograd.grad((logits * direction).sum(), list(weights.values()), materialize_grads=True)
    theirs = torch.autograd.grad((described * direction).sum(), list(weights.values()), materialize_grads=True)
    for name, mine, wanted in zip(weights, ours, theirs, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-7, atol=1e-9 * max(1, wanted.abs().max()), msg=name)


@pytest.mark.parametrize(("name", "seed"), SAMPLES)
def test_a_sampled_network_is_what_its_description_says(name, seed):
    check_against_description(*sampled(name, seed))


def test_several_edges_are_summed_at_each_port():
    text, file = find("digits-rgc")
    via = "via: [resize: {mode: nearest}, relu, conv: {kernel: 2, separable: true}, tanh]"
    edges = [("IT", "V2", "hidden"), ("V4", "V2", "hidden"), ("IT", "V1", "input"), ("V2", "V1", "input"),
             ("IT", "V4", "output")]  # fmt: skip
    listed = "".join(f"    - {{from: {source}, to: {to}, enters: {port}, {via}}}\n" for source, to, port in edges)
    text = text[: text.index("    - {from")] + listed + "readout: {pool: none}\n" + text[text.index("train:") :]
    text = text.replace("steps: 8", "steps: 9")
    architecture, graph = parse_architecture(text, file)
    assert len(graph.long_range) == len(edges)
    check_against_description(architecture, Network(graph, 0).double())


def test_an_image_does_not_see_the_others_of_its_batch():
    _, network = sampled("digits", 3)
    images = some_images(network, images=4)
    torch.testing.assert_close(network(images[1:2]), network(images)[1:2], rtol=0, atol=1e-12)


def test_the_same_network_gives_the_same_bits():
    network = four_areas(cell=RECIPROCAL, feedback=[(3, 1, "hidden")], steps=8)
    images = some_images(network)
    assert torch.equal(network(images), network(images))


# Gradients through time.


def loss_of(network, images):
    return F.cross_entropy(network(images), torch.tensor([0, 2]))


def test_an_early_weight_has_another_gradient_when_there_is_more_time():
    base = four_areas(cell=RECIPROCAL, feedback=[(3, 0, "input")])
    gradients = []
    for steps in (5, 6, 9):
        network = at_steps(base, steps)
        loss_of(network, some_images(network)).backward()
        gradients.append(network.get_parameter("areas.V1.drive.0.weight").grad)
    for one, other in itertools.combinations(gradients, 2):
        assert (one - other).norm() > 0.01 * one.norm() > 0


@pytest.mark.parametrize("steps", [5, 8])
def test_gradients_through_time_agree_with_finite_differences(steps):
    network = four_areas(cell=RECIPROCAL, feedback=[(3, 0, "input"), (3, 1, "hidden"), (2, 1, "output")], steps=steps)
    images = some_images(network)
    loss_of(network, images).backward()
    generator = torch.Generator().manual_seed(9)
    for name, parameter in network.named_parameters():
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        start, losses = parameter.detach().clone(), []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.copy_(start + sign * 1e-6 * direction)
                losses.append(loss_of(network, images))
        with torch.no_grad():
            parameter.copy_(start)
        slope = (losses[0] - losses[1]).item() / 2e-6
        gradient = (
            torch.zeros_like(start) if parameter.grad is None else parameter.grad
        )  # none: there is no way out yet
        assert (gradient * direction).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-9), name


@pytest.mark.parametrize("bias", ["true", "false"])
def test_an_answer_that_no_image_has_reached_is_given_for_every_image(bias):
    """A product with what is still zeros is reached by the image in name only; the loss may be of such a step too."""
    text = f"""
striate: 1
name: product
input: {{channels: 1, size: 6, classes: 2}}
time: {{steps: 5}}
areas:
  V1: {{drive: [conv: {{kernel: 1, channels: 2, bias: false}}]}}
  V2: {{drive: [conv: {{kernel: 1, channels: 2, bias: {bias}}}], joins: {{drive: multiply}}}}
edges:
  forward: [{{from: image, to: V1}}, {{from: V1, to: V2}}, {{from: V1, to: V2, delay: 3}}]
readout: {{loss: every}}
train: {{data: digits, learning_rate: 0.1}}
"""
    network = Network(parse_architecture(text, "product.yaml")[1], 0)
    answers = network.answers(torch.ones(3, 1, 6, 6))
    assert answers.shape == (len(network.graph.answer.steps), 3, 2)
