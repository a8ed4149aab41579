"""Holes as they are written: `choice`, `int`, `float` and `bool`, read into domains with their priors."""

from __future__ import annotations

import math
from collections import Counter

from space.errors import Problems
from space.place import Place, Walk
from space.tree import (
    Choice,
    Domain,
    Hole,
    Integers,
    Mapping,
    Node,
    Reals,
    Scalar,
    Sequence,
    Value,
    When,
    number,
    shown,
)

WHEN = "when"  # stands beside any hole, and beside `use` and `shared`
MAX_POINTS = 1_000_000
MAX_INTEGER = 2**63 - 1
BESIDE: dict[str, tuple[str, ...]] = {"choice": ("weights",), "int": ("log",), "float": ("log", "step"), "bool": ()}
_TAGS = frozenset(BESIDE)


def is_hole(node: Mapping) -> bool:
    """Whether a mapping is a hole: it has the key of one."""
    return not _TAGS.isdisjoint(node.entries)


def broken(node: Node, place: Place) -> Hole:
    """What stands for a value that could not be read: a choice of nothing, in which no further rule is broken."""
    return Hole(place.path + place.labels, place.key, place.path, Choice((), (), ()), node.mark)


def is_broken(node: Node) -> bool:
    """Whether a node stands for a value that could not be read, which has been told."""
    if isinstance(node, When):
        return is_broken(node.body)
    return isinstance(node, Hole) and isinstance(node.domain, Choice) and not node.domain.labels


