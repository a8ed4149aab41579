"""Initial weights: what decides them, and how they are spread."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from nasty_networks import nasty_architectures
from random_networks import lowered

from cells.initialise import parameter_seed
from cells.network import Network
from space.model import Edges
from space.parse import find, parse_architecture

EDGE = "    - {from: IT, to: V2, via: [resize: {mode: bilinear}, conv: {kernel: 3}]}\n"


def weights(seed=0, **replacing):
    """The initial weights of `digits-rgc` with some of its text replaced."""
    text, file = find("digits-rgc")
    for part, new in replacing.items():
        old = {"edge": EDGE, "steps": "steps: 8"}[part]
        assert old in text
        text = text.replace(old, new)
    _, graph = parse_architecture(text, file)
    return Network(graph, seed).state_dict()


def assert_shared_are_identical(one, other, apart):
    assert one.keys() ^ other.keys() == apart
    for name in one.keys() & other.keys():
        assert torch.equal(one[name], other[name]), name


def test_adding_an_edge_moves_no_other_weight():
    more = f"{EDGE}    - {{from: V4, to: V1, via: [conv: {{kernel: 1}}, resize: {{mode: nearest}}]}}\n"
    added = {f"edges.V4>V1.0.{part}" for part in ("weight", "bias")}
    assert_shared_are_identical(weights(), weights(edge=more), added)


def test_taking_an_edge_away_moves_no_other_weight():
    removed = {f"edges.IT>V2.1.{part}" for part in ("weight", "bias")}
    assert_shared_are_identical(weights(), weights(edge="    []\n"), removed)


def test_time_and_the_generators_of_others_move_no_weight():
    torch.manual_seed(1)
    first = weights()
    before = torch.get_rng_state()
    torch.manual_seed(2)
    assert_shared_are_identical(first, weights(steps="steps: 9"), set())
    torch.manual_seed(1)
    assert torch.equal(before, torch.get_rng_state())


def test_another_seed_moves_every_kernel():
    one, other = weights(seed=0), weights(seed=1)
    for name in one:
        assert torch.equal(one[name], other[name]) == name.endswith(".bias"), name


def test_no_two_kernels_of_a_network_are_alike():
    kernels = [kernel.flatten()[:8].tolist() for name, kernel in weights().items() if name.endswith(".weight")]
    assert len({tuple(kernel) for kernel in kernels}) == len(kernels)


def test_a_seed_is_of_a_parameter_and_a_number():
    seeds = {parameter_seed(seed, name) for seed in (0, 1, 2**63 - 1) for name in ("a", "b", "0:a")}
    assert len(seeds) == 9
    assert all(0 <= seed < 2**63 for seed in seeds)


WIDE = """
striate: 1
name: wide
input: {channels: 16, size: 4, classes: 1000}
time: {steps: 4}
areas:
  one:
    drive: [conv: {kernel: 3, channels: 48}, conv: {kernel: 7, channels: 64, separable: true}]
    cell: {type: lstm, gates: {kernel: 2}, norm: layer}
  two:
    drive: [conv: {kernel: 1, channels: 80}]
    cell: {type: reciprocal_gated, keep: {kernel: 5, separable: true}, admit: {kernel: 3}}
