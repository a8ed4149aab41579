"""The normal form and the hashes: what they must not tell apart, what they must, and that equal forms are one function.

Networks are built twice, in double precision, and parameters copied along the bijection of two forms; the only
difference left is the order of sums, hence the tolerance.
"""

import json
import random
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from at_length import at_length
from dropout_masks import Masks, PlannedMasks
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from nasty_networks import nasty_architectures
from random_networks import (
    SMALLEST,
    architecture,
    architectures,
    gradients_of,
    images_of,
    lowered,
    network_of,
    shrunk,
)

from cells.initialise import initialise
from space.errors import SpecificationError
from space.graph import lower
from space.hashes import architecture_hash
from space.model import (
    Area,
    CellInput,
    Conv,
    EdgeConv,
    Edges,
    FeedbackEdge,
    Feedforward,
    Link,
    MaxPool,
    ReciprocalGated,
    Resize,
    SimpleRNN,
)
from space.mutate import mutate
from space.nodes import AreaNode, EdgeNode, Graph
from space.normal_form import normal_form
from space.parse import LIBRARY, find, parse_space
from space.reach import reach

SPACES = {path.stem: parse_space(*find(path.stem)) for path in sorted(LIBRARY.glob("*.yaml"))}

GATED = ReciprocalGated(keep=Link(kernel=1), admit=Link(kernel=1))
TWINS, NASTY = (Path(__file__).parent / "spaces" / f"{name}.yaml" for name in ("twins", "nasty"))
seeds = st.integers(0, 2**32)
samples = st.builds(
    lambda name, seed: SPACES[name].fill(SPACES[name].sample(random.Random(seed))),
    st.sampled_from(sorted(SPACES)),
    seeds,
)


def area(name, kernel=3, channels=2, cell=None, drive=(), post=(), stride=1):
    conv = Conv(kernel=kernel, channels=channels, stride=stride)
    return Area(name=name, drive=(conv, *drive), cell=cell or Feedforward(), post=post)


def edge(source, target, enters="input", kernel=1, via=()):
    return FeedbackEdge(
        source=source, target=target, enters=enters, via=(Resize(mode="nearest"), EdgeConv(kernel=kernel), *via)
    )


def assert_one_function(one: Graph, other: Graph) -> None:
    """Equal forms, and equal logits and gradients with the live parameters copied, and nothing else that matters."""
    forms = normal_form(one), normal_form(other)
    assert forms[0].form == forms[1].form
    assert sorted(forms[0].parameters.values()) == sorted(forms[1].parameters.values())
    assert len(set(forms[0].parameters.values())) == len(forms[0].parameters)
    other_name = {canonical: name for name, canonical in forms[1].parameters.items()}
    pairs = {name: other_name[canonical] for name, canonical in forms[0].parameters.items()}
    networks = network_of(one, seed=1), network_of(other, seed=2)
    with torch.no_grad():
        parameters = dict(networks[0].named_parameters()), dict(networks[1].named_parameters())
        for first, second in pairs.items():
            parameters[1][second].copy_(parameters[0][first])
    (logits, gradients), (other_logits, other_gradients) = (with_masks(net, images_of(one)) for net in networks)
    torch.testing.assert_close(logits, other_logits, rtol=1e-9, atol=1e-10)
    for first, second in pairs.items():
        torch.testing.assert_close(gradients.pop(first), other_gradients.pop(second), rtol=1e-7, atol=1e-9)
    assert not any(gradient.any() for gradient in (*gradients.values(), *other_gradients.values()))
    assert_equal_initial_distributions(one, other, pairs)


def with_masks(network, images):
    """Logits and gradients, with the same masks where the same place drops at the same step."""
    with PlannedMasks(network, Masks(0)):
        return gradients_of(network, images)