class HoleReader:
    """Reads holes; `walk` unfolds the values inside them."""

    def __init__(self, walk: Walk, problems: Problems) -> None:
        self.walk = walk
        self.problems = problems

    def read(self, node: Mapping, place: Place) -> Hole:
        """The hole that a mapping describes."""
        tag = next(tag for tag in BESIDE if tag in node.entries)
        for key in node.entries:
            if key not in (tag, WHEN, *BESIDE[tag]):
                others = f"nothing but {', '.join(f'`{each}`' for each in BESIDE[tag])}" if BESIDE[tag] else "nothing"
                rule = f"beside `{tag}` stands {others}, but {shown(key)} was given; take it away"
                self.problems.add(node.key_marks[key], place.path, rule)
        body = node.entries[tag]
        domain = self._domain(tag, node, body, place)
        return (
            Hole(place.path + place.labels, place.key, place.path, domain, node.mark) if domain else broken(node, place)
        )

    def _domain(self, tag: str, node: Mapping, body: Node, place: Place) -> Domain | None:
        match tag:
            case "choice":
                return self._choice(node, body, place)
            case "bool":
                return self._bool(body, place)
            case "int":
                return self._integers(node, body, place)
            case _:
                return self._reals(node, body, place)

    def _choice(self, node: Mapping, body: Node, place: Place) -> Choice | None:
        options: list[tuple[Value, Node]] = []
        match body:
            case Mapping(entries):
                options = [(label, self.walk(branch, place.branch(label))) for label, branch in entries.items()]
            case Sequence(items):
                listed = [self._listed(item, place) for item in items]
                if None in listed:
                    return None
                options = [option for option in listed if option]
            case _:
                rule = f"`choice` is given its options, but got {shown(body)}"
                rule = f"{rule}; write `choice: [a, b]` or `choice: {{label: value, …}}`"
                self.problems.add(body.mark, place.path, rule)
                return None
        if not options:
            rule = "`choice` has at least one option, but none was given; add one"
            self.problems.add(body.mark, place.path, rule)
            return None
        labels, branches = zip(*options, strict=True)
        if len(set(labels)) < len(labels):
            twice = next(label for label, times in Counter(labels).items() if times > 1)
            rule = f"the options of a `choice` differ, but {shown(twice)} stands twice; use `weights` to prefer one"
            self.problems.add(body.mark, place.path, rule)
            return None
        return Choice(labels, branches, self._weights(node, len(labels), place))

    def _listed(self, item: Node, place: Place) -> tuple[Value, Node] | None:
        option = self.walk(item, place.beside())
        if isinstance(option, Scalar) and option.value is not None:
            return option.value, option
        if is_broken(option):
            return None
        rule = f"an option in a list is a word or a number, but {shown(option)} was given"
        self.problems.add(item.mark, place.path, f"{rule}; give it a label: `choice: {{label: …}}`")
        return None

    def _weights(self, node: Mapping, options: int, place: Place) -> tuple[float, ...]:
        given = node.entries.get("weights")
        if given is None:
            return (1.0,) * options
        numbers = [number(item) for item in given.items] if isinstance(given, Sequence) else []
        weights = tuple(float(each) for each in numbers if each is not None)
        if len(weights) == len(numbers) == options and min(weights) > 0 and math.isfinite(sum(weights)):
            return weights
        rule = f"`weights` lists one positive, finite number for each of the {options} options, but got {shown(given)}"
        self.problems.add(given.mark, place.path, f"{rule}; take away an option that should never be drawn")
        return (1.0,) * options

    def _bool(self, body: Node, place: Place) -> Choice | None:
        body = self.walk(body, place.beside())
        if is_broken(body):
            return None
        probability = number(body)
        if probability is None or not 0 < probability < 1:
            rule = f"`bool` is given the probability of true, above 0 and below 1, but got {shown(body)}"
            self.problems.add(body.mark, place.path, f"{rule}; write true or false for what is certain")
            return None
        branches = (Scalar(True, body.mark), Scalar(False, body.mark))
        return Choice((True, False), branches, (probability, 1 - probability))

    def _bounds(self, tag: str, body: Node, place: Place) -> tuple[int | float, int | float] | None:
        body = self.walk(body, place.beside())
        if isinstance(body, Sequence) and len(body.items) == 2:
            low, high = map(number, body.items)
            if low is not None and high is not None and (low < high or (tag == "int" and low == high)):
                return low, high
        if is_broken(body) or (isinstance(body, Sequence) and any(map(is_broken, body.items))):
            return None
        rule = f"`{tag}` is given its bounds, the lower one first, but got {shown(body)}; write `{tag}: [low, high]`"
        self.problems.add(body.mark, place.path, rule)
        return None

    def _flag(self, node: Mapping, key: str, place: Place) -> bool:
        given = node.entries.get(key, Scalar(False, node.mark))
        if isinstance(given, Scalar) and isinstance(given.value, bool):
            return given.value
        self.problems.add(given.mark, place.path, f"`{key}` is true or false, but got {shown(given)}; choose one")
        return False

    def _integers(self, node: Mapping, body: Node, place: Place) -> Integers | None:
        is_log = self._flag(node, "log", place)
        match self._bounds("int", body, place):
            case None:
                return None
            case (int(low), int(high)) if max(abs(low), abs(high)) > MAX_INTEGER:
                rule = f"the bounds of `int` are at most {MAX_INTEGER} from 0, but got {low} and {high}; move them"
                self.problems.add(body.mark, place.path, rule)
                return None
            case (int(low), int(high)) if is_log and low < 1:
                rule = f"the bounds of `int` are positive with `log`, but got {low} and {high}; move them"
                self.problems.add(body.mark, place.path, rule)
                return None
            case (int(low), int(high)):
                return Integers(low, high, is_log)
            case (low, high):
                rule = f"the bounds of `int` are whole numbers, but got {low} and {high}; use `float` for real ones"
                self.problems.add(body.mark, place.path, rule)
                return None

    def _reals(self, node: Mapping, body: Node, place: Place) -> Reals | None:
        is_log = self._flag(node, "log", place)
        bounds = self._bounds("float", body, place)
        if bounds is None:
            return None
        low, high = map(float, bounds)
        if not math.isfinite(high - low) or (is_log and low <= 0):
            kind = "finite, and positive with `log`" if is_log else "finite"
            rule = f"the bounds of `float` are {kind}, but got {low:g} and {high:g}; move them"
            self.problems.add(body.mark, place.path, rule)
            return None
        return Reals(low, high, is_log, self._step(node, low, high, is_log, place))

    def _step(self, node: Mapping, low: float, high: float, is_log: bool, place: Place) -> float | None:
        given = node.entries.get("step")
        if given is None:
            return None
        step = number(given)
        if step is not None and not is_log and 0 < step <= high - low <= MAX_POINTS * step:
            return float(step)
        rule = f"`step` is a number above 0 and at most {high - low:g}, the width of the bounds"
        if is_log:
            rule = "`step` stands without `log`"
        elif step is not None and 0 < step <= high - low:
            rule = f"`step` makes at most {MAX_POINTS:,} numbers"
        self.problems.add(given.mark, place.path, f"{rule}, but got {shown(given)}; change it or take it away")
        return None