edges: {feedback: [{from: two, to: one, via: [conv: {kernel: 3}]}]}
train: {data: digits, learning_rate: 0.1}
"""
NORMAL = {  # name → variance
    "areas.one.drive.0.weight": 1 / (9 * 16),
    "areas.one.drive.1.depthwise.weight": 1 / 49,
    "areas.one.drive.1.pointwise.weight": 1 / 48,
    "areas.two.drive.0.weight": 1 / 64,
    "readout.weight": 0.01**2,
}
UNIFORM = {  # name → fan in + fan out
    "areas.one.cell.gates_input.weight": 4 * (64 + 256),
    "areas.one.cell.gates_hidden.weight": 4 * (64 + 256),
    "areas.two.cell.keep_output.depthwise.weight": 25 * (80 + 1),
    "areas.two.cell.keep_hidden.depthwise.weight": 25 * (80 + 1),
    "areas.two.cell.keep_output.pointwise.weight": 80 + 80,
    "areas.two.cell.keep_hidden.pointwise.weight": 80 + 80,
    "areas.two.cell.admit_output.weight": 9 * (80 + 80),
    "areas.two.cell.admit_hidden.weight": 9 * (80 + 80),
    "edges.two>one.0.weight": 9 * (80 + 64),
}


@pytest.fixture(scope="module")
def wide():
    _, graph = parse_architecture(WIDE, "wide.yaml")
    return {name: value.double() for name, value in Network(graph, 0).state_dict().items()}


def test_every_weight_follows_one_rule(wide):
    ones = {name for name, value in wide.items() if (value == 1).all()}
    zeros = {name for name, value in wide.items() if not value.any()}
    assert ones == {"areas.one.cell.norm_gates.weight", "areas.one.cell.norm_state.weight"}
    assert zeros == {name for name in wide if name.endswith(".bias")}
    assert wide.keys() - ones - zeros == NORMAL.keys() | UNIFORM.keys()


@pytest.mark.parametrize("name", NORMAL)
def test_feedforward_kernels_and_the_read_out_are_normal(wide, name):
    """The seed is fixed; another would fail one of these checks at a rate below 1e-4 (4.9 standard errors each)."""
    values, deviation = wide[name], math.sqrt(NORMAL[name])
    count = values.numel()
    assert abs(values.mean().item()) < 4.9 * deviation / math.sqrt(count)
    assert values.var().item() == pytest.approx(NORMAL[name], rel=4.9 * math.sqrt(2 / count))
    tail = math.erfc(2 / math.sqrt(2))  # not truncated: the share beyond two deviations is a normal's
    assert abs((values.abs() > 2 * deviation).double().mean().item() - tail) < 4.9 * math.sqrt(tail / count)


@pytest.mark.parametrize("name", UNIFORM)
def test_recurrent_and_feedback_kernels_are_glorot_uniform(wide, name):
    """The seed is fixed; another would fail one of these checks at a rate below 1e-4."""
    values, bound = wide[name], math.sqrt(6 / UNIFORM[name])
    count = values.numel()
    assert bound * (1 - 14 / count) < values.abs().max().item() <= bound * (1 + 1e-6)  # missed at a rate of e⁻¹⁴
    assert abs(values.mean().item()) < 4.9 * bound / math.sqrt(3 * count)
    assert values.var().item() == pytest.approx(bound**2 / 3, rel=4.9 * math.sqrt(0.8 / count))


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(nasty_architectures())
def test_taking_any_long_range_edge_away_moves_no_other_weight(architecture):
    """Whatever shares its weights; of a lateral edge there is one for each area."""
    graph = lowered(architecture)
    if graph is None:
        return
    before = Network(graph, 3).state_dict()
    for kind in ("lateral", "feedback", "skip"):
        edges = getattr(architecture.edges, kind)
        for edge in edges:
            left = tuple(each for each in edges if each is not edge)
            fewer = lowered(replace(architecture, edges=replace(architecture.edges, **{kind: left})))
            if fewer is None:  # the image goes no other way
                continue
            after = Network(fewer, 3).state_dict()
            for name in before.keys() & after.keys():
                assert torch.equal(before[name], after[name]), (edge.name, name)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(nasty_architectures())
def test_other_names_of_areas_move_no_weight(architecture):
    graph = lowered(architecture)
    if graph is None:
        return
    names = {each.name: f"other{rank}" for rank, each in enumerate(architecture.areas)}
    lists = {}
    for kind in ("forward", "lateral", "feedback", "skip"):
        found = getattr(architecture.edges, kind)
        lists[kind] = found and tuple(
            replace(each, source=names.get(each.source, "image"), target=names[each.target]) for each in found
        )
    areas = tuple(replace(each, name=names[each.name]) for each in architecture.areas)
    renamed = lowered(replace(architecture, areas=areas, edges=Edges(**lists)))
    before, after = (list(Network(each, 3).state_dict().values()) for each in (graph, renamed))
    assert len(before) == len(after)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
