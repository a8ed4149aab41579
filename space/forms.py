"""The forms that values of a document take, read off the dataclasses of `space.model`.

One description of a field serves three readers: `space.check` tells every broken rule of a tree that may have holes,
`space.convert` turns a tree without holes into frozen dataclasses and those back into plain data.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from dataclasses import dataclass
from typing import Any, TypeAlias

from space.tree import ABSENT

NAME_RULE = "a name is a letter, then up to 63 letters, digits, `_` or `-`, and not `none`"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")


def is_name(value: object) -> bool:
    """Whether a value is a name of one's own; `NAME_RULE` says what that is."""
    return isinstance(value, str) and _NAME.match(value) is not None and value != ABSENT


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
    """A value, or a word that stands for having none: `none`, or one that says what is done instead."""

    form: Form
    word: str = ABSENT


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