def assert_equal_initial_distributions(one: Graph, other: Graph, pairs: dict[str, str]) -> None:
    """Zeros are zeros, ones ones; of the rest, shape and role and declared kernel decide."""
    networks = network_of(one), network_of(other)
    initialise(networks[0], one, seed=0)
    initialise(networks[1], other, seed=0)
    parameters = dict(networks[0].named_parameters()), dict(networks[1].named_parameters())
    roles = [
        {
            path: (op.role, op.kernel)
            for op in _convolutions(graph)
            for path in (op.path, *(f"{op.path}.{step}" for step in op.steps or ()))
        }
        for graph in (one, other)
    ]
    for first, second in pairs.items():
        a, b = parameters[0][first], parameters[1][second]
        assert a.shape == b.shape
        if (a == a.flatten()[0]).all() or (b == b.flatten()[0]).all():
            assert torch.equal(a, b)
        else:
            paths = [
                name.removesuffix(".weight").removesuffix(".depthwise").removesuffix(".pointwise")
                for name in (first, second)
            ]
            assert roles[0].get(paths[0]) == roles[1].get(paths[1])


def _convolutions(graph):
    parts = [op for node in graph.areas for op in (*node.drive, *node.cell_operations.values(), *node.post)]
    return [op for op in (*parts, *(op for each in graph.edges for op in each.operations)) if hasattr(op, "role")]


def renamed(given, rng):
    names = {each.name: f"N{rng.randrange(10**9)}x{rank}" for rank, each in enumerate(given.areas)}
    names["image"] = "image"

    def ends(each):
        return replace(each, source=names[each.source], target=names[each.target])

    areas = tuple(replace(each, name=names[each.name]) for each in given.areas)
    return replace(given, name="other", areas=areas, edges=with_each_edge(given.edges, ends))


def with_each_edge(edges, change):
    kinds = ("forward", "lateral", "feedback", "skip")
    return Edges(**{kind: found and tuple(map(change, found)) for kind in kinds for found in [getattr(edges, kind)]})


def reordered(given, rng):
    feedback = list(given.edges.feedback)
    rng.shuffle(feedback)
    return replace(given, edges=replace(given.edges, feedback=tuple(feedback)))


def with_functionless_operations(given, rng):
    """Identities anywhere, a second ReLU, and an ELU or ReLU after what is never negative."""

    def pad(operations):
        padded = []
        for each in operations:
            padded += ["identity"] * rng.randrange(2) + [each]
            if each in ("relu", "sigmoid") and rng.random() < 0.7:
                padded += [rng.choice(["relu", "elu"])]
        return (*padded, *["identity"] * rng.randrange(2))

    areas = tuple(replace(each, drive=pad(each.drive), post=pad(each.post)) for each in given.areas)
    edges = with_each_edge(given.edges, lambda each: replace(each, via=pad(each.via)))
    return replace(given, areas=areas, edges=edges)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(samples, seeds)
def test_names_order_and_operations_that_do_nothing_leave_the_hash(sample, seed):
    given_architecture, graph = sample
    rng = random.Random(seed)
    for change in (renamed, reordered, with_functionless_operations):
        given_architecture = change(given_architecture, rng)
        assert architecture_hash(lower(given_architecture)) == architecture_hash(graph)


