"""The small language of conditions: what an expression is worth.

Every expression ends, has no effect, and has a value in every world. A value is true or false, a number, a text (which
the word `none` is too), or *undefined*: a division by zero, an overflow, or arithmetic and order with what is absent.
Undefined spreads, save that `false and …` is false and `true or …` is true (Kleene's logic); a condition that is
undefined as a whole is not met.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from space.errors import Mark
from space.terms import (
    Among,
    Binary,
    Bound,
    Call,
    Literal,
    Name,
    Over,
    Reference,
    Several,
    Term,
    Unary,
    terms,
    weight,
)
from space.tree import ABSENT, Choice, Condition, Hole, Node, Scalar, Value, When

Answer: TypeAlias = Value | None  # None is undefined
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class World:
    """What an expression is evaluated in.

    Arguments:
        decided: path → value of the decisions made.
        ranks: area → rank, from 0.
        bound: the words that stand for a value here, such as `from` and `to` of an edge.
        collections: the edges and areas of an architecture, each as the words that stand for its values.
        measure: the value of `params`, `flops` and `memory`.
        settled: the answers that hold whatever words are bound, by the identity of their terms.

    """

    decided: Mapping[str, Value] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    bound: Mapping[str, Value] = field(default_factory=dict)
    collections: Mapping[str, tuple[Mapping[str, Value], ...]] = field(default_factory=dict)
    measure: Callable[[str], int] | None = None
    settled: dict[int, tuple[Term, Answer]] = field(default_factory=dict)

    def binding(self, bound: Mapping[str, Value]) -> World:
        """The same world with other words bound."""
        return World(self.decided, self.ranks, bound, self.collections, self.measure, self.settled)


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition whose names are known: what a `When`, a rule for edges or a constraint asks.

    Arguments:
        text: as it was written.
        term: what it says.
        ranks: area → rank.
        mark: where it stands in the file.
        decisions: the paths of all decisions that its value may depend on.
        conditions: those on which it rests that what it names is there at all.
        depth: how many conditions rest on one another here, this one included.

    """

    text: str
    term: Term
    ranks: Mapping[str, int] = field(repr=False)
    mark: Mark
    decisions: frozenset[str] = field(init=False, repr=False, compare=False)
    conditions: tuple[Condition, ...] = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: set[str] = set()
        conditions: dict[int, Condition] = {}
        for term in terms(self.term):
            if isinstance(term, Reference):
                _read_by(term, found, conditions)
        object.__setattr__(self, "decisions", frozenset(found))
        object.__setattr__(self, "conditions", tuple(conditions.values()))
        below = (each.depth for each in self.conditions if isinstance(each, Expression))
        object.__setattr__(self, "depth", 1 + max(below, default=0))

    def __str__(self) -> str:
        return self.text

    def holds(self, decided: Mapping[str, Value]) -> bool:
        """Whether the decisions meet it; undefined is no."""
        return self.holds_in(World(decided, self.ranks, _NOTHING, _NOTHING))

    def holds_in(self, world: World) -> bool:
        """Whether a world meets it; undefined is no."""
        return evaluate(self.term, world) is True


def evaluate(term: Term, world: World) -> Answer:
    """The value of a term; None is undefined."""
    match term:
        case Literal(value):
            return value
        case Name(text):
            return text
        case Bound(text):
            return world.bound.get(text)
        case Reference():
            return _look_up(term, world)
        case Unary("not", operand):
            answer = evaluate(operand, world)
            return not answer if isinstance(answer, bool) else None
        case Unary(operand=operand):
            return _arithmetic("-", 0, evaluate(operand, world))
        case Binary(sign, left, right):
            return _binary(sign, evaluate(left, world), evaluate(right, world))
        case Several("and", operands):
            return _conjunction(evaluate(each, world) for each in operands)
        case Several(operands=operands):
            return _negated(_conjunction(_negated(evaluate(each, world)) for each in operands))
        case Among(left, options):
            given = evaluate(left, world)
            equal = (_binary("==", given, evaluate(option, world)) for option in options)
            return _negated(_conjunction(_negated(each) for each in equal))
        case Call():
            return _call(term, world)
        case Over():  # no walk sees the words of one around it, so one inside another is gone through once
            if id(term) not in world.settled:
                world.settled[id(term)] = term, _over(term, world)
            return world.settled[id(term)][1]


def _look_up(reference: Reference, world: World) -> Value:
    """What stands at a path once decisions are made: its value, the label of its branch, or `none` where nothing does.

    A mapping or list that no choice labels is true: it is there.
    """
    for guards, node in ((each.guards, each.node) for each in reference.alternatives):
        if all(_is_met(guard, world) for guard in guards):
            found = _standing(node, world)
            if found != ABSENT:
                return found
    return ABSENT


