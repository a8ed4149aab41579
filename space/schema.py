"""A JSON Schema (draft 2020-12) of the language, for editors that complete and check while a file is written.

It is made from the same forms that documents are checked against. Wherever a value is expected, a hole, a template's
use or a shared value may stand too. What hangs on two places of a file at once, such as whether a name is defined or
shapes fit, a schema cannot tell; `striate space check` does.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any, TypeAlias

from space.edge_ends import ALL
from space.edge_rule import INCLUDE
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
from space.holes import BESIDE, WHEN
from space.model import Architecture, Edges, FeedbackEdge
from space.names import LET
from space.tree import ABSENT

Schema: TypeAlias = dict[str, Any]

_NAME: Schema = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$", "not": {"const": ABSENT}}
_CONDITION: Schema = {"type": "string", "description": "A condition on decisions, such as present(local.hidden)."}
_BESIDE: dict[str, Schema] = {
    "weights": {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 1},
    "log": {"type": "boolean"},
    "step": {"type": "number", "exclusiveMinimum": 0},
}
_PROBABILITY: Schema = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_RULED = ("feedback", "skip")  # the edges that a rule may give
_ENDS = ("source", "target")


def schema() -> Schema:
    """The schema of a document."""
    return _Writer().document()


def schema_text() -> str:
    """The schema as the text of the file that is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