test_names_order_and_operations_that_do_nothing_leave_the_hash_at_length = at_length(
    test_names_order_and_operations_that_do_nothing_leave_the_hash, 150, samples, seeds
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(architectures(), seeds)
def test_equal_forms_are_one_function_with_one_gradient(given_architecture, seed):
    graph = lowered(given_architecture)
    assume(graph is not None)
    rng = random.Random(seed)
    changed = with_functionless_operations(reordered(renamed(given_architecture, rng), rng), rng)
    assert_one_function(graph, lower(changed))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(architectures(most_extra_steps=1))
def test_edges_that_do_not_matter_may_be_taken_away(given_architecture):
    graph = lowered(given_architecture)
    assume(graph is not None)
    found = reach(graph)
    kept = tuple(each for each in given_architecture.edges.feedback if found.edges[each.name].influences)
    assert_one_function(
        graph, lower(replace(given_architecture, edges=replace(given_architecture.edges, feedback=kept)))
    )


test_edges_that_do_not_matter_may_be_taken_away_at_length = at_length(
    test_edges_that_do_not_matter_may_be_taken_away, 120, architectures(most_extra_steps=1)
)


def pairs_of_one_hash(name, draws):
    """Lowered architectures of a space that have one hash but are written in other ways: the first of them, another.

    Most differ from the one before in a single decision, for two that are drawn apart seldom compute the same.
    """
    space = parse_space(*find(str(name)))
    rng = random.Random(7)
    first, seen = {}, {}
    candidate = None
    for _ in range(draws):
        candidate = mutate(space, candidate, rng) if candidate else space.sample(rng)
        try:
            given = space.fill(candidate)[0]
        except SpecificationError:  # of few steps, or many delays
            candidate = None
            continue
        candidate = None if rng.random() < 0.3 else candidate
        graph = lower(shrunk(given, SMALLEST[space.name]) if space.name in SMALLEST else given)
        digest = architecture_hash(graph)
        known = seen.setdefault(digest, set())
        if first.setdefault(digest, graph) != graph and repr(graph) not in known:
            known.add(repr(graph))
            yield first[digest], graph


@pytest.mark.parametrize("name", [TWINS, NASTY], ids=["twins", "nasty"])
def test_all_that_share_a_hash_in_a_space_full_of_twins_are_one_function(name):
    compared = 0
    for one, other in pairs_of_one_hash(name, 500):
        assert_one_function(one, other)
        compared += 1
    assert compared > 20, compared


@pytest.mark.long
@pytest.mark.parametrize("name", [*SPACES, TWINS, NASTY], ids=[*SPACES, "twins", "nasty"])
def test_all_that_share_a_hash_among_ten_thousand_draws_are_one_function(name):
    """Shipped spaces with small images and few channels, which more of their architectures share than the real ones."""
    for one, other in pairs_of_one_hash(name, 10_000 // 6):
        assert_one_function(one, other)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(nasty_architectures(), seeds)
def test_what_changes_nothing_leaves_the_hash_and_the_function_whatever_the_language_has(given_architecture, seed):
    graph = lowered(given_architecture)
    assume(graph is not None)
    rng = random.Random(seed)
    assert_one_function(graph, lower(with_functionless_operations(renamed(given_architecture, rng), rng)))


test_what_changes_nothing_leaves_the_hash_and_the_function_whatever_the_language_has_at_length = at_length(
    test_what_changes_nothing_leaves_the_hash_and_the_function_whatever_the_language_has,
    150,
    nasty_architectures(),
    seeds,
)


def test_a_dead_edge_leaves_the_hash_and_the_function():
    """What enters the hidden state of a first area that is computed once leaves it too late for the read-out."""
    areas = [area("V1", cell=GATED), area("V2")]
    plain = lower(architecture(*areas, steps=3))
    dead = lower(architecture(*areas, feedback=[edge("V2", "V1", "hidden")], steps=3))
    assert architecture_hash(plain) == architecture_hash(dead)
    assert_one_function(plain, dead)
    assert architecture_hash(plain) != architecture_hash(
        lower(architecture(*areas, feedback=[edge("V2", "V1")], steps=3))
    )


def test_without_recurrence_the_number_of_steps_is_of_no_matter():
    areas = [area("V1", drive=("elu",)), area("V2")]
    graphs = [lower(architecture(*areas, steps=steps)) for steps in (3, 4, 9)]
    assert len({architecture_hash(graph) for graph in graphs}) == 1
    assert_one_function(graphs[0], graphs[2])
    gated = [lower(architecture(areas[0], area("V2", cell=GATED), steps=steps)) for steps in (3, 4, 9)]
    assert len({architecture_hash(graph) for graph in gated}) == 3


def test_a_number_of_steps_at_which_a_state_is_never_read_makes_a_cell_another():
    """h' = φ(x + W_h*h + b) read once is φ(x + b): W_h does not matter, whatever its kernel."""
    graphs = [lower(architecture(area("V1", cell=SimpleRNN(hidden=Link(kernel=k))), steps=2)) for k in (1, 3)]
    assert architecture_hash(graphs[0]) == architecture_hash(graphs[1])
    assert_one_function(*graphs)
    graphs = [lower(architecture(area("V1", cell=SimpleRNN(hidden=Link(kernel=k))), steps=3)) for k in (1, 3)]
    assert architecture_hash(graphs[0]) != architecture_hash(graphs[1])


def test_an_activation_of_the_drive_is_that_of_the_input_where_nothing_else_enters():
    first = lower(architecture(area("V1", drive=("elu",)), steps=2))
    second = lower(architecture(area("V1", cell=Feedforward(input=CellInput(activation="elu"))), steps=2))
    assert_one_function(first, second)


def test_a_linear_readout_of_one_pixel_is_of_its_mean():
    pooled = [area("V1", post=(MaxPool(kernel=6, stride=6),))]
    first, second = (lower(architecture(*pooled, steps=2, pool=pool)) for pool in ("mean", "none"))
    assert_one_function(first, second)


def functional_changes(given):
    """Single changes of what a network computes, each told by a name."""
    first, *rest = given.areas
    at = next(i for i, op in enumerate(first.drive) if isinstance(op, Conv))
    conv = first.drive[at]

    def drive(*operations):
        return replace(
            given, areas=(replace(first, drive=(*first.drive[:at], *operations, *first.drive[at + 1 :])), *rest)
        )

    yield "kernel", drive(replace(conv, kernel=conv.kernel + 1))
    yield "channels", drive(replace(conv, channels=conv.channels + 1))
    yield "separable", drive(replace(conv, separable=not conv.separable))
    yield "activation", drive(conv, "tanh")
    yield (
        "post",
        replace(given, areas=(*given.areas[:-1], replace(given.areas[-1], post=(*given.areas[-1].post, "tanh")))),
    )
    yield "classes", replace(given, input=replace(given.input, classes=given.input.classes + 1))
    yield "channels of the image", replace(given, input=replace(given.input, channels=given.input.channels + 1))
    yield (
        "read-out",
        replace(given, readout=replace(given.readout, pool="none" if given.readout.pool == "mean" else "mean")),
    )


@settings(max_examples=20, deadline=None, derandomize=True)
@given(samples)
def test_each_functional_change_changes_the_hash(sample):
    given_architecture, graph = sample
    before = architecture_hash(graph)
    found = reach(graph)
    for what, changed in functional_changes(given_architecture):
        assert architecture_hash(lower(changed)) != before, what
    edges = given_architecture.edges
    for position, each in enumerate(edges.feedback):
        if found.edges[each.name].influences:
            without = replace(edges, feedback=edges.feedback[:position] + edges.feedback[position + 1 :])
            assert architecture_hash(lower(replace(given_architecture, edges=without))) != before, each.name
    if any(not isinstance(each.cell, Feedforward) for each in given_architecture.areas):
        longer = replace(given_architecture, time=replace(given_architecture.time, steps=graph.steps + 1))
        assert architecture_hash(lower(longer)) != before


test_each_functional_change_changes_the_hash_at_length = at_length(
    test_each_functional_change_changes_the_hash, 60, samples
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(samples)
def test_live_parameters_are_those_of_the_form_and_names_say_position(sample):
    given_architecture, graph = sample
    form = normal_form(graph)
    assert form.parameters.keys() == reach(graph).parameters
    assert len(set(form.parameters.values())) == len(form.parameters)
    text = json.dumps(form.form)
    assert not any(f'"{each.name}' in text for each in given_architecture.areas if len(each.name) > 1)
    assert json.loads(text) == form.form


def test_dead_taps_keep_the_fan_of_the_declared_kernel():
    """On a 2×2 map kernels of 3 and of 5 are one function, but start from other distributions: their hashes differ."""
    hashes = [architecture_hash(lower(architecture(area("V1", kernel=k), steps=2, size=2))) for k in (3, 5)]
    assert hashes[0] != hashes[1]


def test_the_form_knows_every_part_of_a_graph():
    """Whoever adds to the lowering must say here that the normal form says it too."""
    known = {"name", "input_shape", "clock", "areas", "edges", "readout", "answer", "decoding"}
    assert {each.name for each in fields(Graph) if each.compare} == known
    assert {each.name for each in fields(EdgeNode)} == {"name", "kind", "wire", "operations"}
    known = {"name", "input_shape", "drive", "shape", "cell", "cell_operations", "post", "output_shape"}
    known |= {"absent", "joins"}
    assert {each.name for each in fields(AreaNode)} == known
