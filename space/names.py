"""What the names of an expression stand for: the values that the unfolding of a document met, by their paths.

A name is looked for in the mappings around the expression, the innermost first, then from the root (where a shared
value's name begins the paths inside it), then among the decisions of `let`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace

from space.errors import MAX_KNOWN, nearest
from space.place import Guard, Place
from space.terms import Alternative, Among, Binary, Bound, Call, Literal, Name, Over, Reference, Several, Term, Unary
from space.tree import Choice, Hole, Mapping, Node, Scalar, Sequence, Value, When, join

LET = "let"
EDGE_WORDS = ("from", "to", "enters")
AREA_WORDS = ("area", "channels", "size")
# The last character alone is a step of a path that no name makes, such as that of an area `V1.`, refused elsewhere.
_LAST_STEP = re.compile(r"\.?[^.\[\]{}]+\Z|\[[^\]]*\]\Z|\{[^}]*\}\Z|.\Z", re.DOTALL)


class Names:
    """Path → what may stand there, in the order in which the unfolding meets it."""

    def __init__(self, ranks: dict[str, int]) -> None:
        self.ranks = ranks
        self.found: dict[str, dict[object, Alternative]] = {}

    def add(self, place: Place, node: Node) -> None:
        """Note what stands at a place; a shared value is met again at each reference."""
        if place.aside:
            return
        if not place.labels:  # what stands in a branch of a choice stands in the choice
            self._note(place.path, place.guards, node)
        if isinstance(node, Hole) and node.path != place.path:  # such as an edge's `include`, a decision of its own
            self._note(node.path, place.guards, node)

    def _note(self, path: str, guards: tuple[Guard, ...], node: Node) -> None:
        met = self.found.get(path)
        if met is None:
            met = self.found[path] = {}
        met.setdefault(_identity(guards, node), Alternative(guards, node))

    def forget(self, place: Place, node: Node) -> None:
        """Take back what was noted, for what takes its place."""
        identity = _identity(place.guards, node)
        for path in (place.path, place.path + place.labels) if place.labels else (place.path,):
            met = self.found.get(path, {})
            met.pop(identity, None)
            if path in self.found and not met:
                del self.found[path]

    def path(self, name: str, around: str) -> str | None:
        """The path that a name means in the mapping at `around`, if it means one."""
        for prefix in _prefixes(around):
            for path in (join(prefix, name), join(join(prefix, LET), name)):
                if path in self.found and (_in_let(path) or not _in_let(around)):
                    return path
        return None

    def comes_later(self, unfound: Unfound, around: str) -> bool:
        """Whether a name that stood for nothing when it was met stands for something now."""
        name = unfound.name.text
        in_let = _in_let(around)
        paths = (join(prefix, name) for prefix in _prefixes(around))
        path = next((path for path in paths if path in self.found), None) if in_let else self.path(name, around)
        return path is not None and (unfound.wants_path or self.has_value(path))

    def has_value(self, path: str) -> bool:
        """Whether a number, a word or a decision may stand at a path, not just a mapping or list."""
        return any(not isinstance(each.node, Mapping | Sequence) for each in self.found[path].values())

    def may_come_first(self, reference: Reference, scope: Scope) -> bool:
        """Whether a value that was met before a condition may be met after it alone, as a shared one may."""
        path = self.path(reference.text, scope.around)
        if path is None or not reference.alternatives:
            return False
        before = {_identity(each.guards, each.node): each for each in reference.alternatives}
        asked = _told(scope.guards)
        return any(
            not _exclude(each.guards, scope.guards)
            and not any(_told(earlier.guards) <= asked | _told(each.guards) for earlier in before.values())
            for identity, each in self.found[path].items()
            if identity not in before
        )

    def nearest(self, name: str, around: str) -> str:
        """The way out of a name that stands for nothing."""
        prefixes = [f"{prefix}." for prefix in _prefixes(around) if prefix]
        known = list(itertools.islice(self.found, MAX_KNOWN))
        short = {next((path[len(p) :] for p in prefixes if path.startswith(p)), path): None for path in known}
        near = nearest(name, [*short, *known])
        return f"did you mean {near!r}?" if near else "write a path as a candidate has it, such as `local.hidden`"


def _told(guards: tuple[Guard, ...]) -> set[object]:
    return {guard if isinstance(guard, tuple) else str(guard) for guard in guards}


def _exclude(some: tuple[Guard, ...], others: tuple[Guard, ...]) -> bool:
    """Whether two lists of guards cannot all hold, as they ask for different labels of one decision."""
    labels = dict(guard for guard in some if isinstance(guard, tuple))
    return any(labels.get(guard[0], guard[1]) != guard[1] for guard in others if isinstance(guard, tuple))


def _identity(guards: tuple[Guard, ...], node: Node) -> object:
    """What tells values at one path apart; those of a shared value's references are the same."""
    conditions: tuple[object, ...] = guards
    if set(map(type, guards)) - {tuple}:
        conditions = tuple(guard if isinstance(guard, tuple) else str(guard) for guard in guards)
    match node:
        case Hole(key=key):
            return conditions, key
        case When(body=body, mark=mark):
            return conditions, mark, _identity((), body)
        case Scalar(value=value, mark=mark):
            return conditions, type(value), value, mark
        case _:
            return conditions


