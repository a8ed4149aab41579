"""Strict YAML: text to a tree of located nodes, with the scalars of YAML 1.2.

PyYAML parses; we resolve scalars after the YAML 1.2 core schema (`1e-4` is a float, `no` a string), remember where
every value stood, and refuse what makes a file say something else than it seems to: duplicate keys, anchors, tags,
several documents.
"""

from __future__ import annotations

import re

import yaml

from space.errors import Mark, Problems
from space.tree import Mapping, Node, Scalar, ScalarValue, Sequence, join

MAX_DEPTH = 64
MAX_CHARACTERS = 4_000_000
MAX_NUMBER_LENGTH = 40


_NULL = re.compile(r"(?:~|null|Null|NULL)?\Z")
_TRUE = re.compile(r"(?:true|True|TRUE)\Z")
_FALSE = re.compile(r"(?:false|False|FALSE)\Z")
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z")
_NOT_A_NUMBER = re.compile(r"\.(?:nan|NaN|NAN)\Z")


def scalar(text: str) -> ScalarValue:
    """The value of a plain (unquoted) scalar in the YAML 1.2 core schema."""
    if _NULL.match(text):
        return None
    if _TRUE.match(text):
        return True
    if _FALSE.match(text):
        return False
    if len(text) > MAX_NUMBER_LENGTH:
        return text
    if _INTEGER.match(text):
        return int(text)
    if _OCTAL.match(text) or _HEXADECIMAL.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return float(text)
    if _INFINITY.match(text):
        return float("-inf") if text.startswith("-") else float("inf")
    return float("nan") if _NOT_A_NUMBER.match(text) else text


class _Refused(Exception):
    """The document breaks a rule after which reading cannot go on."""

    def __init__(self, mark: yaml.Mark, message: str) -> None:
        self.mark = mark
        self.message = message


class _Loader(yaml.BaseLoader):
    """Composes without resolving scalars; refuses anchors, tags and deep nesting as it goes."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Refused(event.start_mark, "anchors and aliases are not read; use `templates` or `shared` instead")
        if getattr(event, "tag", None):
            raise _Refused(event.start_mark, f"YAML tags are not read, but found {event.tag!r}; take the tag away")
        if self.depth >= MAX_DEPTH:
            raise _Refused(event.start_mark, f"values nest at most {MAX_DEPTH} deep; flatten the document")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read(text: str, file: str, problems: Problems) -> Node | None:
    """Read one YAML document; what is wrong goes into `problems`, and None comes back if nothing could be read."""
    top = Mark(file, 1, 1)
    if len(text) > MAX_CHARACTERS:
        problems.add(top, "", f"a file has at most {MAX_CHARACTERS:,} characters, but this has {len(text):,}")
        return None
    try:
        composed = yaml.compose(text, Loader=_Loader)
    except _Refused as refused:
        problems.add(_mark(file, refused.mark), "", refused.message)
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(filter(None, (error.context, error.problem)))
        problems.add(_mark(file, mark) if mark else top, "", f"this is not YAML: {said}")
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.add(Mark(file, line, 1), "", f"this is not text: character {error.character!r} is not allowed")
        return None
    except ValueError as error:  # PyYAML lets an impossible escape such as "\UFFFFFFFF" through to chr()
        problems.add(top, "", f"this is not YAML: {error}")
        return None
    if composed is None:
        problems.add(top, "", "the file is empty; write at least `striate: 1`")
        return None
    return _node(composed, file, "", problems)


def _mark(file: str, mark: yaml.Mark) -> Mark:
    return Mark(file, mark.line + 1, mark.column + 1)


def _node(node: yaml.Node, file: str, path: str, problems: Problems) -> Node:
    mark = _mark(file, node.start_mark)
    if isinstance(node, yaml.ScalarNode):
        return Scalar(scalar(node.value) if node.style is None else node.value, mark)
    if isinstance(node, yaml.SequenceNode):
        items = (_node(item, file, f"{path}[{position}]", problems) for position, item in enumerate(node.value))
        return Sequence(tuple(items), mark)
    entries: dict[str, Node] = {}
    key_marks: dict[str, Mark] = {}
    for key_node, value_node in node.value:
        key_mark = _mark(file, key_node.start_mark)
        if not isinstance(key_node, yaml.ScalarNode):
            problems.add(key_mark, path, "a key is a word, but this is a list or mapping")
            continue
        key = key_node.value
        if key in entries:
            problems.add(key_mark, join(path, key), f"a key stands once, but {key!r} was given at {key_marks[key]}")
            continue
        entries[key] = _node(value_node, file, join(path, key), problems)
        key_marks[key] = key_mark
    return Mapping(entries, key_marks, mark)
