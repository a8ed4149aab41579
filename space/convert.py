"""From a tree without holes to frozen dataclasses, and from those to plain data."""

from __future__ import annotations

from typing import Any

from space.forms import (
    Field,
    Flag,
    Form,
    Identifier,
    Integer,
    Items,
    Named,
    Number,
    Operation,
    Optional,
    Record,
    Variant,
    Word,
    fields,
)
from space.tree import Mapping, Node, Scalar, Sequence, number


def build(form: Form, node: Node) -> Any:
    """The value of a checked tree without holes."""
    match form, node:
        case Number(), _ if (real := number(node)) is not None:
            return float(real)
        case ((Integer() | Flag() | Word() | Identifier()), Scalar(value)):
            return value
        case Optional(word=word), Scalar(value) if value == word:
            return None
        case Optional(inner), _:
            return build(inner, node)
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
