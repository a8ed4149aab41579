"""Each cell against its equation, transcribed into NumPy one image at a time."""

import numpy as np
import pytest
import torch

from cells.network import Network
from space import model
from space.graph import lower
from space.model import (
    UGRNN,
    CellInput,
    ConvGRU,
    ConvLSTM,
    Feedforward,
    Intersection,
    Link,
    ReciprocalGated,
    SimpleRNN,
    TimeDecay,
)

CHANNELS, SIZE, STEPS, IMAGES = 3, 4, 4, 2
RNG = np.random.default_rng(0)
DRIVES = RNG.normal(size=(STEPS, IMAGES, CHANNELS, SIZE, SIZE))
READ = torch.tensor(RNG.normal(size=(IMAGES, 1, SIZE, SIZE)))  # r, which these cells do not read
AT_HIDDEN, AT_OUTPUT = RNG.normal(size=(2, STEPS, IMAGES, CHANNELS, SIZE, SIZE))
LINKS = [Link(kernel=1), Link(kernel=2), Link(kernel=3), Link(kernel=4, separable=True), Link(kernel=3, separable=True)]


def started(cell):
    """A cell as it is initialised."""
    area = model.Area(name="V1", drive=(model.Conv(kernel=1, channels=CHANNELS),), cell=cell)
    architecture = model.Architecture(
        striate=1,
        name="one-area",
        input=model.Input(channels=1, size=SIZE, classes=2),
        time=model.Time(steps=2),
        areas=(area,),
        train=model.Training(data="digits", learning_rate=0.1),
    )
    return Network(lower(architecture), 0)["areas"]["V1"]["cell"].double()


def build(cell):
    """A cell every parameter of which is random."""
    found = started(cell)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return found


def computed(cell, feedback):
    """The outputs of all steps, `(T, N, C, H, W)`, and the last state."""
    state = cell.initial(torch.tensor(DRIVES[0]))
    outputs = []
    for step, x in enumerate(DRIVES):
        entering = {port: torch.tensor(values[step]) for port, values in feedback.items()}
        h, state = cell.update(cell.project(torch.tensor(x), READ), entering, state)
        outputs.append(h.detach().numpy())
    return np.stack(outputs), [each.detach().numpy() for each in state]


def check(cell, step, states, feedback=()):
    """Compare a cell with `step(x, states, feedback) → (output, states)`, a function of one image."""
    feedback = dict(feedback)
    outputs, last = computed(cell, feedback)
    for image in range(IMAGES):
        state = [np.zeros((CHANNELS, SIZE, SIZE))] * states
        for t in range(STEPS):
            entering = {port: values[t, image] for port, values in feedback.items()}
            h, state = step(DRIVES[t, image], state, entering)
            np.testing.assert_allclose(outputs[t, image], h, atol=1e-10)
        for found, wanted in zip(last, state, strict=True):
            np.testing.assert_allclose(found[image], wanted, atol=1e-10)


def kernel_and_bias(cell, name):
    """A link's dense kernel `(C_out, C_in, k, k)`, whether separable or not, and its bias or zeros."""
    found = {key: value.numpy() for key, value in cell.state_dict().items()}
    if f"{name}.weight" in found:
        kernel, bias = found[f"{name}.weight"], found.get(f"{name}.bias")
    else:
        own, across = found[f"{name}.depthwise.weight"], found[f"{name}.pointwise.weight"]
        kernel = np.einsum("cij,oc->ocij", own[:, 0], across[:, :, 0, 0])
        bias = found.get(f"{name}.pointwise.bias")
    return kernel, np.zeros(len(kernel)) if bias is None else bias


def convolve(x, kernel, bias):
    """`(C, H, W)` to `(O, H, W)`; an even kernel has its extra tap at the bottom and right."""
    outputs, _, taps, _ = kernel.shape
    before = (taps - 1) // 2
    found = np.empty((outputs, SIZE, SIZE))
    for o, row, column in np.ndindex(outputs, SIZE, SIZE):
        total = bias[o]
        for dy, dx in np.ndindex(taps, taps):
            y_in, x_in = row + dy - before, column + dx - before
            if 0 <= y_in < SIZE and 0 <= x_in < SIZE:
                total += kernel[o, :, dy, dx] @ x[:, y_in, x_in]
        found[o, row, column] = total
    return found


def normalise(x, weight, bias):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * weight[:, None, None] + bias[:, None, None]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def elu(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)


def relu(x):
    return np.maximum(x, 0)


def test_feedforward():
    """h = φ_in(x)"""
    check(build(Feedforward(input=CellInput(activation="relu"))), lambda x, state, _: (relu(x), state), states=0)


