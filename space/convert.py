"""From a tree without holes to frozen dataclasses, and from those to plain data."""

from __future__ import annotations

from typing import Any, TypeVar

from space.forms import (
    Field,
    Form,
    Items,
    Named,
    Number,
    Operation,
    Optional,
    Record,
    Variant,
    fields,
)
from space.tree import Mapping, Node, Scalar, Sequence, number

T = TypeVar("T")


def build(form: Form, node: Node) -> Any:
    """The value of a checked tree without holes."""
    match node:
        case Scalar(value):
            if isinstance(form, Optional):
                return None if value == form.word else build(form.form, node)
            return float(_real(node)) if isinstance(form, Number) else value
        case Mapping(entries):
            return _build_mapping(form, node, entries)
        case Sequence(items):
            inner = form.form if isinstance(form, Optional) else form
            assert isinstance(inner, Items)
            return tuple([build(inner.form, item) for item in items])
    raise AssertionError(f"{form} met an unchecked {node}")


def _real(node: Scalar) -> int | float:
    real = number(node)
    assert real is not None, f"a number is checked, but this is {node}"
    return real


def _build_mapping(form: Form, node: Mapping, entries: dict[str, Node]) -> Any:
    match form:
        case Record(cls):
            return _build_record(cls, entries)
        case Operation(cases=cases):
            ((name, body),) = entries.items()
            return build(_case(cases, name), body)
        case Variant(cases):
            tag = entries["type"]
            assert isinstance(tag, Scalar)
            return _build_record(_case(cases, tag.value), entries)
        case Named(cls):
            return tuple([_build_named(cls, name, child) for name, child in entries.items()])
        case Optional(inner):
            return _build_mapping(inner, node, entries)
    raise AssertionError(f"{form} met an unchecked {node}")


def _case(cases: tuple[tuple[str, T], ...], name: object) -> T:
    return next(case for word, case in cases if word == name)


def _build_named(cls: type, name: str, node: Node) -> Any:
    assert isinstance(node, Mapping)
    return _build_record(cls, node.entries, name=name)


def _build_record(cls: type, entries: dict[str, Node], **given: Any) -> Any:
    for field in fields(cls):
        node = entries.get(field.key)
        if node is not None:
            given[field.name] = build(field.form, node)
    return cls(**given)


def write(form: Form, value: Any, *, brief: bool = False) -> Any:
    """Plain data (mappings, lists, scalars) that reads back as the same value.

    Every field is written out; but a `brief` text leaves out those that hold nothing, no or an empty list by default.
    """
    match form:
        case Optional(inner, word):
            return word if value is None else write(inner, value, brief=brief)
        case Items(inner):
            return [write(inner, item, brief=brief) for item in value]
        case Record(cls):
            given = ((field, getattr(value, field.name)) for field in fields(cls))
            kept = ((field, each) for field, each in given if not (brief and _is_left_out(field, each)))
            return {field.key: write(field.form, each, brief=brief) for field, each in kept}
        case Named(cls):
            return {item.name: write(Record(cls), item, brief=brief) for item in value}
        case Variant(cases):
            tag = next(tag for tag, cls in cases if type(value) is cls)
            return {"type": tag, **write(Record(type(value)), value, brief=brief)}
        case Operation(cases=cases):
            if isinstance(value, str):
                return value
            name, body = next((name, body) for name, body in cases if type(value) is _made_by(body))
            return {name: write(body, value, brief=brief)}
        case _:
            return value


def _is_left_out(field: Field, value: Any) -> bool:
    return value == field.default and (value is None or value is False or value == ())


def _made_by(form: Form) -> type:
    assert isinstance(form, Record), "the operations of a sequence are told apart by their dataclass"
    return form.cls
