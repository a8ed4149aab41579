"""Where the unfolding of a document is: the path of the value at hand, and what `$names` mean there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from space.tree import Condition, Node, Value, join

Guard: TypeAlias = tuple[str, Value] | Condition  # a decision (path, label), or a condition, on which a value depends


@dataclass(frozen=True, slots=True)
class Argument:
    """A template's argument: a node, and the scope in which it was written, where its own `$names` have meaning."""

    node: Node
    scope: Scope


@dataclass(frozen=True, slots=True)
class Scope:
    """The arguments of the template at hand, and the templates being used, outermost first."""

    arguments: dict[str, Argument] = field(default_factory=dict)
    using: tuple[str, ...] = ()


class Place(NamedTuple):
    """A place in the unfolded document; one is made for each value.

    Arguments:
        path: the keys that lead to the value, such as `areas.V2.cell`.
        key: the path with the labels of all branches that lead to the value.
        labels: the labels of the branches entered since the last key; a hole that is itself a branch is named by them.
        scope: what `$names` mean.
        guards: what must hold for the value to be there.
        aside: whether what stands here is no value of the space, such as the bounds of a hole.

    """

    path: str = ""
    key: str = ""
    labels: str = ""
    scope: Scope = Scope()
    guards: tuple[Guard, ...] = ()
    aside: bool = False

    def at(self, key: str) -> Place:
        """The place of a mapping's key."""
        return Place(join(self.path, key), join(self.key, key), "", self.scope, self.guards, self.aside)

    def item(self, name: object) -> Place:
        """The place of a list's item."""
        return Place(f"{self.path}[{name}]", f"{self.key}[{name}]", "", self.scope, self.guards, self.aside)

    def branch(self, label: Value) -> Place:
        """The place of a choice's branch, which stands where the choice stands."""
        made = (self.path + self.labels, label)
        labels = f"{self.labels}{{{label}}}"
        return Place(self.path, f"{self.key}{{{label}}}", labels, self.scope, (*self.guards, made), self.aside)

    def within(self, scope: Scope) -> Place:
        """The same place, with another meaning of `$names`."""
        return Place(self.path, self.key, self.labels, scope, self.guards, self.aside)

    def under(self, guard: Guard) -> Place:
        """The same place, whose values are there only where the guard is met."""
        return Place(self.path, self.key, self.labels, self.scope, (*self.guards, guard), self.aside)

    def beside(self) -> Place:
        """The same place, for what stands in the document but is no value of the space."""
        return Place(self.path, self.key, self.labels, self.scope, self.guards, aside=True)


Walk: TypeAlias = Callable[[Node, Place], Node]
