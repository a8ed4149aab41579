"""How much a document may unfold into: what it costs to read is bounded, whoever wrote it."""

from __future__ import annotations

from space.errors import Mark

MAX_VALUES = 25_000
MAX_DEPTH = 128
MAX_PATH = 1_000
MAX_AREA_STEPS = 10_000  # of an unroll


class TooLargeError(Exception):
    """A document unfolds into more than a space may be; `message` is the rule, `mark` is where the bound was met."""

    def __init__(self, mark: Mark) -> None:
        rule = f"a space unfolds into at most {MAX_VALUES:,} values and parts of conditions, {MAX_DEPTH} deep,"
        rule = f"{rule} at paths of {MAX_PATH:,} characters"
        self.message = f"{rule}, but more are needed here; nest templates and shared values less, or name fewer edges"
        self.mark = mark
        super().__init__(self.message)


class Allowance:
    """Counts what a document unfolds into."""

    def __init__(self) -> None:
        self.values = 0
        self.depth = 0

    def spend(self, values: int, mark: Mark) -> None:
        """Count values, or parts of a condition with what they may stand for.

        Raises:
            TooLargeError: there are too many now.

        """
        self.values += values
        if self.values > MAX_VALUES:
            raise TooLargeError(mark)

    def enter(self, path: str, mark: Mark) -> None:
        """Count a value, and go inside it.

        Raises:
            TooLargeError: there are too many now, or this one is too deep, or its path too long.

        """
        self.spend(1, mark)
        self.depth += 1
        if self.depth > MAX_DEPTH or len(path) > MAX_PATH:
            raise TooLargeError(mark)

    def leave(self) -> None:
        """Leave a value that was entered."""
        self.depth -= 1
