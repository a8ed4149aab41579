"""Named conditions that every candidate of a space meets, each asked as early as what it speaks of is known.

A constraint that speaks of no decision is settled when the file is read; one that speaks of decisions, when a candidate
is drawn; one that speaks of the architecture (`params()`, `count(feedback)`, …), when the candidate is lowered.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from space.conditions import Conditions, is_built
from space.cost import declared
from space.errors import Problems, did_you_mean
from space.expressions import Expression, World
from space.forms import NAME_RULE, is_name
from space.names import Scope
from space.nodes import Graph
from space.tree import Mapping as TreeMapping
from space.tree import Node, Scalar, Sequence, Value, shown

SECTION = "constraints"
_KEYS = ("name", "require")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A name, the condition, and the stage at which it can be asked: `space`, `candidate` or `built`."""

    name: str
    condition: Expression
    stage: str

    def __str__(self) -> str:
        return f"{self.name} ({self.condition})"


def read_constraints(node: Node | None, conditions: Conditions, problems: Problems) -> tuple[Constraint, ...]:
    """The constraints of a document; what is wrong is told."""
    if node is None:
        return ()
    if not isinstance(node, Sequence):
        rule = f"`{SECTION}` is a list, but got {shown(node)}"
        problems.add(node.mark, SECTION, f'{rule}; write `- {{name: a_name, require: "…"}}`')
        return ()
    found: dict[str, Constraint] = {}
    for position, item in enumerate(node.items):
        constraint = _read(item, f"{SECTION}[{position}]", conditions, problems)
        if constraint is None:
            continue
        if constraint.name in found:
            rule = f"the name of a constraint stands once, but {constraint.name!r} stands twice; rename one"
            problems.add(item.mark, f"{SECTION}[{position}]", rule)
        found[constraint.name] = constraint
    return tuple(found.values())


def _read(item: Node, path: str, conditions: Conditions, problems: Problems) -> Constraint | None:
    if not isinstance(item, TreeMapping):
        rule = f"a constraint has `name` and `require`, but got {shown(item)}"
        problems.add(item.mark, path, f'{rule}; write `{{name: a_name, require: "…"}}`')
        return None
    for key, mark in item.key_marks.items():
        if key not in _KEYS:
            rule = f"a constraint has `name` and `require`, but {shown(key)} was given; {did_you_mean(key, _KEYS)}"
            problems.add(mark, f"{path}.{key}", rule)
    missing = [key for key in _KEYS if key not in item.entries]
    for key in missing:
        problems.add(item.mark, path, f"the key `{key}` is missing; add `{key}: …`")
    if missing:
        return None
    name = item.entries["name"]
    if not (isinstance(name, Scalar) and is_name(name.value)):
        problems.add(name.mark, f"{path}.name", f"{NAME_RULE}, but {shown(name)} was given; choose another")
        return None
    condition = conditions.read(item.entries["require"], f"{path}.require", Scope(), built=True)
    if condition is None:
        return None
    stage = "built" if is_built(condition.term) else "candidate" if condition.decisions else "space"
    return Constraint(str(name.value), condition, stage)


def settle(constraints: tuple[Constraint, ...], problems: Problems) -> None:
    """Tell which constraints no candidate meets, of those that no decision changes and that are otherwise right."""
    wrong = {problem.mark for problem in problems.found}
    for each in constraints:
        if each.stage == "space" and each.condition.mark not in wrong and not each.condition.holds({}):
            rule = f"a constraint is met by some candidate, but no decision changes {each.name!r}, and it is not met"
            problems.add(each.condition.mark, SECTION, f"{rule}; mend it or take it away")


def world_of(decided: Mapping[str, Value], graph: Graph, batch: int) -> World:
    """All that a constraint may ask of a candidate whose architecture has been lowered.

    All measures are of what is declared, at every step; `memory()` is of training with the candidate's batch size.
    """
    names = [area.name for area in graph.areas]
    edges: list[tuple[bool, dict[str, Value]]] = [
        (edge.source > edge.target, {"from": names[edge.source], "to": names[edge.target], "enters": edge.port})
        for edge in graph.long_range
    ]
    collections: dict[str, tuple[dict[str, Value], ...]] = {
        "feedback": tuple(words for is_down, words in edges if is_down),
        "skip": tuple(words for is_down, words in edges if not is_down),
        "areas": tuple(
            {"area": area.name, "channels": area.output_shape[0], "size": area.output_shape[1]} for area in graph.areas
        ),
    }

    @functools.cache
    def measure(name: str) -> int:
        if name == "params":
            return graph.parameter_count
        cost = declared(graph)
        return cost.multiply_adds if name == "flops" else cost.memory_bytes(batch)

    ranks = {name: rank for rank, name in enumerate(names)}
    return World(decided, ranks, {}, collections, measure)
