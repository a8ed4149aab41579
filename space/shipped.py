"""The spaces and architectures that come with the package, by name."""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

_END_OF_TITLE = re.compile(r":\s|(?<!\bal)\.(?:\s|$)")  # not that of `et al.`


@dataclass(frozen=True, slots=True)
class Shipped:
    """One file of the library.

    Arguments:
        name: by which it is found.
        path: of the file.
        is_space: whether it has decisions to search; an architecture has none.

    """

    name: str
    path: Path
    is_space: bool

    def title(self) -> str:
        """What it is: the comment at its head, up to the first colon or full stop."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        comment = " ".join(line[1:].strip() for line in itertools.takewhile(lambda line: line.startswith("#"), lines))
        return _END_OF_TITLE.split(comment, maxsplit=1)[0]


@functools.cache
def shipped(library: Path) -> dict[str, Shipped]:
    """All of a library's folder by name, spaces before architectures."""
    spaces = [Shipped(path.stem, path, True) for path in sorted(library.glob("*.yaml"))]
    architectures = [Shipped(path.stem, path, False) for path in sorted((library / "zoo").glob("*.yaml"))]
    return {each.name: each for each in (*spaces, *architectures)}
