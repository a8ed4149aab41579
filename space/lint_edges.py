"""Warnings about candidate edges that do too little at the steps that a space allows."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator

from space.convert import build
from space.errors import Mark, Problem, SpecificationError
from space.forms import Record
from space.graph import lower
from space.model import Architecture
from space.nodes import Graph
from space.reach import EdgeReach, reach
from space.space import Space, without_let
from space.tree import Choice, Hole, Integers, Mapping, Node, Scalar, Sequence, When, resolve

DRAWS = 16
MOST_STEPS = 64
_LISTS = ("feedback", "skip")


def lint_edges(space: Space) -> Iterator[Problem]:
    """Candidate edges that cannot influence the read-out, or cannot carry the image to it, at some steps or at any.

    Each number of steps is tried with all candidate edges there, over some draws of all other decisions.
    """
    found: dict[str, dict[int, EdgeReach]] = defaultdict(dict)
    for steps in step_options(space):
        for graph in _graphs_with_all_edges(space, steps):
            for name, each in reach(graph).edges.items():
                before = found[name].get(steps, EdgeReach(False, False))
                found[name][steps] = EdgeReach(
                    before.influences or each.influences, before.carries_image or each.carries_image
                )
    tried = f"in {DRAWS} draws with all candidate edges"
    places = _places(space.tree)
    for name, at in found.items():
        path, mark = places.get(name, (f"edges[{name}]", space.tree.mark))
        influential = [steps for steps, each in at.items() if each.influences]
        carrying = [steps for steps, each in at.items() if each.carries_image]
        if not influential:
            rule = f"an edge is there to influence the read-out, but with {_steps(at)} this one cannot ({tried})"
            yield Problem(mark, path, f"{rule}; allow more steps, or take it away")
        elif not carrying:
            rule = f"an edge is there to carry the image, but with {_steps(at)} this one brings it too late ({tried})"
            yield Problem(mark, path, f"{rule}; allow more steps, or take it away")
        elif len(carrying) < len(at):
            rule = f"an edge is there to carry the image, but this one does with {_steps(carrying)} alone, not with"
            rule = f"{rule} {_steps([steps for steps in at if steps not in carrying])} ({tried})"
            yield Problem(mark, path, f"{rule}; allow only more steps, or leave it so")


def step_options(space: Space) -> list[int]:
    """The numbers of steps that a space allows, the smallest and the largest of them where they are very many."""
    time = space.tree.entries["time"]
    nodes = list(_values(time.entries["steps"] if isinstance(time, Mapping) else time))
    options = sorted({steps for each in nodes for steps in each})
    return options if len(options) <= MOST_STEPS else [*options[: MOST_STEPS // 2], *options[-MOST_STEPS // 2 :]]


def _values(node: Node) -> Iterator[range]:
    match node:
        case Scalar(value=int(steps)):
            yield range(steps, steps + 1)
        case Hole(domain=Integers(low=low, high=high)):
            yield range(low, high + 1)
        case Hole(domain=Choice(branches=branches)):
            for branch in branches:
                yield from _values(branch)
        case When(body=body):
            yield from _values(body)
        case Mapping(entries) if "steps" in entries:  # all of `time` is a choice
            yield from _values(entries["steps"])


def _graphs_with_all_edges(space: Space, steps: int) -> Iterator[Graph]:
    tree = _with_all_edges(space.tree, steps)
    rng = random.Random(0)
    for _ in range(DRAWS if space.holes else 1):
        closed = resolve(tree, lambda hole: hole.domain.draw(rng), {})
        assert isinstance(closed, Mapping)
        closed = without_let(closed)
        try:
            architecture: Architecture = build(Record(Architecture), closed)
            yield lower(architecture, closed)
        except SpecificationError:
            continue  # too few steps, or a draw whose parts do not fit: `check` tells of those


def _with_all_edges(tree: Mapping, steps: int) -> Mapping:
    """The tree with this number of steps, and with every candidate edge there."""
    entries = dict(tree.entries)
    time, edges = entries["time"], entries.get("edges")
    if isinstance(time, Mapping):
        fixed = Scalar(steps, time.mark)
        entries["time"] = Mapping({**time.entries, "steps": fixed}, time.key_marks, time.mark)
    if isinstance(edges, Mapping):
        lists = {
            key: Sequence(tuple(map(_present, node.items)), node.mark)
            for key, node in edges.entries.items()
            if key in _LISTS and isinstance(node, Sequence)
        }
        entries["edges"] = Mapping({**edges.entries, **lists}, edges.key_marks, edges.mark)
    return Mapping(entries, tree.key_marks, tree.mark)


def _places(tree: Mapping) -> dict[str, tuple[str, Mark]]:
    """Edge → its path, and where it is written."""
    edges = tree.entries.get("edges")
    found = {}
    for key in _LISTS:
        node = edges.entries.get(key) if isinstance(edges, Mapping) else None
        for item in node.items if isinstance(node, Sequence) else ():
            edge = _present(item)
            ends = [edge.entries.get(end) for end in ("from", "to")] if isinstance(edge, Mapping) else []
            name = ">".join(str(end.value) for end in ends if isinstance(end, Scalar))
            found[name] = (f"edges.{key}[{name}]", item.mark)
    return found


def _present(node: Node) -> Node:
    match node:
        case When(body=body):
            return _present(body)
        case Hole(domain=Choice(labels=(True, False), branches=(edge, _))):
            return edge
        case _:
            return node


def _steps(steps: Iterable[int]) -> str:
    *others, last = map(str, steps)
    return f"{', '.join(others)} or {last} steps" if others else f"{last} steps"
