"""Strict YAML: text to a tree of located nodes, with the scalars of YAML 1.2.

PyYAML parses; we resolve scalars after the YAML 1.2 core schema (`1e-4` is a float, `no` a string), remember where
every value stood, and refuse what makes a file say something else than it seems to: duplicate keys, anchors, tags,
several documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from space.errors import Mark, Problems
from space.tree import Mapping, Node, Scalar, ScalarValue, Sequence, join, shown

MAX_DEPTH = 64
MAX_CHARACTERS = 500_000
MAX_VALUES = 15_000
MAX_KEY_LENGTH = 100
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
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_IMPOSSIBLE_ESCAPE = re.compile(r"\\U(?!000|0010)[0-9a-fA-F]{8}")


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


def read(text: str, file: str, problems: Problems) -> Node | None:
    """Read one YAML document; what is wrong goes into `problems`, and None comes back if nothing could be read."""
    top = Mark(file, 1, 1)
    if len(text) > MAX_CHARACTERS:
        rule = f"a file has at most {MAX_CHARACTERS:,} characters, but this one has {len(text):,}; make it shorter"
        problems.add(top, "", rule)
        return None
    try:
        return _Document(text, file, problems).node
    except _RefusedError as refused:
        problems.add(refused.mark, "", refused.message)
    except yaml.MarkedYAMLError as error:
        found = error.problem_mark or error.context_mark
        problems.add(Mark(file, found.line + 1, found.column + 1) if found else top, "", _syntax(error))
    except yaml.reader.ReaderError as error:
        rule = f"a file is text, but character U+{ord(text[error.position]):04X} stands here; take it away"
        problems.add(_mark_at(text, error.position, file), "", rule)
    except (ValueError, OverflowError):  # PyYAML lets an impossible escape such as "\UFFFFFFFF" through to chr()
        escape = _IMPOSSIBLE_ESCAPE.search(text)
        place = _mark_at(text, escape.start(), file) if escape else top
        problems.add(place, "", "this is not YAML: an escape or directive stands for no value; take it away")
    return None


class _RefusedError(Exception):
    """The document breaks a rule after which reading cannot go on."""

    def __init__(self, mark: Mark, message: str) -> None:
        self.mark = mark
        self.message = message


class _Document:
    """The tree of a text that holds one document; it grows from PyYAML's events."""

    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self.file = file
        self.problems = problems
        self.values = 0
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.BaseLoader)
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise _RefusedError(
                Mark(file, 1, 1), "a file holds a document, but this one is empty; begin with `striate: 1`"
            )
        self.node = self.read(next(self.events), "", 1)
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            rule = "a file holds one document, but another begins here; give it a file of its own"
            raise _RefusedError(self.mark(after), rule)

    def mark(self, event: yaml.Event) -> Mark:
        assert event.start_mark is not None, "PyYAML's parser marks every event"
        return Mark(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def read(self, event: yaml.Event, path: str, depth: int) -> Node:
        mark = self.mark(event)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            rule = f"anchors and aliases are not read, but {shown(sign + event.anchor)} was given"
            raise _RefusedError(mark, f"{rule}; use `templates` or `shared` instead")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise _RefusedError(mark, f"YAML tags are not read, but {shown(tag)} was given; take it away")
        if depth > MAX_DEPTH:
            raise _RefusedError(
                mark, f"values nest at most {MAX_DEPTH} deep, but these go deeper; flatten the document"
            )
        self.values += 1
        if self.values > MAX_VALUES:
            rule = f"a file has at most {MAX_VALUES:,} values, its keys included, but more stand here"
            raise _RefusedError(mark, f"{rule}; write what repeats as a template or a rule")
        match event:
            case yaml.ScalarEvent():
                return Scalar(scalar(event.value) if event.style is None else event.value, mark)
            case yaml.SequenceStartEvent():
                return Sequence(tuple(self.items(path, depth)), mark)
            case _:
                return self.mapping(mark, path, depth)

    def items(self, path: str, depth: int) -> Iterator[Node]:
        position = 0
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            yield self.read(event, f"{path}[{position}]", depth + 1)
            position += 1

    def mapping(self, mark: Mark, path: str, depth: int) -> Mapping:
        entries: dict[str, Node] = {}
        key_marks: dict[str, Mark] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key_mark = self.mark(event)
            key_node = self.read(event, path, depth + 1)
            key = event.value if isinstance(event, yaml.ScalarEvent) else ""
            if len(key) > MAX_KEY_LENGTH:
                rule = f"a key has at most {MAX_KEY_LENGTH} characters, but this one has {len(key):,}; shorten it"
                raise _RefusedError(key_mark, rule)
            value = self.read(next(self.events), join(path, key), depth + 1)
            if not isinstance(key_node, Scalar):
                rule = f"a key is a word, but {shown(key_node)} was given; write `key: value`"
                self.problems.add(key_mark, path, rule)
            elif key in entries:
                rule = f"a key stands once, but {shown(key)} stands at {key_marks[key]} too; take one away"
                self.problems.add(key_mark, join(path, key), rule)
            else:
                entries[key] = value
                key_marks[key] = key_mark
        return Mapping(entries, key_marks, mark)


def _syntax(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's own words about what it could not parse, and a way out."""
    context = ""
    if error.context:
        begun = f" begun at {error.context_mark.line + 1}:{error.context_mark.column + 1}" if error.context_mark else ""
        context = f" {error.context}{begun}"
    problem = error.problem or "it cannot be parsed"
    way_out = "indent with spaces" if "'\\t'" in problem else "mend it, or put a text with special signs in quotes"
    return f"this is not YAML: {problem}{context}; {way_out}"


def _mark_at(text: str, position: int, file: str) -> Mark:
    breaks = list(_LINE_BREAK.finditer(text, 0, position))
    return Mark(file, len(breaks) + 1, position - (breaks[-1].end() if breaks else 0) + 1)