def _is_met(guard: tuple[str, Value] | Condition, world: World) -> bool:
    match guard:
        case (str(path), label):
            return path in world.decided and world.decided[path] == label
        case Expression(term=term):  # many values may rest on one condition, and that on others
            if id(term) not in world.settled:
                world.settled[id(term)] = term, evaluate(term, world)
            return world.settled[id(term)][1] is True
        case condition:
            return condition.holds(world.decided)


def _standing(node: Node, world: World) -> Value:
    match node:
        case Scalar(value):
            return ABSENT if value is None else value
        case When(condition, body):
            return _standing(body, world) if _is_met(condition, world) else ABSENT
        case Hole(path=path, domain=Choice(labels=labels, branches=branches)):
            label = world.decided.get(path, ABSENT)
            if label not in labels:  # not reached, or a choice that is still being read: the branch at hand is there
                return label
            branch = branches[labels.index(label)]
            return _standing(branch, world) if isinstance(branch, Scalar | When | Hole) else label
        case Hole(path=path):
            return world.decided.get(path, ABSENT)
        case _:
            return True


def _read_by(reference: Reference, found: set[str], conditions: dict[int, Condition]) -> None:
    """Note the paths of the decisions that a reference may read, and the conditions that it asks by the way."""
    open_nodes: list[Node] = []
    for alternative in reference.alternatives:
        for guard in alternative.guards:
            if isinstance(guard, tuple):
                found.add(guard[0])
            else:
                conditions[id(guard)] = guard
        open_nodes.append(alternative.node)
    while open_nodes:
        match open_nodes.pop():
            case Hole(path=path, domain=domain):
                found.add(path)
                open_nodes += domain.branches if isinstance(domain, Choice) else ()
            case When(condition, body):
                conditions[id(condition)] = condition
                open_nodes.append(body)
            case _:
                pass
    for condition in conditions.values():
        found |= condition.decisions


def _binary(sign: str, left: Answer, right: Answer) -> Answer:
    if sign in _ARITHMETIC:
        return _arithmetic(sign, left, right)
    if left is None or right is None:
        return None
    if sign in _ORDER:
        return _ORDER[sign](left, right) if is_number(left) and is_number(right) else None  # type: ignore[arg-type]
    same = isinstance(left, bool) == isinstance(right, bool) and left == right
    return same if sign == "==" else not same


def _arithmetic(sign: str, left: Answer, right: Answer) -> Answer:
    if not (is_number(left) and is_number(right)):
        return None
    try:
        value = _ARITHMETIC[sign](left, right)  # type: ignore[arg-type]
        return value if isinstance(value, int) or math.isfinite(value) else None
    except (ZeroDivisionError, OverflowError):
        return None


def cost(expression: Expression) -> int:
    """How many parts a condition has, and all those on which it rests: what asking it costs at most."""
    found: dict[int, Expression] = {}
    waiting = [expression]
    while waiting:
        each = waiting.pop()
        if id(each) not in found:
            found[id(each)] = each
            waiting += [condition for condition in each.conditions if isinstance(condition, Expression)]
    return sum(weight(each.term) for each in found.values())


def is_number(answer: Answer) -> bool:
    """Whether a value is a number; true and false are none."""
    return isinstance(answer, int | float) and not isinstance(answer, bool)


def _negated(answer: Answer) -> Answer:
    return not answer if isinstance(answer, bool) else None


def _conjunction(answers: Iterable[Answer]) -> Answer:
    result: Answer = True
    for answer in answers:
        if answer is False:
            return False
        if answer is not True:
            result = None
    return result


def _call(call: Call, world: World) -> Answer:
    if call.function in ("present", "absent"):
        (of,) = call.arguments
        return (evaluate(of, world) != ABSENT) == (call.function == "present")
    if call.function in ("params", "flops", "memory"):
        return world.measure(call.function) if world.measure else None
    answers = [evaluate(each, world) for each in call.arguments]
    if call.function == "rank":
        return world.ranks.get(str(answers[0]))
    numbers = [each for each in answers if is_number(each)]
    if len(numbers) < len(answers):
        return None
    if call.function == "abs":
        return abs(numbers[0])  # type: ignore[arg-type]
    return (min if call.function == "min" else max)(numbers)  # type: ignore[type-var]


def _over(over: Over, world: World) -> Answer:
    members = world.collections.get(over.collection)
    if members is None:
        return None
    if over.body is None:
        return len(members)
    answers = [evaluate(over.body, world.binding(member)) for member in members]
    match over.function:
        case "forall":
            return _conjunction(answers)
        case "exists":
            return _negated(_conjunction(map(_negated, answers)))
        case "count":
            return None if None in answers else sum(answer is True for answer in answers)
    total: Answer = 0
    for answer in answers:
        total = _arithmetic("+", total, answer)
    return total