def test_time_decay():
    """h' = τ·h + φ_in(x)"""
    cell = build(TimeDecay(input=CellInput(activation="relu")))
    ((name, tau),) = cell.state_dict().items()
    assert name == "decay.weight" and tau.shape == (1,) and 0.05 < abs(tau.item()) < 5

    def step(x, state, _):
        (h,) = state
        h = tau.item() * h + relu(x)
        return h, [h]

    check(cell, step, states=1)


@pytest.mark.parametrize("cell", [TimeDecay(), ConvLSTM(gates=Link(kernel=1), peepholes=True)], ids=str)
def test_decays_and_peepholes_begin_at_zero(cell):
    """At the start time decay is the feedforward cell and a ConvLSTM one without peepholes."""
    scales = {name: value for name, value in started(cell).state_dict().items() if "gates" not in name}
    shapes = {name: tuple(value.shape) for name, value in scales.items()}
    if isinstance(cell, TimeDecay):
        assert shapes == {"decay.weight": (1,)}
    else:
        assert shapes == {f"peephole_{gate}.weight": (CHANNELS,) for gate in "ifo"}
    assert not any(value.any() for value in scales.values())


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("link", LINKS, ids=str)
def test_simple_rnn(link, norm):
    """h' = ELU(LN?(x + W_h*h + b))"""
    cell = build(SimpleRNN(hidden=link, norm=norm, input=CellInput(activation="tanh")))
    kernel, bias = kernel_and_bias(cell, "hidden")
    assert bias.all()

    def step(x, state, _):
        (h,) = state
        inner = np.tanh(x) + convolve(h, kernel, bias)
        if norm == "layer":
            inner = normalise(inner, cell.norm.weight.detach().numpy(), cell.norm.bias.detach().numpy())
        return elu(inner), [elu(inner)]

    check(cell, step, states=1)


def test_a_simple_rnn_with_a_zero_state_returns_the_feedforward_response():
    cell = build(SimpleRNN(hidden=Link(kernel=3)))
    with torch.no_grad():
        cell.hidden.bias.zero_()
    x = torch.tensor(DRIVES[0])
    output, _ = cell.update(cell.project(x, READ), {}, cell.initial(x))
    np.testing.assert_allclose(output.detach().numpy(), elu(DRIVES[0]), atol=1e-12)


@pytest.mark.parametrize("peepholes", [False, True])
@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("link", LINKS, ids=str)
def test_conv_lstm(link, norm, peepholes):
    """(i, j, f, o) = W*[x, h] + b;  c' = c∘σ(f + 1 + V_f∘c) + σ(i + V_i∘c)∘tanh(j);  h' = tanh(c')∘σ(o + V_o∘c')"""
    cell = build(ConvLSTM(gates=link, norm=norm, peepholes=peepholes, input=CellInput(activation="relu")))
    kernel, bias = joined_kernel(cell)

    def norm_of(name, values, part=0):
        if norm == "none":
            return values
        layer, of = getattr(cell, name), slice(part * CHANNELS, (part + 1) * CHANNELS)
        return normalise(values, layer.weight.detach().numpy()[of], layer.bias.detach().numpy()[of])

    found = cell.state_dict()
    v_i, v_f, v_o = (
        found[f"peephole_{gate}.weight"].numpy()[:, None, None] if peepholes else np.zeros((CHANNELS, 1, 1))
        for gate in "ifo"
    )
    assert peepholes == any(name.startswith("peephole") for name in found)

    def step(x, state, _):
        c, h = state
        gates = convolve(np.concatenate((relu(x), h)), kernel, bias)
        i, j, f, o = (norm_of("norm_gates", gates[part * CHANNELS : (part + 1) * CHANNELS], part) for part in range(4))
        c = c * sigmoid(f + 1 + v_f * c) + sigmoid(i + v_i * c) * np.tanh(j)
        h = np.tanh(norm_of("norm_state", c)) * sigmoid(o + v_o * c)
        return h, [c, h]

    check(cell, step, states=2)


def joined_kernel(cell):
    """The kernel of the convolution of [x, h], and its bias, of which only the part over x has one."""
    of_x, bias = kernel_and_bias(cell, "gates_input")
    of_h, no_bias = kernel_and_bias(cell, "gates_hidden")
    assert bias.all() and not no_bias.any()
    return np.concatenate((of_x, of_h), axis=1), bias


@pytest.mark.parametrize("link", LINKS, ids=str)
def test_ugrnn(link):
    """(g, n) = W*[x, h] + b;  h' = σ(g + 1)∘h + (1 − σ(g + 1))∘tanh(n)"""
    cell = build(UGRNN(gates=link, input=CellInput(activation="relu")))
    kernel, bias = joined_kernel(cell)

    def step(x, state, _):
        (h,) = state
        g, n = np.split(convolve(np.concatenate((relu(x), h)), kernel, bias), 2)
        h = sigmoid(g + 1) * h + (1 - sigmoid(g + 1)) * np.tanh(n)
        return h, [h]

    check(cell, step, states=1)


