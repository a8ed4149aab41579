"""Small random architectures with every cell, for properties of graphs and of real networks."""

from __future__ import annotations

import dataclasses

import torch
from hypothesis import strategies as st

from cells.network import Network
from space import model
from space.cell_models import HiddenAdmitSources, KeepSources, OutputAdmitSources, cell_ports
from space.errors import SpecificationError
from space.graph import lower
from space.model import (
    UGRNN,
    Architecture,
    Area,
    CellInput,
    Conv,
    ConvGRU,
    ConvLSTM,
    EdgeConv,
    Edges,
    FeedbackEdge,
    Feedforward,
    HiddenAdmitGate,
    Input,
    Intersection,
    KeepGate,
    Link,
    MaxPool,
    OutputAdmitGate,
    Readout,
    ReciprocalGated,
    Resize,
    Searched,
    SearchedHidden,
    SearchedOutput,
    SimpleRNN,
    Time,
    TimeDecay,
    Training,
)
from space.nodes import Graph

SMOOTH = ("elu", "tanh", "sigmoid", "identity")
links = st.builds(Link, kernel=st.integers(1, 4), separable=st.booleans())
edge_convs = st.builds(EdgeConv, kernel=st.integers(1, 4), separable=st.booleans())
maybe = st.none() | links
activations = st.sampled_from(SMOOTH)
cell_inputs = st.builds(CellInput, activation=activations)
norms = st.sampled_from(("none", "layer"))
_gate = {"function": st.sampled_from(("sigmoid", "tanh")), "offset": st.sampled_from((0.0, 0.7, 1.0))}
keeps = st.builds(
    KeepGate, **_gate, scale=st.just(-0.5), sources=st.builds(KeepSources, own=links, input=maybe, residual=maybe)
)
hidden_admits = st.builds(
    HiddenAdmitGate, **_gate, scale=st.just(0.5), sources=st.builds(HiddenAdmitSources, output=links, input=maybe)
)
output_admits = st.builds(
    OutputAdmitGate, **_gate, scale=st.just(0.5), sources=st.builds(OutputAdmitSources, hidden=maybe, input=links)
)
hiddens = st.builds(
    SearchedHidden,
    channels=st.integers(2, 3),
    from_input=maybe,
    from_residual=links,
    keep=st.none() | keeps,
    admit=st.none() | hidden_admits,
    activation=activations,
)
outputs = st.builds(
    SearchedOutput,
    from_input=maybe,
    from_hidden=maybe,
    bypass=st.booleans(),
    keep=st.none() | keeps,
    admit=st.none() | output_admits,
    activation=activations,
)
cells = st.one_of(
    st.builds(Feedforward, input=cell_inputs),
    st.builds(TimeDecay, input=cell_inputs),
    st.builds(SimpleRNN, hidden=links, activation=activations, norm=norms, input=cell_inputs),
    st.builds(ConvGRU, gates=links, candidate=links, input=cell_inputs),
    st.builds(ConvLSTM, gates=links, norm=norms, peepholes=st.booleans(), input=cell_inputs),
    st.builds(UGRNN, gates=links, input=cell_inputs),
    st.builds(Intersection, gates=links, input=cell_inputs),
    st.builds(ReciprocalGated, keep=links, admit=links, activation=activations, input=cell_inputs),
    st.builds(Searched, hidden=st.none() | hiddens, output=outputs, norm=norms, input=cell_inputs),
)


def architecture(*areas, feedback=(), steps, size=6, pool="mean"):
    return Architecture(
        striate=1,
        name="net",
        input=Input(channels=2, size=size, classes=3),
        time=Time(steps=steps),
        areas=tuple(areas),
        edges=Edges(feedback=tuple(feedback)),
        readout=Readout(pool=pool),
        train=Training(data="digits", learning_rate=0.1),
    )


@st.composite
def architectures(draw, most_extra_steps=3):
    """One to three areas, any cells, any feedback edges at any of the ports, few or just enough steps."""
    areas, conv_channels = [], []
    for rank in range(draw(st.integers(1, 3))):
        conv = Conv(kernel=draw(st.integers(1, 3)), channels=draw(st.integers(2, 3)), separable=draw(st.booleans()))
        conv_channels.append(conv.channels)
        drive = (*draw(st.lists(st.sampled_from(SMOOTH), max_size=1)), conv, *draw(st.lists(activations, max_size=1)))
        if rank == 1 and draw(st.booleans()):
            drive = drive[:1] if isinstance(drive[0], str) else ()  # an area without weights of its own
            conv_channels[rank] = conv_channels[0]
        post = (MaxPool(kernel=2, stride=2),) if rank == 0 and draw(st.booleans()) else ()
        areas.append(Area(name=f"A{rank}", drive=drive, cell=draw(cells), post=post))
    feedback = []
    for high in range(1, len(areas)):
        for low in range(high):
            if draw(st.booleans()):
                via = (Resize(mode="bilinear"), draw(edge_convs), *draw(st.lists(activations, max_size=1)))
                port = draw(st.sampled_from(cell_ports(areas[low].cell)))
                feedback.append(FeedbackEdge(source=f"A{high}", target=f"A{low}", enters=port, via=via))
    steps = len(areas) + 1 + draw(st.integers(0, most_extra_steps))
    return architecture(*areas, feedback=feedback, steps=steps, pool=draw(st.sampled_from(("mean", "none"))))


def lowered(given: Architecture) -> Graph | None:
    """The graph, or None where the parts do not fit together."""
    try:
        return lower(given)
    except SpecificationError:
        return None


def network_of(graph: Graph, seed: int = 0) -> Network:
    """A network in double precision, every parameter of which is random."""
    network = Network(graph, seed).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return network


def images_of(graph: Graph, seed: int = 0) -> torch.Tensor:
    """Two images, or two sequences where frames are shown."""
    generator = torch.Generator().manual_seed(1000 + seed)
    frames = (graph.steps,) if graph.clock.frames else ()
    return torch.randn(2, *frames, *graph.input_shape, generator=generator, dtype=torch.float64)


def gradients_of(network: Network, images: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits, and the gradient of a fixed mixture of them to each parameter."""
    network.zero_grad()
    logits = network(images)
    mixture = torch.linspace(0.5, 2, logits.numel(), dtype=logits.dtype, device=logits.device)
    (logits * mixture.view_as(logits)).sum().backward()
    found = {}
    for name, parameter in network.named_parameters():
        found[name] = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
    return logits.detach(), found


SMALLEST = {"digits": 8, "fashion": 28, "convrnn-2018": 64, "cells-2018": 128}  # maps that all their pools fit


def shrunk(value, size):
    """An architecture with a smaller image, and two to four channels everywhere."""
    if isinstance(value, tuple):
        return tuple(shrunk(each, size) for each in value)
    if not dataclasses.is_dataclass(value):
        return value
    fields = {each.name: shrunk(getattr(value, each.name), size) for each in dataclasses.fields(value)}
    if isinstance(fields.get("channels"), int):
        fields["channels"] = 2 + fields["channels"] % 3
    if isinstance(value, model.Input):
        fields |= {"size": min(size, value.size), "classes": 3}
    return dataclasses.replace(value, **fields)
