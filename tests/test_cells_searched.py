"""The searched cell against its ten steps, written out one by one."""

import itertools
import random

import pytest
import torch
import torch.nn.functional as F

from cells.network import Network
from space import model
from space.graph import lower
from space.model import (
    CellInput,
    HiddenAdmitGate,
    HiddenAdmitSources,
    KeepGate,
    KeepSources,
    Link,
    OutputAdmitGate,
    OutputAdmitSources,
    Searched,
    SearchedHidden,
    SearchedOutput,
)

IMAGES, STEPS, CHANNELS, READ_CHANNELS = 2, 4, 3, 2
FUNCTIONS = {
    "elu": F.elu,
    "relu": F.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "identity": lambda x: x,
}


def drawn(seed):
    """A searched cell with every option drawn, and the stride of the drive before it."""
    rng = random.Random(seed)

    def link():
        return Link(kernel=rng.randint(1, 4), separable=rng.random() < 0.5)

    def maybe(probability=0.5):
        return link() if rng.random() < probability else None

    def factors():
        scale = rng.choice((None, -0.3, 0.8))
        return {"function": rng.choice(("sigmoid", "tanh")), "offset": rng.uniform(0.5, 1.0), "scale": scale}

    def keep():
        sources = KeepSources(own=link(), input=maybe(), residual=maybe())
        return KeepGate(**factors(), sources=sources) if rng.random() < 0.8 else None

    def activation():
        return rng.choice(tuple(FUNCTIONS))

    hidden = None
    if rng.random() < 0.7:
        fed = [(link(), None), (None, link()), (link(), link())][rng.randrange(3)]
        sources = HiddenAdmitSources(output=link(), input=maybe(), residual=maybe())
        hidden = SearchedHidden(
            channels=rng.choice((1, 3, 4)),
            from_input=fed[0],
            from_residual=fed[1],
            keep=keep(),
            admit=HiddenAdmitGate(**factors(), sources=sources) if rng.random() < 0.7 else None,
            activation=activation(),
        )
    reaches = rng.choice(("no", "added", "gates")) if hidden else "no"
    admitted = OutputAdmitSources(hidden=link() if reaches == "gates" else None, input=maybe(), residual=maybe())
    gated = admitted.hidden or admitted.input or admitted.residual
    output = SearchedOutput(
        from_input=maybe(),
        from_hidden=link() if reaches == "added" else None,
        bypass=rng.random() < 0.5,
        keep=keep(),
        admit=OutputAdmitGate(**factors(), sources=admitted) if gated else None,
        activation=activation(),
    )
    norm = rng.choice(("none", "layer"))
    cell = Searched(hidden=hidden, output=output, norm=norm, input=CellInput(activation=activation()))
    return cell, rng.choice((1, 1, 2)), rng.choice((READ_CHANNELS, CHANNELS))


def build(cell, stride=1, read_channels=READ_CHANNELS, size=4):
    """The cell in an area whose drive has the stride, in float64, every parameter away from its start."""
    area = model.Area(name="V1", drive=(model.Conv(kernel=1, channels=CHANNELS, stride=stride),), cell=cell)
    architecture = model.Architecture(
        striate=1,
        name="one-area",
        input=model.Input(channels=read_channels, size=size * stride, classes=2),
        time=model.Time(steps=2),
        areas=(area,),
        train=model.Training(data="digits", learning_rate=0.1),
    )
    found = Network(lower(architecture), 0)["areas"]["V1"]["cell"].double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return found


def run(cell, x, r, fb_c=None, fb_h=None):
    state, outputs = cell.initial(x[0]), []
    for t in range(STEPS):
        feedback = {port: at[t] for port, at in (("hidden", fb_c), ("output", fb_h)) if at is not None}
        y, state = cell.update(cell.project(x[t], r[t]), feedback, state)
        outputs.append(y)
    return torch.stack(outputs), state


