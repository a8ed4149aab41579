"""Texts to spaces and architectures, and architectures to text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import yaml

from space.check import check
from space.convert import write
from space.errors import Problem, Problems, SpecificationError, UsageError, nearest
from space.expand import expand
from space.forms import Record
from space.model import Architecture
from space.nodes import Graph
from space.probe import probe
from space.reader import read
from space.shipped import shipped
from space.space import Space, without_let
from space.tree import Mapping, shown

LIBRARY = Path(__file__).parent / "library"
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the same text, in a quarter of the time
_SHOWN_NAMES = 8


def parse_space(text: str, file: str) -> Space:
    """Read a space, or an architecture as the space with one member.

    Besides the rules of the language, some samples are lowered, so that shapes that do not fit together are found.

    Raises:
        SpecificationError: with every broken rule and where it is.

    """
    problems = Problems()
    root = read(text, file, problems)
    if root is not None and not isinstance(root, Mapping):
        problems.add(
            root.mark, "", f"a document maps keys to values, but this is {shown(root)}; begin with `striate: 1`"
        )
    if not isinstance(root, Mapping):
        problems.raise_if_any()
        raise AssertionError("a document that is no mapping is a problem")
    expanded = expand(root, problems)
    check(Record(Architecture), without_let(expanded.tree), "", problems)
    problems.raise_if_any()
    space = Space(text, file, expanded.tree, expanded.constraints)
    probe(space)
    return space


def parse_architecture(text: str, file: str) -> tuple[Architecture, Graph]:
    """Read a document without holes.

    Raises:
        SpecificationError: with every broken rule and where it is; a hole is one.

    """
    return only_member(parse_space(text, file))


def only_member(space: Space) -> tuple[Architecture, Graph]:
    """The architecture that a space without holes is.

    Raises:
        SpecificationError: it has holes.

    """
    if space.holes:
        first = space.holes[0]
        rule = f"an architecture has no holes, but this is a space with {len(space.holes)}, the first one here"
        raise SpecificationError([Problem(first.mark, first.path, f"{rule}; search it with `striate launch`")])
    return space.fill({})


def find(name: str) -> tuple[str, str]:
    """The text of a file, or of a shipped space or architecture by its name, and how to call it in errors.

    Raises:
        UsageError: there is neither.

    """
    path = Path(name)
    library = shipped(LIBRARY)
    try:
        if path.suffix not in (".yaml", ".yml"):
            if name in library:
                path = library[name].path
            elif not path.exists():
                raise UsageError(f"there is no file and no shipped space {shown(name)}; {_way_out(name, library)}")
        if path.is_dir():
            raise UsageError(f"a space is one file, but {name} is a folder; give the path of a YAML file in it")
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise UsageError(f"{name} cannot be read: {reason}; give the path of a YAML file") from None


def _way_out(name: str, known: Iterable[str]) -> str:
    """What a name that nothing has may have meant."""
    near = nearest(name, known)
    if near is not None:
        return f"did you mean {near!r}?"
    like = difflib.get_close_matches(name.casefold(), list(known), n=_SHOWN_NAMES, cutoff=0.0)
    return f"the nearest are {', '.join(like)}; `striate space list` names all"


def to_yaml(architecture: Architecture, comment: str = "") -> str:
    """The canonical text of an architecture, which reads back as the same one; `comment` lines go before it."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    plain = write(Record(Architecture), architecture, brief=True)
    text = yaml.dump(plain, Dumper=_DUMPER, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    return head + str(text)