def _in_let(path: str) -> bool:
    return f".{LET}." in f".{path}."


def _prefixes(path: str) -> Iterator[str]:
    while path:
        yield path
        path = _LAST_STEP.sub("", path)
    yield ""


def around(path: str) -> str:
    """The path of the mapping or list in which the value at a path stands."""
    return _LAST_STEP.sub("", path)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands: the path around it, and the words that have a value there, known or yet to be bound.

    Decisions of `let` come before all others, so an expression among them finds no others. `guards` must hold for the
    expression to be asked at all.
    """

    around: str = ""
    bound: tuple[str, ...] = ()
    constants: MappingType[str, Value] = field(default_factory=dict)
    guards: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True)
class Unfound:
    """A name that stood for nothing when its expression was read; where a path is wanted, it is no label."""

    name: Name
    wants_path: bool


def bind(term: Term, names: Names, scope: Scope, unfound: list[Unfound]) -> Term:
    """The term with its names replaced by what they stand for; a bare word that is no path is a label, a text."""

    def inner(each: Term) -> Term:
        return bind(each, names, scope, unfound)

    match term:
        case Name(text, at) if text in scope.bound:
            return Bound(text, at)
        case Name(text, at) if text in scope.constants:
            return Literal(scope.constants[text], at)
        case Name(text, at):
            path = names.path(text, scope.around)
            if path is not None and names.has_value(path):
                return Reference(text, at, tuple(names.found[path].values()))
            unfound.append(Unfound(term, wants_path=not text.replace("-", "_").isidentifier()))
            return Literal(text, at)
        case Call("present" | "absent" as function, (Name(text, at) as name,), call_at):
            path = names.path(text, scope.around)
            if path is None:
                unfound.append(Unfound(name, wants_path=True))
            return Call(function, (Reference(text, at, tuple(names.found.get(path or "", {}).values())),), call_at)
        case Call("rank", (Name(text, at),), call_at) if text in names.ranks and text not in scope.bound:
            return Call("rank", (Literal(text, at),), call_at)
        case Over(collection=collection, body=body):
            words = AREA_WORDS if collection == "areas" else EDGE_WORDS
            inside = replace(scope, bound=words)
            return replace(term, body=None if body is None else bind(body, names, inside, unfound))
        case Unary(operand=operand):
            return replace(term, operand=inner(operand))
        case Binary(left=left, right=right):
            return replace(term, left=inner(left), right=inner(right))
        case Several(operands=operands):
            return replace(term, operands=tuple(map(inner, operands)))
        case Among(left, options):
            return replace(term, left=inner(left), options=tuple(map(inner, options)))
        case Call(arguments=arguments):
            return replace(term, arguments=tuple(map(inner, arguments)))
        case _:
            return term


def values(node: Node) -> Iterator[Value | type]:
    """The values that a node may become: those of a finite domain themselves, else their type."""
    open_nodes = [node]
    while open_nodes:
        match open_nodes.pop():
            case Hole(domain=Choice(labels=labels, branches=branches)):
                if not labels:  # a choice that is still being read
                    yield from (str, bool, float)
                for label, branch in zip(labels, branches, strict=True):
                    if isinstance(branch, Mapping | Sequence):
                        yield label
                    else:
                        open_nodes.append(branch)
            case Hole():
                yield float
            case When(body=body):
                open_nodes.append(body)
            case Mapping() | Sequence():
                yield bool
            case scalar:
                if scalar.value is not None:
                    yield scalar.value