def transcribed(cell, weights, x_hat, r, fb_c, fb_h):
    """The ten steps; `weights` are what they use, by name."""
    used = set()

    def conv(link, name, point):
        """A link's convolution with its own bias, 0 where the link is not there."""
        if link is None:
            return 0.0
        if link.separable:
            own, across = weights[f"{name}.depthwise.weight"], weights[f"{name}.pointwise.weight"]
            kernel, bias = own[:, 0] * across, weights.get(f"{name}.pointwise.bias")
            used.update({f"{name}.depthwise.weight", f"{name}.pointwise.weight", f"{name}.pointwise.bias"})
        else:
            kernel, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
            used.update({f"{name}.weight", f"{name}.bias"})
        k = link.kernel
        return F.conv2d(F.pad(point, ((k - 1) // 2, k // 2) * 2), kernel, bias)

    def norm(u, name):
        if cell.norm == "none":
            return u
        used.update({f"{name}.weight", f"{name}.bias"})
        mean, variance = u.mean((1, 2, 3), keepdim=True), u.var((1, 2, 3), keepdim=True, correction=0)
        scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return (u - mean) / (variance + 1e-5).sqrt() * scale[:, None, None] + shift[:, None, None]

    def factor(gate, summed):
        if gate is None:
            return 1.0
        k = -gate.offset if gate.scale is None else gate.scale
        return gate.offset + k * FUNCTIONS[gate.function](summed)

    hidden, out = cell.hidden, cell.output
    size = x_hat.shape[-2:]
    c = torch.zeros(IMAGES, hidden.channels, *size, dtype=torch.float64) if hidden else None
    h = torch.zeros_like(x_hat[0])
    outputs = []
    for t in range(STEPS):
        x = FUNCTIONS[cell.input.activation](x_hat[t])  # steps 1 and 2
        read = r[t]
        if read.shape[-2:] != size:
            read = F.interpolate(read, size, mode="bilinear")
        new_c = None
        if hidden:
            u_c = conv(hidden.from_residual, "hidden_from_residual", read)  # 3
            u_c = u_c + conv(hidden.from_input, "hidden_from_input", x) + fb_c[t]
            tau_c = g_c = None
            if hidden.keep:
                s = hidden.keep.sources
                tau_c = conv(s.own, "hidden_keep_self", c) + conv(s.input, "hidden_keep_input", x)  # 4
                tau_c = tau_c + conv(s.residual, "hidden_keep_residual", read)
            if hidden.admit:
                s = hidden.admit.sources
                g_c = conv(s.output, "hidden_admit_output", h) + conv(s.input, "hidden_admit_input", x)  # 5
                g_c = g_c + conv(s.residual, "hidden_admit_residual", read)
            summed = factor(hidden.keep, tau_c) * c + factor(hidden.admit, g_c) * u_c
            new_c = FUNCTIONS[hidden.activation](norm(summed, "hidden_norm"))  # 6
        u_h = x if out.from_input is None else conv(out.from_input, "output_from_input", x)  # 7
        u_h = u_h + conv(out.from_hidden, "output_from_hidden", c) + fb_h[t]
        if out.bypass:
            u_h = u_h + (read if read.shape[1] == CHANNELS else conv(Link(kernel=1), "output_bypass", read))
        tau_h = g_h = None
        if out.keep:
            s = out.keep.sources
            tau_h = conv(s.own, "output_keep_self", h) + conv(s.input, "output_keep_input", x)  # 8
            tau_h = tau_h + conv(s.residual, "output_keep_residual", read)
        if out.admit:
            s = out.admit.sources
            g_h = conv(s.hidden, "output_admit_hidden", c) + conv(s.residual, "output_admit_residual", read)  # 9
            g_h = g_h + conv(s.input, "output_admit_input", x)
        summed = factor(out.keep, tau_h) * h + factor(out.admit, g_h) * u_h
        c, h = new_c, FUNCTIONS[out.activation](norm(summed, "output_norm"))  # 10
        outputs.append(h)
    assert set(weights) <= used, "every parameter has a place in the equation"
    return torch.stack(outputs), (h,) if c is None else (c, h)


@pytest.mark.parametrize("seed", range(60))
def test_a_searched_cell_is_its_ten_steps(seed):
    cell, stride, read_channels = drawn(seed)
    torch_cell = build(cell, stride, read_channels)
    generator = torch.Generator().manual_seed(seed)

    def values(channels, size=4):
        return torch.randn(STEPS, IMAGES, channels, size, size, generator=generator, dtype=torch.float64)

    x_hat, r, fb_h = values(CHANNELS), values(read_channels, 4 * stride), values(CHANNELS)
    fb_c = values(cell.hidden.channels) if cell.hidden else None
    outputs, state = run(torch_cell, x_hat, r, fb_c, fb_h)
    wanted, last = transcribed(cell, dict(torch_cell.named_parameters()), x_hat, r, fb_c, fb_h)
    torch.testing.assert_close(outputs, wanted, rtol=1e-10, atol=1e-10)
    admit = cell.output.admit
    reads_hidden = cell.hidden and (cell.output.from_hidden or (admit and admit.sources.hidden))
    assert len(state) == (2 if reads_hidden else 1)  # what nothing reads is not computed
    for ours, theirs in zip(state, last[-len(state) :], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_the_drawn_cells_show_every_option_both_ways():
    cells = [drawn(seed)[0] for seed in range(60)]
    hidden = [cell.hidden for cell in cells if cell.hidden]
    shown = {
        "hidden": [cell.hidden for cell in cells],
        "bypass": [cell.output.bypass for cell in cells],
        "hidden added": [cell.output.from_hidden for cell in cells if cell.hidden],
        "hidden gates": [cell.output.admit and cell.output.admit.sources.hidden for cell in cells if cell.hidden],
        "in to out": [cell.output.from_input for cell in cells],
        "in to hidden": [each.from_input for each in hidden],
        "residual to hidden": [each.from_residual for each in hidden],
        "hidden kept": [each.keep for each in hidden],
        "output gates": [each.admit for each in hidden],
        "norm": [cell.norm == "layer" for cell in cells],
    }
    for option, values in shown.items():
        assert {bool(value) for value in values} == {True, False}, option


def test_the_reciprocal_gated_cell_is_a_searched_cell_whose_way_in_is_the_identity():
    ones = Link(kernel=1)
    three, two = Link(kernel=3), Link(kernel=2, separable=True)
    keep = KeepGate(sources=KeepSources(own=three))
    searched = build(
        Searched(
            hidden=SearchedHidden(
                channels=CHANNELS,
                from_input=ones,
                keep=keep,
                admit=HiddenAdmitGate(sources=HiddenAdmitSources(output=two)),
            ),
            output=SearchedOutput(keep=keep, admit=OutputAdmitGate(sources=OutputAdmitSources(hidden=two))),
            input=CellInput(activation="relu"),
        )
    )
    gated = build(model.ReciprocalGated(keep=three, admit=two, input=CellInput(activation="relu")))
    names = {
        "output_keep_self": "keep_output",
        "hidden_keep_self": "keep_hidden",
        "output_admit_hidden": "admit_output",
        "hidden_admit_output": "admit_hidden",
    }
    theirs = dict(gated.named_parameters())
    with torch.no_grad():
        for name, parameter in searched.named_parameters():
            part, _, rest = name.partition(".")
            if name.endswith("bias"):
                parameter.zero_()
            elif part == "hidden_from_input":
                parameter.copy_(torch.eye(CHANNELS)[:, :, None, None])
            else:
                parameter.copy_(theirs[f"{names[part]}.{rest}"])
    generator = torch.Generator().manual_seed(0)
    x, fb_c, fb_h = torch.randn(3, STEPS, IMAGES, CHANNELS, 4, 4, generator=generator, dtype=torch.float64)
    r = torch.zeros(STEPS, IMAGES, READ_CHANNELS, 4, 4, dtype=torch.float64)
    for at_hidden, at_output in itertools.product((None, fb_c), (None, fb_h)):
        ours, _ = run(searched, x, r, at_hidden, at_output)
        wanted, _ = run(gated, x, r, at_hidden, at_output)
        torch.testing.assert_close(ours, wanted, rtol=1e-12, atol=1e-12)


def test_a_state_alone_follows_its_gates():
    """No past is kept and nothing is added where both gates are worth zero; without gates all is summed up."""
    closed = KeepGate(offset=0.0, scale=0.0, sources=KeepSources(own=Link(kernel=1)))
    x = torch.arange(1.0, STEPS + 1, dtype=torch.float64)[:, None, None, None, None].expand(-1, 1, CHANNELS, 4, 4)
    r = torch.zeros(STEPS, 1, READ_CHANNELS, 4, 4, dtype=torch.float64)
    outputs, _ = run(build(Searched(output=SearchedOutput(keep=closed, activation="identity"))), x, r)
    assert torch.equal(outputs, x)
    outputs, _ = run(build(Searched(output=SearchedOutput(keep=None, activation="identity"))), x, r)
    assert torch.equal(outputs, x.cumsum(0))
