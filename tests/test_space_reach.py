"""What can influence the read-out: against gradients and perturbations of real networks, brute force, and by hand."""

import itertools
from dataclasses import replace

import pytest
import torch
from at_length import at_length
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive_unroll import NaiveUnroll
from nasty_networks import nasty_architectures
from random_networks import architecture, architectures, gradients_of, images_of, lowered, network_of

from cells.operations import Conv2d
from space.graph import lower
from space.model import Area, Conv, EdgeConv, FeedbackEdge, Feedforward, Link, ReciprocalGated, Resize, SimpleRNN
from space.normal_form import live_taps
from space.reach import EdgeReach, reach

GATED = ReciprocalGated(keep=Link(kernel=1), admit=Link(kernel=1))
SIMPLE = SimpleRNN(hidden=Link(kernel=1))


def area(rank, cell=None):
    return Area(name=f"A{rank}", drive=(Conv(kernel=3, channels=2),), cell=cell or Feedforward())


def edge(source, target, enters="input", kernel=1):
    via = (Resize(mode="bilinear"), EdgeConv(kernel=kernel))
    return FeedbackEdge(source=f"A{source}", target=f"A{target}", enters=enters, via=via)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(architectures())
def test_the_parameters_that_matter_are_those_with_a_gradient(given_architecture):
    """No activation of these networks has a flat part, so a gradient is zero only where nothing can arrive."""
    graph = lowered(given_architecture)
    if graph is None:
        return
    _, gradients = gradients_of(network_of(graph), images_of(graph))
    assert {name for name, gradient in gradients.items() if gradient.any()} == reach(graph).parameters


@settings(max_examples=100, deadline=None, derandomize=True)
@given(architectures())
def test_an_edge_carries_the_image_if_another_image_on_it_alone_changes_the_logits(given_architecture):
    graph = lowered(given_architecture)
    if graph is None:
        return
    for name, found in edges_by_experiment(given_architecture, graph).items():
        assert reach(graph).edges[name] == found, name


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(nasty_architectures())
def test_what_is_said_not_to_matter_does_not_whatever_the_language_has(given_architecture):
    """Some of what may matter does not in these networks: a norm over one pixel is its shift, for one."""
    graph = lowered(given_architecture)
    if graph is None:
        return
    said = reach(graph)
    assert said.parameters >= {
        name for name, gradient in naive_gradients(given_architecture, graph).items() if gradient.any()
    }
    for name, found in edges_by_experiment(given_architecture, graph).items():
        assert said.edges[name].influences >= found.influences, name
        assert said.edges[name].carries_image >= found.carries_image, name


test_what_is_said_not_to_matter_does_not_whatever_the_language_has_at_length = at_length(
    test_what_is_said_not_to_matter_does_not_whatever_the_language_has, 150, nasty_architectures()
)


def edges_by_experiment(given_architecture, graph):
    """Long-range edge → what it does if, in a naive unroll, it brings disturbed maps, or those of another image."""
    naive = NaiveUnroll(given_architecture, network_of(graph))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        brought = {}
        answers = naive.answers(images_of(graph), on_edge=lambda *at: at[-1])
        naive.answers(images_of(graph, seed=1), on_edge=lambda name, step, map_: brought.setdefault((name, step), map_))

        def differ(name, instead):
            changed = naive.answers(
                images_of(graph), on_edge=lambda edge, step, map_: instead(step, map_) if edge == name else map_
            )
            return not torch.equal(changed, answers)

        def disturbed(_, map_):
            return map_ * (1 + torch.rand(map_.shape, generator=generator, dtype=map_.dtype))

        return {
            each.name: EdgeReach(
                influences=differ(each.name, disturbed),
                carries_image=differ(each.name, lambda step, _, name=each.name: brought[name, step]),
            )
            for each in graph.long_range
        }


