"""The forms that values of a document take, read off the dataclasses of `space.model`.

One description of a field serves three readers: `check` tells every broken rule of a tree that may have holes, `build`
turns a tree without holes into frozen dataclasses, and `write` turns those back into plain data. A hole is right where
every value that it may become is right.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from dataclasses import dataclass
from typing import Any, TypeAlias

from space.errors import Problems, did_you_mean
from space.tree import ABSENT, Choice, Hole, Mapping, Node, Scalar, Sequence, is_absent, join

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number from `low` to `high`."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Number:
    """A real number from `low` to `high`; `low` itself is left out when `above`."""

    low: float
    high: float
    above: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Word:
    """One of some words."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identifier:
    """A name of one's own: a letter, then letters, digits, `_` or `-`."""


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with the fields of a dataclass."""

    cls: type


@dataclass(frozen=True, slots=True)
class Variant:
    """A mapping whose key `type` says which dataclass it is."""

    cases: tuple[tuple[str, type], ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a sequence of operations: a bare word, or a mapping with one key, the operation's name."""

    words: tuple[str, ...]
    cases: tuple[tuple[str, Form], ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list; a tuple of values."""

    form: Form


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping of names to records; an ordered tuple of dataclasses with a field `name`."""

    cls: type


@dataclass(frozen=True, slots=True)
class Optional:
    """A value, or the word `none`."""

    form: Form


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a field whose name Python reserves."""

    name: str


Form: TypeAlias = Integer | Number | Flag | Word | Identifier | Record | Variant | Operation | Items | Named | Optional


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a record: its name in Python, its key in the document, its form, and what it is when left out."""

    name: str
    key: str
    form: Form
    default: Any

    @property
    def required(self) -> bool:
        """Whether the key must be given."""
        return self.default is dataclasses.MISSING


@functools.cache
def fields(cls: type) -> tuple[Field, ...]:
    """The fields of a model dataclass that stand in the document, read off its annotations."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found = []
    for each in dataclasses.fields(cls):
        extras = getattr(hints[each.name], "__metadata__", ())
        form = next((extra for extra in extras if isinstance(extra, Form)), None)
        if form is None and dataclasses.is_dataclass(hints[each.name]):
            form = Record(hints[each.name])
        if form is None:  # such as the name of an area, which is the key that the record stands under
            continue
        key = next((extra.name for extra in extras if isinstance(extra, Key)), each.name)
        default = each.default
        if each.default_factory is not dataclasses.MISSING:
            default = each.default_factory()
        found.append(Field(each.name, key, form, default))
    return tuple(found)


def check(form: Form, node: Node, path: str, problems: Problems) -> None:
    """Note every rule of the form that the tree breaks, at every value that its holes may take."""
    match node:
        case Hole(path=hole_path, domain=Choice(branches=branches)):
            for branch in branches:
                check(form, branch, hole_path, problems)
        case Hole(path=hole_path, domain=domain, mark=mark):
            for bound in (domain.low, domain.high):
                check(form, Scalar(bound, mark), hole_path, problems)
        case _:
            _check_closed(form, node, path, problems)


def _check_closed(form: Form, node: Node, path: str, problems: Problems) -> None:
    match form:
        case Integer() | Number() | Flag() | Word() | Identifier():
            rule = _broken_rule(form, node)
            if rule:
                problems.add(node.mark, path, rule)
        case Optional(inner):
            if not is_absent(node):
                check(inner, node, path, problems)
        case Items(inner):
            _check_items(inner, node, path, problems)
        case Record(cls):
            _check_record(cls, node, path, problems)
        case Named(cls):
            _check_named(cls, node, path, problems)
        case Variant(cases):
            cls = _variant(dict(cases), node, path, problems)
            if cls is not None:
                _check_record(cls, node, path, problems, beside=("type",))
        case Operation():
            _check_operation(form, node, path, problems)


def _broken_rule(form: Integer | Number | Flag | Word | Identifier, node: Node) -> str | None:
    value = node.value if isinstance(node, Scalar) else None
    given = repr(value) if isinstance(node, Scalar) else "a list" if isinstance(node, Sequence) else "a mapping"
    match form:
        case Integer(low, high):
            if type(value) is int and low <= value <= high:
                return None
            return f"this is a whole number from {low:,} to {high:,}, but {given} was given; give one in that range"
        case Number(low, high, above):
            number = not isinstance(value, bool) and isinstance(value, int | float)
            if number and low <= value <= high and not (above and value == low):  # type: ignore[operator]
                return None
            bounds = f"above {low:g} and at most {high:g}" if above else f"from {low:g} to {high:g}"
            return f"this is a number {bounds}, but {given} was given; give one in that range"
        case Flag():
            return None if isinstance(value, bool) else f"this is true or false, but {given} was given; choose one"
        case Word(options):
            if isinstance(value, str) and value in options:
                return None
            return f"this is one of {', '.join(options)}, but {given} was given; {did_you_mean(str(value), options)}"
        case Identifier():
            if isinstance(value, str) and IDENTIFIER.match(value) and value != ABSENT:
                return None
            rule = "a name is a letter, then up to 63 letters, digits, `_` or `-`, and not `none`"
            return f"{rule}, but {given} was given; choose another"


def _check_items(form: Form, node: Node, path: str, problems: Problems) -> None:
    if not isinstance(node, Sequence):
        problems.add(node.mark, path, "this is a list; write `[a, b]`, or one line `- a` for each item")
        return
    for position, item in enumerate(node.items):
        check(Optional(form) if isinstance(item, Hole) else form, item, f"{path}[{position}]", problems)


def _check_record(cls: type, node: Node, path: str, problems: Problems, beside: tuple[str, ...] = ()) -> None:
    known = {field.key: field for field in fields(cls)}
    if not isinstance(node, Mapping):
        problems.add(
            node.mark, path, f"this is a mapping with the keys {', '.join((*beside, *known))}; write `key: value`"
        )
        return
    for key, child in node.entries.items():
        if key in known:
            check(known[key].form, child, join(path, key), problems)
        elif key not in beside:
            way_out = did_you_mean(key, (*beside, *known))
            problems.add(node.key_marks[key], join(path, key), f"{key!r} is not a key here; {way_out}")
    for field in known.values():
        if field.required and field.key not in node.entries:
            problems.add(node.mark, path, f"the key `{field.key}` is missing; add `{field.key}: …`")


def _check_named(cls: type, node: Node, path: str, problems: Problems) -> None:
    if not isinstance(node, Mapping) or not node.entries:
        problems.add(node.mark, path, "this maps at least one name to its keys; write `a_name: {key: value}`")
        return
    for name, child in node.entries.items():
        rule = _broken_rule(Identifier(), Scalar(name, node.key_marks[name]))
        if rule:
            problems.add(node.key_marks[name], join(path, name), rule)
        check(Record(cls), child, join(path, name), problems)


def _variant(cases: dict[str, type], node: Node, path: str, problems: Problems) -> type | None:
    if not isinstance(node, Mapping) or "type" not in node.entries:
        rule = f"this is a mapping with the key `type`; write `type: {next(iter(cases))}`; known: {', '.join(cases)}"
        problems.add(node.mark, path, rule)
        return None
    tag = node.entries["type"]
    if isinstance(tag, Hole):
        rule = "`type` decides which keys stand beside it, so it is no hole; make the whole a `choice` of mappings"
        problems.add(tag.mark, join(path, "type"), rule)
        return None
    if not isinstance(tag, Scalar) or str(tag.value) not in cases:
        rule = _broken_rule(Word(tuple(cases)), tag)
        problems.add(tag.mark, join(path, "type"), str(rule))
        return None
    return cases[str(tag.value)]


def _check_operation(form: Operation, node: Node, path: str, problems: Problems) -> None:
    cases = dict(form.cases)
    known = (*form.words, *cases)
    if isinstance(node, Scalar) and node.value in form.words:
        return
    if isinstance(node, Scalar):
        way_out = did_you_mean(str(node.value), known)
        if node.value in cases:
            way_out = f"write `{node.value}: …`"
        problems.add(node.mark, path, f"{node.value!r} is not an operation by itself; {way_out}")
        return
    if not isinstance(node, Mapping) or len(node.entries) != 1:
        problems.add(node.mark, path, f"an operation is a word or a mapping with one key; known: {', '.join(known)}")
        return
    ((name, body),) = node.entries.items()
    if name not in cases:
        problems.add(node.key_marks[name], path, f"{name!r} is not an operation; {did_you_mean(name, known)}")
        return
    check(cases[name], body, join(path, name), problems)


def build(form: Form, node: Node) -> Any:
    """The value of a checked tree without holes."""
    match form, node:
        case Number(), Scalar(value):
            return float(value)  # type: ignore[arg-type]
        case ((Integer() | Flag() | Word() | Identifier()), Scalar(value)):
            return value
        case Optional(inner), _:
            return None if is_absent(node) else build(inner, node)
        case Items(inner), Sequence(items):
            return tuple(build(inner, item) for item in items)
        case Record(cls), Mapping():
            return _build_record(cls, node)
        case Named(cls), Mapping(entries):
            return tuple(_build_record(cls, child, name=name) for name, child in entries.items())
        case Variant(cases), Mapping(entries):
            tag = entries["type"]
            assert isinstance(tag, Scalar)
            return _build_record(dict(cases)[str(tag.value)], node)
        case Operation(), Scalar(value):
            return value
        case Operation(cases=cases), Mapping(entries):
            ((name, body),) = entries.items()
            return build(dict(cases)[name], body)
    raise AssertionError(f"{form} met an unchecked {node}")


def _build_record(cls: type, node: Node, **given: Any) -> Any:
    assert isinstance(node, Mapping)
    for field in fields(cls):
        if field.key in node.entries:
            given[field.name] = build(field.form, node.entries[field.key])
    return cls(**given)


def write(form: Form, value: Any) -> Any:
    """Plain data (mappings, lists, scalars) that reads back as the same value; every field is written out."""
    match form:
        case Optional(inner):
            return ABSENT if value is None else write(inner, value)
        case Items(inner):
            return [write(inner, item) for item in value]
        case Record(cls):
            return {field.key: write(field.form, getattr(value, field.name)) for field in fields(cls)}
        case Named(cls):
            return {item.name: write(Record(cls), item) for item in value}
        case Variant(cases):
            tag = next(tag for tag, cls in cases if type(value) is cls)
            return {"type": tag, **write(Record(type(value)), value)}
        case Operation(cases=cases):
            if isinstance(value, str):
                return value
            name, inner = next((name, inner) for name, inner in cases if type(value) is _made_by(inner))
            return {name: write(inner, value)}
        case _:
            return value


def _made_by(form: Form) -> type:
    assert isinstance(form, Record), "the operations of a sequence are told apart by their dataclass"
    return form.cls
