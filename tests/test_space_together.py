"""What is computed as one, read off the plan: the same work, in an order in which each reads what is there."""

from hypothesis import given, settings
from random_networks import architectures, lowered

from space.dataflow import Project, Update
from space.operations import Convolution, Normalisation
from space.parse import find, parse_architecture
from space.plan import Join, Split, plan


def tasks_of(graph, steps=None):
    return [task for stretch in plan(graph, steps).stretches for task in stretch]


def groups_of(graph, kind):
    """The first node of each task that computes any of a kind, and how many these are."""
    return [
        (task.nodes[0], len(task.nodes))
        for task in tasks_of(graph)
        if task.nodes and task.nodes[0].inputs and isinstance(task.nodes[0].kind, kind)
    ]


def median():
    return parse_architecture(*find("convrnn-median"))[1]


def test_without_feedback_each_convolution_of_a_drive_runs_once_for_images_and_once_for_the_batch():
    found = [(node.kind.path, node.of_image) for node, _ in groups_of(median(), Convolution)]
    assert len(found) == len(set(found))
    assert {number for node, number in groups_of(median(), Project) if node.of_image} == {1, 7}


def test_a_recurrence_runs_step_by_step():
    assert {number for _, number in groups_of(median(), Update)} == {1}


AROUND = """
striate: 1
name: around
input: {channels: 2, size: 8, classes: 3}
time: {steps: 12}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}, elu]}
  V2: {drive: [conv: {kernel: 3, channels: 4}, elu]}
  V4: {drive: [conv: {kernel: 3, channels: 4}, elu]}
edges:
  feedback: [{from: V4, to: V1, via: [conv: {kernel: 1}]}]
readout: {decode: mean}
train: {data: digits, learning_rate: 0.1}
"""


def test_in_a_circle_as_many_steps_are_together_as_it_has():
    _, graph = parse_architecture(AROUND, "around.yaml")
    assert max(number for _, number in groups_of(graph, Convolution)) == 3


@settings(max_examples=100, deadline=None)
@given(architectures())
def test_every_task_reads_what_is_there_and_nothing_is_computed_twice_or_kept_for_nobody(architecture):
    graph = lowered(architecture)
    if graph is None:
        return
    for steps in (None, 1, 3):
        there, given_by = set(), {}
        tasks = tasks_of(graph, steps)
        for task in tasks:
            assert set(task.reads) <= there
            assert not there & set(task.gives) and not given_by.keys() & set(task.gives)
            given_by |= dict.fromkeys(task.gives, task)
            there = (there | set(task.gives)) - set(task.frees)
            assert len(task.gives) == 1 or isinstance(task.work, Split)
            kinds = {(node.kind, node.shape) for node in task.nodes}
            assert len(kinds) == (0 if isinstance(task.work, Join | Split) else 1)
            if any(isinstance(kind, Normalisation) and not kind.groups for kind, _ in kinds):
                assert len(task.nodes) == 1
        assert there == set(plan(graph, steps).answers)
        computed = [node for task in tasks for node in task.nodes]
        assert len(computed) == len({id(node) for node in computed}) == len(plan(graph).nodes)