@pytest.mark.parametrize("link", LINKS, ids=str)
def test_intersection_rnn(link):
    """(g_h, n_h, g_y, n_y) = W*[x, h] + b;  h' = σ(g_h + 1)∘h + (1 − σ(g_h + 1))∘tanh(n_h), carried;

    y = σ(g_y + 1)∘x + (1 − σ(g_y + 1))∘relu(n_y), emitted
    """
    cell = build(Intersection(gates=link, input=CellInput(activation="elu")))
    kernel, bias = joined_kernel(cell)

    def step(x, state, _):
        (h,) = state
        x = elu(x)
        g_h, n_h, g_y, n_y = np.split(convolve(np.concatenate((x, h)), kernel, bias), 4)
        h = sigmoid(g_h + 1) * h + (1 - sigmoid(g_h + 1)) * np.tanh(n_h)
        y = sigmoid(g_y + 1) * x + (1 - sigmoid(g_y + 1)) * relu(n_y)
        return y, [h]

    check(cell, step, states=1)


@pytest.mark.parametrize("candidate", [Link(kernel=2), Link(kernel=3, separable=True)], ids=str)
@pytest.mark.parametrize("gates", LINKS, ids=str)
def test_conv_gru(gates, candidate):
    """(r̂, u) = W*[x, h] + b + 1;  n = tanh(W_n*[x, σ(r̂)∘h] + b_n);  h' = σ(u)∘h + (1 − σ(u))∘n"""
    cell = build(ConvGRU(gates=gates, candidate=candidate, input=CellInput(activation="relu")))
    kernels = {name: kernel_and_bias(cell, name) for name in ("gates_input", "gates_hidden")}
    kernel = np.concatenate([kernels[name][0] for name in kernels], axis=1)
    bias = kernels["gates_input"][1]
    assert "gates_hidden.bias" not in cell.state_dict() and "candidate_hidden.bias" not in cell.state_dict()
    new = {name: kernel_and_bias(cell, name) for name in ("candidate_input", "candidate_hidden")}
    new_kernel = np.concatenate([new[name][0] for name in new], axis=1)
    new_bias = new["candidate_input"][1]

    def step(x, state, _):
        (h,) = state
        x = relu(x)
        pre = convolve(np.concatenate((x, h)), kernel, bias) + 1
        r, u = sigmoid(pre[:CHANNELS]), sigmoid(pre[CHANNELS:])
        n = np.tanh(convolve(np.concatenate((x, r * h)), new_kernel, new_bias))
        h = u * h + (1 - u) * n
        return h, [h]

    check(cell, step, states=1)


@pytest.mark.parametrize("ports", [(), ("hidden",), ("output",), ("hidden", "output")], ids=str)
@pytest.mark.parametrize("links", [*zip(LINKS, reversed(LINKS), strict=True)], ids=str)
def test_reciprocal_gated_cell(links, ports):
    """h' = ELU[(1 − σ(W_ch*c))∘x + (1 − σ(W_hh*h))∘h];  c' = ELU[(1 − σ(W_hc*h))∘x + (1 − σ(W_cc*c))∘c]"""
    keep, admit = links
    cell = build(ReciprocalGated(keep=keep, admit=admit, input=CellInput(activation="elu")))
    w_hh, w_cc, w_ch, w_hc = (
        kernel_and_bias(cell, name) for name in ("keep_output", "keep_hidden", "admit_output", "admit_hidden")
    )

    def step(x, state, entering):
        c, h = state
        x_h = elu(x) + entering.get("output", 0.0)
        x_c = elu(x) + entering.get("hidden", 0.0)
        new_h = elu((1 - sigmoid(convolve(c, *w_ch))) * x_h + (1 - sigmoid(convolve(h, *w_hh))) * h)
        new_c = elu((1 - sigmoid(convolve(h, *w_hc))) * x_c + (1 - sigmoid(convolve(c, *w_cc))) * c)
        return new_h, [new_c, new_h]

    at = {"hidden": AT_HIDDEN, "output": AT_OUTPUT}
    check(cell, step, states=2, feedback={port: at[port] for port in ports})


def test_the_reciprocal_gated_cell_has_a_gate_for_each_of_its_four_kernels_and_no_bias():
    cell = build(ReciprocalGated(keep=Link(kernel=3), admit=Link(kernel=2)))
    shapes = {name: tuple(parameter.shape) for name, parameter in cell.named_parameters()}
    assert shapes == {
        "keep_output.weight": (CHANNELS, CHANNELS, 3, 3),
        "keep_hidden.weight": (CHANNELS, CHANNELS, 3, 3),
        "admit_output.weight": (CHANNELS, CHANNELS, 2, 2),
        "admit_hidden.weight": (CHANNELS, CHANNELS, 2, 2),
    }
