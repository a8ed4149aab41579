"""The domains of numbers, with their priors: whole numbers, and real ones with or without a step."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Integers:
    """A whole number from `low` to `high`, both included: uniform, or a real of uniform logarithm rounded."""

    low: int
    high: int
    log: bool = False

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def draw(self, rng: random.Random) -> Value:
        """Draw a number from the prior."""
        if not self.log:
            return rng.randint(self.low, self.high)
        drawn = math.exp(rng.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5)))
        return min(max(round(drawn), self.low), self.high)

    def holds(self, value: Value) -> bool:
        """Whether `value` is a whole number of the range."""
        return type(value) is int and self.low <= value <= self.high

    def log_prior(self, value: Value) -> float:
        """Log probability of a number."""
        if not self.log:
            return -math.log(self.high - self.low + 1)
        number = float(value)
        whole = math.log(self.high + 0.5) - math.log(self.low - 0.5)
        return math.log((math.log(number + 0.5) - math.log(number - 0.5)) / whole)


@dataclass(frozen=True, slots=True)
class Reals:
    """A real number from `low` to `high`: uniform, with a uniform logarithm when `log`, or `low` and some `step`s."""

    low: float
    high: float
    log: bool
    step: float | None = None

    @property
    def points(self) -> int | None:
        """How many numbers there are with a step; None without one."""
        return None if self.step is None else math.floor((self.high - self.low) / self.step * (1 + 1e-12)) + 1

    def point(self, position: int) -> float:
        """The number that is so many steps above the lowest."""
        return min(self.low + position * (self.step or 0.0), self.high)

    def __str__(self) -> str:
        return f"a real number from {self.low:g} to {self.high:g}"

    def draw(self, rng: random.Random) -> Value:
        """Draw a number from the prior."""
        if self.points:
            return self.point(rng.randrange(self.points))
        if self.log:
            drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            drawn = rng.uniform(self.low, self.high)
        return min(max(drawn, self.low), self.high)

    def holds(self, value: Value) -> bool:
        """Whether `value` is a number of the range."""
        if type(value) is not float or not self.low <= value <= self.high:
            return False
        return self.step is None or value == self.point(round((value - self.low) / self.step))

    def log_prior(self, value: Value) -> float:
        """Log density of a number, or its log probability when there is a step."""
        if self.points:
            return -math.log(self.points)
        if self.log:
            return -math.log(float(value)) - math.log(math.log(self.high) - math.log(self.low))
        return -math.log(self.high - self.low)