def naive_gradients(given_architecture, graph):
    network = network_of(graph)
    answers = NaiveUnroll(given_architecture, network).answers(images_of(graph))
    mixture = torch.linspace(0.5, 2, answers.numel(), dtype=answers.dtype).view_as(answers)
    (answers * mixture).sum().backward()
    return {name: each.grad for name, each in network.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("areas", [1, 2, 4])
@pytest.mark.parametrize("extra", range(5))
def test_live_areas_and_steps_are_those_of_the_unrolled_graph(areas, extra):
    """Brute force over walks: (area, step) feeds the area above and those that its edges reach at the next step."""
    steps = areas + 1 + extra
    pairs = [(high, low) for high in range(areas) for low in range(high)]
    for chosen in itertools.chain.from_iterable(
        itertools.combinations(pairs, n) for n in range(min(3, len(pairs)) + 1)
    ):
        for stateful in (frozenset(), frozenset({0}), frozenset({areas - 1})):
            nodes = [area(rank, SIMPLE if rank in stateful else None) for rank in range(areas)]
            graph = lower(architecture(*nodes, feedback=[edge(*pair) for pair in chosen], steps=steps))
            arcs = [(rank, rank + 1) for rank in range(areas - 1)] + [(rank, rank) for rank in stateful] + list(chosen)
            live = {(areas - 1, steps - 2)}
            for step in range(steps - 2, 0, -1):
                live |= {(source, step - 1) for source, target in arcs if (target, step) in live}
            expected = tuple(tuple(sorted(step for r, step in live if r == rank)) for rank in range(areas))
            assert reach(graph).areas == expected


@pytest.mark.parametrize(("areas", "high", "low"), [(a, j, i) for a in (2, 3, 5) for j in range(a) for i in range(j)])
@pytest.mark.parametrize(("port", "more"), [("input", 0), ("output", 0), ("hidden", 1)])
def test_feedback_carries_the_image_from_a_plus_j_minus_i_plus_2_steps_on(areas, high, low, port, more):
    """The image leaves area j at step j, enters i a step later, and takes A − 1 − i steps to the top and one to the
    read-out, the last of T. What enters the hidden state leaves a reciprocal gated cell a step later."""
    nodes = [area(rank, GATED) for rank in range(areas)]
    for steps in range(areas + 1, 2 * areas + 4):
        graph = lower(architecture(*nodes, feedback=[edge(high, low, port)], steps=steps))
        found = reach(graph).edges[f"A{high}>A{low}"]
        assert found.carries_image == (steps >= areas + high - low + 2 + more)


def test_a_reciprocal_gated_cell_needs_two_steps_for_its_output_gates_and_three_for_all():
    """Worked by hand: with zero states h' = φ(x/2) and no kernel is read; c' reaches the read-out two steps later."""
    names = {
        name: f"areas.A0.cell.{name}.weight" for name in ("keep_output", "admit_output", "keep_hidden", "admit_hidden")
    }
    for steps, expected in ((2, set()), (3, {"keep_output", "admit_output"}), (4, set(names))):
        found = reach(lower(architecture(area(0, GATED), steps=steps)))
        assert {each for each, name in names.items() if name in found.parameters} == expected


def test_before_the_image_only_biases_speak():
    """A single step of a simple network reads no state, so of W_h*h + b there is b."""
    found = reach(lower(architecture(area(0, SIMPLE), steps=2)))
    assert "areas.A0.cell.hidden.bias" in found.parameters
    assert "areas.A0.cell.hidden.weight" not in found.parameters


@settings(max_examples=60, deadline=None, derandomize=True)
@given(architectures(), st.integers(1, 3))
def test_more_steps_never_make_less_matter(given_architecture, more):
    graph = lowered(given_architecture)
    if graph is None:
        return
    longer = reach(lower(replace(given_architecture, time=replace(given_architecture.time, steps=graph.steps + more))))
    shorter = reach(graph)
    assert shorter.parameters <= longer.parameters
    assert all(not each.carries_image or longer.edges[name].carries_image for name, each in shorter.edges.items())


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_live_taps_are_those_with_a_gradient(size, stride):
    for kernel in range(1, 17):
        layer = Conv2d(1, 1, kernel, stride, bias=False).double()
        torch.nn.init.ones_(layer.weight)
        layer(torch.rand(1, 1, size, size, dtype=torch.float64) + 0.1).sum().backward()
        gradient = layer.weight.grad[0, 0]
        live = {tap for tap in range(kernel) if gradient[tap].any()}
        assert live == {tap for tap in range(kernel) if gradient[:, tap].any()}
        assert live == set(live_taps(size, kernel, stride)[0])
        if stride == 1:
            assert len(live) <= 2 * size - 1