class _Writer:
    """Collects definitions; that of a value that may be left open has the name of its key."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def document(self) -> Schema:
        self._anything()
        template = _mapping({"params": _named(_ref("anything")), "body": _ref("anything")}, ("body",))
        constraint = _mapping({"name": _NAME, "require": _ref("condition")}, ("name", "require"))
        root = self._record(Architecture)
        root["properties"] |= {
            "templates": _named(template) | {"description": "Values by name; each `use` makes their decisions anew."},
            "shared": _named(_ref("anything")) | {"description": "Values by name; their decisions are made once."},
            LET: _named(_ref("anything")) | {"description": "Decisions that stand in no field, for conditions to ask."},
            "constraints": {"type": "array", "items": constraint, "description": "What every candidate meets."},
        }
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "An architecture, or a space of architectures",
            **root,
            "$defs": dict(sorted(self.definitions.items())),
        }

    def _anything(self) -> None:
        """Define what stands in templates, where an argument may stand for any value."""
        loose = _ref("anything")
        holes = [_hole(tag, loose, loose, dict.fromkeys(BESIDE[tag], loose), loose) for tag in BESIDE]
        words = {"not": {"enum": [*BESIDE, "use", "shared"]}}
        plain = {"type": "object", "propertyNames": words, "additionalProperties": loose}
        self.definitions |= {
            "condition": _CONDITION,
            "use": {
                "title": "a template's value",
                "type": "object",
                "properties": {"use": {"type": "string"}, WHEN: _ref("condition")},
                "required": ["use"],
                "additionalProperties": loose,
            },
            "shared": {
                "title": "a shared value",
                **_mapping({"shared": {"type": "string"}, WHEN: _ref("condition")}, ("shared",)),
            },
            "option": {"anyOf": [_SCALAR, _ref("reference")]},
            "reference": {"anyOf": [_ref("use"), _ref("shared")]},
            "anything": {"anyOf": [_ref("option"), {"type": "array", "items": loose}, plain, *holes]},
        }

    def _open(self, name: str, form: Form, *, is_item: bool = False) -> Schema:
        """A value, or what may stand for it; an item of a list may become `none`, and is gone then."""
        name = name if is_item else _name(form) or name
        if name not in self.definitions:
            self.definitions[name] = {}  # it is named inside itself
            closed = self._closed(name, form)
            branch = {"anyOf": [{"const": ABSENT}, _ref(name)]} if is_item else _ref(name)
            bound = {"anyOf": [closed, _ref("reference")]}
            holes = [_hole(tag, branch, bound, {key: _BESIDE[key] for key in BESIDE[tag]}) for tag in _tags(form)]
            self.definitions[name] = {"anyOf": [closed, _ref("reference"), *holes]}
        return _ref(name)

    def _closed(self, name: str, form: Form) -> Schema:
        match form:
            case Integer(low, high):
                return {"type": "integer", "minimum": low, "maximum": high}
            case Number(low, high, above):
                return {"type": "number", ("exclusiveMinimum" if above else "minimum"): low, "maximum": high}
            case Flag():
                return {"type": "boolean"}
            case Word(options):
                return {"enum": list(options)}
            case Identifier():
                return _NAME
            case Optional(inner, word):
                return {"anyOf": [{"const": word}, self._closed(name, inner)]}
            case Items(inner):
                return {"type": "array", "items": self._open(f"{name}[]", inner, is_item=True)}
            case Record(cls):
                return self._defined(cls)
            case Named(cls):
                return _named(self._open(f"{name}.*", Record(cls))) | {"minProperties": 1}
            case Variant(cases):
                return {"anyOf": [self._defined(cls, {"type": {"const": tag}}) for tag, cls in cases]}
            case Operation(words, cases):
                steps = [_mapping({tag: self._open(f"{name}.{tag}", body)}, (tag,)) for tag, body in cases]
                return {"anyOf": [{"enum": list(words)}, *steps]}

    def _defined(self, cls: type, beside: Schema | None = None) -> Schema:
        if cls.__name__ not in self.definitions:
            self.definitions[cls.__name__] = {}
            self.definitions[cls.__name__] = self._record(cls, beside or {})
        return _ref(cls.__name__)

    def _record(self, cls: type, beside: Schema | None = None) -> Schema:
        """The mapping that a dataclass of the model is read from; `beside` are keys that tell its kind."""
        properties = dict(beside or {})
        for field in fields(cls):
            properties[field.key] = self._field(cls, field)
        required = (*(beside or {}), *(field.key for field in fields(cls) if field.required))
        return {"description": inspect.cleandoc(cls.__doc__ or ""), **_mapping(properties, required)}

    def _field(self, cls: type, field: Field) -> Schema:
        name = f"{cls.__name__}.{field.key}"
        found = self._open(name, field.form)
        if cls is Edges and field.key in _RULED:
            found = {"anyOf": [found, self._rule()]}
        plain = isinstance(field.default, str | int | float) and not dataclasses.is_dataclass(field.default)
        return {**found, "default": field.default} if plain else found

    def _rule(self) -> Schema:
        """A rule for edges: their candidates, and what is decided for each of them and for all."""
        if "EdgeRule" not in self.definitions:
            areas = {"anyOf": [{"const": ALL}, {"type": "array", "items": _NAME}]}
            ends = _mapping({"from": areas, "to": areas, "where": _ref("condition")}, ("from", "to"))
            pairs = {"type": "array", "items": {"type": "string", "pattern": ">"}}
            include = {"anyOf": [_ref("condition"), _hole("bool", {}, {}, {}), _ref("reference")]}
            given = {
                each.key: self._field(FeedbackEdge, each) for each in fields(FeedbackEdge) if each.name not in _ENDS
            }
            for_all = _mapping({INCLUDE: include, **given})
            for_each = _mapping({LET: _named(_ref("anything")), INCLUDE: include, **given})
            properties = {
                "candidates": {"anyOf": [ends, pairs]},
                "each": {"anyOf": [for_each, _ref("reference")]},
                "all": {"anyOf": [for_all, _ref("reference")]},
            }
            self.definitions["EdgeRule"] = {"title": "a rule for edges", **_mapping(properties, ("candidates",))}
        return _ref("EdgeRule")


def _name(form: Form) -> str | None:
    """What a form is called wherever it stands; None where the key that it stands under names it."""
    match form:
        case Integer(low, high):
            return f"integer-{low}-{high}"
        case Number(low, high, above):
            return f"number-{'above' if above else 'from'}-{low:g}-{high:g}"
        case Flag():
            return "boolean"
        case Word(options):
            return f"word-{'-'.join(options)}"
        case Identifier():
            return "name"
        case Record(cls):
            return f"{cls.__name__}.open"
        case Optional(inner, word) if inner_name := _name(inner):
            return f"{inner_name}-or-{word}"
        case _:
            return None


def _tags(form: Form) -> tuple[str, ...]:
    """The kinds of hole that may stand for a form."""
    match form:
        case Integer():
            return ("choice", "int")
        case Number():
            return ("choice", "int", "float")
        case Flag():
            return ("choice", "bool")
        case Optional(inner):
            return _tags(inner)
        case _:
            return ("choice",)


def _hole(tag: str, branch: Schema, bound: Schema, beside: Schema, argument: Schema | None = None) -> Schema:
    """A hole; `argument` is what may stand for a part of it."""
    reference = [_ref("reference"), *([argument] if argument else [])]
    labelled = {"type": "object", "additionalProperties": branch, "minProperties": 1}
    listed = {"type": "array", "items": {"allOf": [branch, _ref("option")]}, "minItems": 1}
    pair = {"type": "array", "items": bound, "minItems": 2, "maxItems": 2}
    bodies: dict[str, list[Schema]] = {"choice": [labelled, listed], "bool": [_PROBABILITY, *reference]}
    body = {"anyOf": bodies.get(tag, [pair, *reference])}
    return {"title": f"a {tag} hole", **_mapping({tag: body, WHEN: _ref("condition"), **beside}, (tag,))}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _mapping(properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needed, "additionalProperties": False}


def _named(value: Schema) -> Schema:
    return {"type": "object", "propertyNames": _NAME, "additionalProperties": value}
