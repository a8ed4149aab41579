"""The errors that a user can meet, each one sentence: the rule, the value given, the way out.

StriateError                a sentence for the user; the command exits 1
├── SpecificationError      a space or architecture file breaks rules: one located sentence for each
├── DataError               a data set is unknown, missing or damaged
├── RecordError             a search's record cannot be opened, read or driven
└── UsageError              the command line names something that is not there; the command exits 2
"""

from __future__ import annotations

import difflib
import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

MAX_PROBLEMS = 50
MAX_KNOWN = 2_000
_SHOWN_WORDS = 100


class StriateError(Exception):
    """Something that the user can mend, said in one sentence."""

    exit_status = 1


class DataError(StriateError):
    """A data set is unknown, missing or damaged."""


class RecordError(StriateError):
    """A search's record cannot be opened, read or driven."""


class UsageError(StriateError):
    """The command line names something that is not there."""

    exit_status = 2


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One broken rule: where in the file, at which path of the document, and the sentence."""

    mark: Mark
    path: str
    message: str

    def __str__(self) -> str:
        line = f"{self.mark}: {self.path}: {self.message}" if self.path else f"{self.mark}: {self.message}"
        # A file may hold line breaks, escape codes and halves of characters; what is printed is one plain line.
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


class SpecificationError(StriateError):
    """A file breaks rules of the language; `problems` are all of them, in file order.

    What is wrong in a template or a shared value is met wherever it is used, and told once.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        told: dict[tuple[Mark, str], Problem] = {}
        for problem in sorted(problems):
            told.setdefault((problem.mark, problem.message), problem)
        self.problems = tuple(told.values())
        super().__init__("\n".join(map(str, self.problems)))


class Problems:
    """Collects broken rules, so that a file's errors are told at once, `MAX_PROBLEMS` of them at most."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self._told: set[tuple[Mark, str]] = set()

    def add(self, mark: Mark, path: str, message: str) -> None:
        """Note one broken rule.

        Raises:
            SpecificationError: so many are broken that to look for more would help nobody.

        """
        self.found.append(Problem(mark, path, message))
        self._told.add((mark, message))
        if len(self._told) >= MAX_PROBLEMS:
            raise SpecificationError(self.found)

    def raise_if_any(self) -> None:
        """Raise `SpecificationError` when a rule was broken."""
        if self.found:
            raise SpecificationError(self.found)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that an unknown one is most like, whatever its capitals, of the first `MAX_KNOWN`."""
    return _nearest(word, tuple(itertools.islice(known, MAX_KNOWN)))


@functools.lru_cache(maxsize=256)  # what is wrong in a template is met at each use
def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    folded: dict[str, str] = {}
    for each in known:
        folded.setdefault(each.casefold(), each)
    plain = word.casefold()
    if plain in folded:
        return folded[plain]
    like = difflib.get_close_matches(word, known, n=1)
    return like[0] if like else next((folded[each] for each in difflib.get_close_matches(plain, folded, n=1)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The way out of an unknown word: its nearest known one if there is one, else all of them."""
    words = list(known)
    near = nearest(word, words)
    if near is not None:
        return f"did you mean {near!r}?"
    if len(words) > _SHOWN_WORDS:
        return f"known: {', '.join(words[:_SHOWN_WORDS])} and {len(words) - _SHOWN_WORDS} more"
    return f"known: {', '.join(words)}" if words else "none is defined"
