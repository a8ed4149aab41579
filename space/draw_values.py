"""What a value that may have holes can become, for a drawing: its options, whether it may be absent, its words.

A drawing shows every option of a space at once. Which options go together it does not say: two holes are read as if
they were decided apart, so that what is drawn is never less than what a space holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from space.errors import Mark
from space.tree import ABSENT, Choice, Hole, Integers, Mapping, Node, Reals, Scalar, ScalarValue, Sequence, When
from space.tree import is_absent as is_absent_node

_NOWHERE = Mark("", 0, 0)
_LISTED_VALUES = 4
_COUNTED_VALUES = 4_096


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that a value may become.

    Arguments:
        node: neither a choice nor a condition; a number that is left open stays a hole.
        probability: of this option by the prior, where its conditions hold.
        conditions: what must hold of other decisions, as it is written.
        labels: the labels of the branches that lead here.

    """

    node: Node
    probability: float = 1.0
    conditions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def is_absent(self) -> bool:
        """Whether this option is that there is nothing."""
        return is_absent_node(self.node)


Options = tuple[Option, ...]


def options(node: Node | None) -> Options:
    """Everything that a value may become; a key that is left out is absent."""
    return (Option(Scalar(ABSENT, _NOWHERE)),) if node is None else _options(Option(node))


def _options(option: Option) -> Options:
    match option.node:
        case Hole(domain=Choice(labels=labels, branches=branches, weights=weights)):
            total = sum(weights)
            found: list[Option] = []
            for label, branch, weight in zip(labels, branches, weights, strict=True):
                probability = option.probability * weight / total
                labelled = (*option.labels, word(label))
                found += _options(replace(option, node=branch, probability=probability, labels=labelled))
            return tuple(found)
        case When(condition=condition, body=body, mark=mark):
            conditions = (*option.conditions, str(condition))
            absent = replace(option, node=Scalar(ABSENT, mark), probability=0.0, conditions=conditions)
            return (*_options(replace(option, node=body, conditions=conditions)), absent)
        case _:
            return (option,)


def under(above: Options, key: str) -> Options:
    """What stands under a key in any of the mappings that a value may become."""
    found: list[Option] = []
    for option in above:
        child = option.node.entries.get(key) if isinstance(option.node, Mapping) else None
        found += _options(replace(option, node=child or Scalar(ABSENT, option.node.mark)))
    return tuple(found)


def deep(above: Options, path: str) -> Options:
    """What stands at a dotted path below any of the mappings that a value may become, where those are there at all."""
    *outer, last = path.split(".")
    for key in outer:
        above = tuple(each for each in under(above, key) if not each.is_absent)
    return under(above, last)


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether something is there: the probability that it is, and on what else this depends."""

    probability: float = 1.0
    conditions: tuple[str, ...] = ()
    certain: bool = True

    @property
    def possible(self) -> bool:
        """Whether it may be there at all."""
        return self.probability > 0

    @property
    def label(self) -> str:
        """A few letters for a drawing: a probability, `if` where other decisions have a say, nothing when certain."""
        if self.certain:
            return ""
        return "if" if self.conditions else probability_text(self.probability)

    @property
    def sentence(self) -> str:
        """The same, in words."""
        if self.certain:
            return "always there"
        parts = []
        if self.probability < 1:
            parts.append(f"there with probability {probability_text(self.probability)}")
        if self.conditions:
            parts.append(f"{'' if parts else 'there '}where {' and '.join(self.conditions)}")
        return "optional: " + " ".join(parts)


def probability_text(probability: float) -> str:
    """A probability in two digits, never 0 or 1 where it is not."""
    text = f"{probability:.2g}"
    return {"0": "~0", "1": "~1"}.get(text, text)


def presence(found: Options) -> Presence:
    """Whether any of the options that are something is there."""
    there = [option for option in found if not option.is_absent]
    total = sum(option.probability for option in found)
    if not there or not total:
        return Presence(0.0, (), certain=False)
    conditions = tuple(dict.fromkeys(each for option in there for each in option.conditions))
    certain = len(there) == len(found)
    probability = sum(option.probability for option in there) / total
    return Presence(probability, () if certain else conditions, certain)


def word(value: ScalarValue) -> str:
    """A scalar as the document would write it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def text(found: Options) -> str:
    """The options of a scalar, such as `3–7`, `32 | 64` or `elu | none`; empty where there is none."""
    words: list[str] = []
    whole: set[int] = set()
    for option in found:
        match option.node:
            case Scalar(value=int() as value) if not isinstance(value, bool):
                whole.add(value)
            case Scalar(value=value):
                words.append(word(value))
            case Hole(domain=Integers(low=low, high=high)) if high - low < _COUNTED_VALUES:
                whole |= set(range(low, high + 1))
            case Hole(domain=Integers(low=low, high=high)):
                words.append(f"{low}–{high}")
            case Hole(domain=Reals(low=low, high=high)):
                words.append(f"{low:g}–{high:g}")
            case Sequence():
                words.append("a list")
            case _:
                words.append("a mapping")
    return " | ".join(dict.fromkeys([*([numbers_text(whole)] if whole else []), *words]))


def numbers_text(numbers: Iterable[int]) -> str:
    """Whole numbers as a range where they follow each other, as a list where they are few, else by their ends."""
    given = sorted(set(numbers))
    if len(given) > 2 and given[-1] - given[0] == len(given) - 1:
        return f"{given[0]}–{given[-1]}"
    if len(given) <= _LISTED_VALUES:
        return " | ".join(map(str, given))
    return f"{given[0]} … {given[-1]}"


def numbers(found: Options) -> frozenset[int]:
    """Every whole number among the options; of a wide range its ends."""
    whole: set[int] = set()
    for option in found:
        match option.node:
            case Scalar(value=int() as value) if not isinstance(value, bool):
                whole.add(value)
            case Hole(domain=Integers(low=low, high=high)):
                whole |= set(range(low, high + 1)) if high - low < _COUNTED_VALUES else {low, high}
    return frozenset(whole)
