"""Warnings about edges that do too little at the steps that a space allows."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from space.convert import build
from space.enumeration import turns
from space.errors import Mark, Problem, SpecificationError
from space.forms import Record
from space.graph import lower
from space.links import children
from space.model import Architecture
from space.names import LET
from space.nodes import Graph
from space.options import options
from space.reach import EdgeReach, reach
from space.space import Space, without_let
from space.tree import Choice, Hole, Integers, Mapping, Node, Reals, Scalar, Sequence, When, resolve

DRAWS = 16
MOST_CANDIDATES = 64
MOST_STEPS = 64
_LISTS = ("forward", "lateral", "feedback", "skip")  # in which later edges of the same ends have a number
_TIMING = ("delay", "active", "stimulus")


def lint_edges(space: Space) -> Iterator[Problem]:
    """Listed edges that cannot influence the read-out, or cannot carry the image to it, at some steps or at any.

    Each number of steps is tried with all candidate edges there, over all other decisions that can matter to this, or
    over some draws of them where they are many.
    """
    is_exact = _is_exact(space)
    found: dict[str, dict[int, EdgeReach]] = defaultdict(dict)
    for steps in step_options(space):
        for graph in _graphs_with_all_edges(space, steps, is_exact=is_exact):
            for name, each in reach(graph).edges.items():
                before = found[name].get(steps, EdgeReach(False, False))
                found[name][steps] = EdgeReach(
                    before.influences or each.influences, before.carries_image or each.carries_image
                )
    tried = f" ({'whatever is decided' if is_exact else f'in {DRAWS} draws'}, with all candidate edges)"
    tried = tried if space.holes else ""
    for name, (path, mark) in _places(space.tree).items():
        at = found.get(name, {})
        if not at:  # no graph of it, of which `check` tells
            continue
        influential = [steps for steps, each in at.items() if each.influences]
        carrying = [steps for steps, each in at.items() if each.carries_image]
        if not influential:
            rule = f"an edge is there to influence the read-out, but with {_steps(at)} this one cannot{tried}"
            yield Problem(mark, path, f"{rule}; allow more steps, or take it away")
        elif not carrying:
            rule = f"an edge is there to carry the image, but with {_steps(at)} this one brings it too late{tried}"
            yield Problem(mark, path, f"{rule}; allow more steps, or take it away")
        elif len(carrying) < len(at):
            rule = f"an edge is there to carry the image, but this one does with {_steps(carrying)} alone, not with"
            rule = f"{rule} {_steps([steps for steps in at if steps not in carrying])}{tried}"
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


def _is_exact(space: Space) -> bool:
    """Whether all decisions that can matter to what reaches the read-out can be gone through."""
    tree = _structure(_with_all_edges(space.tree, steps=step_options(space)[-1]))
    if any(_is_asked(each) for each in tree.entries.values()):
        return False
    ways = list(itertools.islice(_ways(tree), MOST_CANDIDATES + 1))
    # One that does not fit together says nothing of others of its structure, which may.
    return len(ways) <= MOST_CANDIDATES and all(_lowered(each) is not None for each in ways)


def _structure(tree: Mapping) -> Mapping:
    """The tree without decisions that change no path: whole numbers but those of time, and how a network is trained."""
    entries = {key: _fixed(node, trains=key in ("train", LET)) for key, node in tree.entries.items()}
    return Mapping(entries, tree.key_marks, tree.mark)


def _fixed(node: Node, *, trains: bool) -> Node:
    match node:
        case Hole(domain=Choice(labels=labels, branches=branches) as domain):
            inner = tuple(_fixed(branch, trains=trains) for branch in branches)
            if trains or all(isinstance(each, Scalar) and type(each.value) is int for each in inner):
                return inner[0]
            return replace(node, domain=Choice(labels, inner, domain.weights))
        case Hole(domain=Integers(low=low), mark=mark):
            return Scalar(low, mark)
        case Hole(domain=Reals(low=real), mark=mark) if trains:
            return Scalar(real, mark)
        case Sequence(items, mark):
            return Sequence(tuple(_fixed(item, trains=trains) for item in items), mark)
        case Mapping(entries, key_marks, mark):
            fixed = {
                key: each if key in _TIMING and not trains else _fixed(each, trains=trains)
                for key, each in entries.items()
            }
            return Mapping(fixed, key_marks, mark)
        case _:
            return node


def _is_asked(node: Node) -> bool:
    """Whether a condition or a real number is in a tree, so that going through its options tells not all."""
    if isinstance(node, When) or (isinstance(node, Hole) and options(node.domain) is None):
        return True
    return any(map(_is_asked, children(node)))


def _ways(tree: Mapping) -> Iterator[Mapping]:
    """The tree closed in every way; the decision that is met last turns fastest."""
    for turned in turns(tree):
        closed = resolve(tree, lambda hole, turned=turned: turned[hole.path], {})  # type: ignore[misc]
        assert isinstance(closed, Mapping)
        yield closed


def _graphs_with_all_edges(space: Space, steps: int, *, is_exact: bool) -> Iterator[Graph]:
    tree = _with_all_edges(space.tree, steps)
    rng = random.Random(0)
    drawn = (resolve(tree, lambda hole: hole.domain.draw(rng), {}) for _ in range(DRAWS if space.holes else 1))
    for closed in _ways(_structure(tree)) if is_exact else drawn:
        assert isinstance(closed, Mapping)
        if (graph := _lowered(closed)) is not None:
            yield graph


def _lowered(closed: Mapping) -> Graph | None:
    """The graph of a closed tree; None of too few steps or parts that do not fit, of which `check` tells."""
    closed = without_let(closed)
    architecture: Architecture = build(Record(Architecture), closed)
    try:
        return lower(architecture, closed)
    except SpecificationError:
        return None


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
    found: dict[str, tuple[str, Mark]] = {}
    ends_met: Counter[str] = Counter()
    for key in _LISTS:
        node = edges.entries.get(key) if isinstance(edges, Mapping) else None
        for item in node.items if isinstance(node, Sequence) else ():
            edge = _present(item)
            ends = [edge.entries.get(end) for end in ("from", "to")] if isinstance(edge, Mapping) else []
            name = ">".join(str(end.value) for end in ends if isinstance(end, Scalar))
            ends_met[name] += 1
            number = f"#{ends_met[name]}" if ends_met[name] > 1 else ""
            found[f"{name}{number}"] = (f"edges.{key}[{name}{number}]", item.mark)
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
    if others:
        return f"{', '.join(others)} or {last} steps"
    return "1 step" if last == "1" else f"{last} steps"
