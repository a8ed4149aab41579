"""The located tree that a document is read into, and the holes that make it a space.

A `Hole` stands where the document leaves a value open. Sampling, filling in and every other operation on a space is one
walk over this tree, `resolve`, with another way to decide.
"""

from __future__ import annotations

import math
import operator
import random
import re
from collections.abc import Callable, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeAlias

from space.errors import Mark
from space.numeric import Integers as Integers
from space.numeric import Reals as Reals
from space.numeric import Value as Value

ScalarValue: TypeAlias = bool | int | float | str | None
ABSENT = "none"
_SHOWN_CHARACTERS = 40
_SHOWN_ITEMS = 4
_IS_CLOSED = operator.attrgetter("is_closed")
_PATH_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A word, number, boolean or null; like every node it tells whether it is what it is, whatever is decided."""

    value: ScalarValue
    mark: Mark
    is_closed: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Sequence:
    """An ordered list of nodes; `is_closed` where nothing in it is left open."""

    items: tuple[Node, ...]
    mark: Mark
    is_closed: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        is_closed = all(map(_IS_CLOSED, self.items)) and not any(map(is_absent, self.items))
        object.__setattr__(self, "is_closed", is_closed)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Ordered keys and their nodes; `key_marks[key]` is where a key stands, `is_closed` where nothing is left open."""

    entries: dict[str, Node]
    key_marks: dict[str, Mark]
    mark: Mark
    is_closed: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_closed", all(map(_IS_CLOSED, self.entries.values())))


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several labelled branches, drawn in proportion to `weights`; the hole becomes the branch."""

    labels: tuple[Value, ...]
    branches: tuple[Node, ...]
    weights: tuple[float, ...]

    def __str__(self) -> str:
        return f"one of {', '.join(map(shown, self.labels))}"

    def draw(self, rng: random.Random) -> Value:
        """Draw a label from the prior."""
        return rng.choices(self.labels, self.weights)[0]

    def holds(self, value: Value) -> bool:
        """Whether `value` is one of the labels; `true` and `1` are different labels."""
        return any(type(label) is type(value) and label == value for label in self.labels)

    def log_prior(self, value: Value) -> float:
        """Log probability of a label."""
        return math.log(self.weights[self.labels.index(value)]) - math.log(sum(self.weights))


Domain: TypeAlias = Choice | Integers | Reals


@dataclass(frozen=True, slots=True)
class Hole:
    """A value left open.

    Arguments:
        path: how its decision is named in a candidate, such as `local.hidden.channels`. Holes in different branches
            of a choice may share a path. A hole that is itself a branch is told apart from its choice by the branch's
            label: `kernel`, then `kernel{odd}`.
        key: the path with the labels of all branches that lead to the hole; unique in a space.
        place: the path of the value that stands here once it is decided.
        domain: what it may become, with its prior.
        mark: where it stands in the file.

    """

    path: str
    key: str
    place: str
    domain: Domain
    mark: Mark
    is_closed: ClassVar[bool] = False


class Condition(Protocol):
    """What is asked of decisions; `space.expressions.Expression` is one."""

    @property
    def decisions(self) -> frozenset[str]:
        """The paths of the decisions that the answer may depend on."""

    def holds(self, decided: MappingType[str, Value]) -> bool:
        """Whether the decisions (path → value) meet it; one that is not among them counts as absent."""


@dataclass(frozen=True, slots=True)
class When:
    """A value that is there only where a condition holds of the decisions met before it, and is `none` otherwise.

    Arguments:
        condition: it speaks of earlier decisions alone.
        body: what stands here where it holds.
        mark: where the condition stands in the file.

    """

    condition: Condition
    body: Node
    mark: Mark
    is_closed: ClassVar[bool] = False


Node: TypeAlias = Scalar | Sequence | Mapping | Hole | When


def number(node: Node) -> int | float | None:
    """The number that a node is, or None; true and false are no numbers."""
    value = node.value if isinstance(node, Scalar) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def shown(given: Node | ScalarValue) -> str:
    """How a message shows what was given: as the document would write it, and not at length."""
    match given:
        case Scalar(value):
            return shown(value)
        case Sequence(items=items) if len(items) <= _SHOWN_ITEMS and all(isinstance(item, Scalar) for item in items):
            return f"[{', '.join(map(shown, items))}]"
        case Sequence(items=items):
            return f"a list of {len(items)}"
        case Mapping():
            return "a mapping"
        case Hole():
            return "a hole"
        case When(body=body):
            return shown(body)
        case None:
            return "nothing"
        case bool():
            return "true" if given else "false"
        case float() if not math.isfinite(given):
            return repr(given).replace("inf", ".inf").replace("nan", ".nan")
        case str() if len(given) > _SHOWN_CHARACTERS:
            return f"{given[:_SHOWN_CHARACTERS]!r}…"
        case _:
            return repr(given)


def join(path: str, key: str) -> str:
    """The path of a key inside the mapping at `path`."""
    return f"{path}.{key}" if path else key


def resolve(node: Node, decide: Callable[[Hole], Value], decided: dict[str, Value]) -> Node:
    """Close every hole that the decisions reach, in file order.

    Arguments:
        node: the tree.
        decide: asked once for each active hole that `decided` does not name yet.
        decided: path → value; gains each decision in the order in which it was met.

    Returns:
        A tree without holes. A list item that became `none` is gone.

    """
    if node.is_closed:
        return node
    match node:
        case Hole(path=path, domain=domain, mark=mark):
            if path not in decided:
                decided[path] = decide(node)
            value = decided[path]
            if isinstance(domain, Choice):
                return resolve(domain.branches[domain.labels.index(value)], decide, decided)
            return Scalar(value, mark)
        case Sequence(items, mark):
            closed = [resolve(item, decide, decided) for item in items]
            return Sequence(tuple([item for item in closed if not is_absent(item)]), mark)
        case Mapping(entries, key_marks, mark):
            inside = {key: each if each.is_closed else resolve(each, decide, decided) for key, each in entries.items()}
            return Mapping(inside, key_marks, mark)
        case When(condition, body, mark):
            return resolve(body, decide, decided) if condition.holds(decided) else Scalar(ABSENT, mark)
        case Scalar():
            return node


def is_absent(node: Node) -> bool:
    """Whether the node is the word `none`."""
    return isinstance(node, Scalar) and node.value == ABSENT


def holes(node: Node) -> Iterator[Hole]:
    """Every hole of a tree in file order, those of a choice's branches after it; shared ones each time they are met."""
    match node:
        case Hole(domain=domain):
            yield node
            if isinstance(domain, Choice):
                for branch in domain.branches:
                    yield from holes(branch)
        case Sequence(items):
            for item in items:
                yield from holes(item)
        case Mapping(entries):
            for each in entries.values():
                yield from holes(each)
        case When(body=body):
            yield from holes(body)


def locate(root: Node, path: str) -> Mark:
    """Where the value at `path` stands, or the nearest one around it that the document has."""
    node = root
    for key, position in _PATH_PART.findall(path):
        match node:
            case Mapping(entries) if key in entries:
                node = entries[key]
            case Sequence(items) if position and int(position) < len(items):
                node = items[int(position)]
            case _:
                break
    return node.mark
