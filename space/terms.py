"""What an expression of the small language of conditions is, and how it is written.

A term is plain data. `at` is the character, from 1, at which it stands in its expression.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from space.tree import Choice, Condition, Hole, Node, Value

COLLECTIONS = ("feedback", "skip", "areas")
# How tightly an operator binds; operands of an operator bind more tightly than it, or stand in parentheses.
PRECEDENCE = {
    **{"or": 1, "and": 2, "not": 3, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "in": 4},
    **{"+": 5, "-": 5, "*": 6, "/": 6},
}
UNARY_MINUS = 7
_TIGHTEST = 8


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, true or false, or a text."""

    value: Value
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A bare word or a path, before it is known what it names."""

    text: str
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Bound:
    """A word that a rule for edges or a walk over a collection gives a value, such as `from`."""

    text: str
    at: int = field(compare=False)


class Alternative(NamedTuple):
    """A value that may stand at a path: it does where each guard, a decision (path, label) or a condition, is met."""

    guards: tuple[tuple[str, Value] | Condition, ...]
    node: Node


@dataclass(frozen=True, slots=True)
class Reference:
    """What stands at a path of the space; in different branches of a choice that may be different values."""

    text: str
    at: int = field(compare=False)
    alternatives: tuple[Alternative, ...] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`not`, or a minus sign."""

    sign: str
    operand: Term
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """An arithmetic operation or a comparison of two terms."""

    sign: str
    left: Term
    right: Term
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Several:
    """`and` or `or` of two or more terms."""

    sign: str
    operands: tuple[Term, ...]
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Among:
    """`term in [a, b]`."""

    left: Term
    options: tuple[Term, ...]
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of terms."""

    function: str
    arguments: tuple[Term, ...]
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Over:
    """`count`, `sum`, `forall` or `exists` over the edges or areas of an architecture; `body` is asked of each."""

    function: str
    collection: str
    body: Term | None
    at: int = field(compare=False)


Term: TypeAlias = Literal | Name | Bound | Reference | Unary | Binary | Several | Among | Call | Over


def terms(term: Term) -> Iterator[Term]:
    """A term and all terms inside it."""
    yield term
    inside: tuple[Term | None, ...] = ()
    match term:
        case Unary(operand=operand):
            inside = (operand,)
        case Binary(left=left, right=right):
            inside = (left, right)
        case Several(operands=operands):
            inside = operands
        case Among(left, options):
            inside = (left, *options)
        case Call(arguments=arguments):
            inside = arguments
        case Over(body=body):
            inside = (body,)
    for each in inside:
        if each is not None:
            yield from terms(each)


def weight(term: Term) -> int:
    """How many parts a term has, each with all that it may stand for: what it costs to check and to ask."""
    return sum(1 + sum(map(_weight, each.alternatives)) if isinstance(each, Reference) else 1 for each in terms(term))


def _weight(alternative: Alternative) -> int:
    node = alternative.node
    labels = len(node.domain.labels) if isinstance(node, Hole) and isinstance(node.domain, Choice) else 1
    return labels + len(alternative.guards)


def written(term: Term) -> str:
    """The text of a term, which reads back as the same term."""
    return _written(term)[0]


def _written(term: Term) -> tuple[str, int]:
    """The text of a term, and how tightly it binds."""
    match term:
        case Literal(bool(value)):
            return str(value).lower(), _TIGHTEST
        case Literal(str(value)):
            return f"'{value}'" if "'" not in value else f'"{value}"', _TIGHTEST
        case Literal(value):
            return repr(value), _TIGHTEST
        case Name(text) | Bound(text) | Reference(text):
            return text, _TIGHTEST
        case Unary("not", operand):
            return f"not {_operand(operand, PRECEDENCE['not'])}", PRECEDENCE["not"]
        case Unary(sign, operand):
            return f"{sign}{_operand(operand, UNARY_MINUS)}", UNARY_MINUS
        case Binary(sign, left, right):
            tight = PRECEDENCE[sign]
            before = tight + 1 if tight == PRECEDENCE["=="] else tight  # comparisons are not chained
            return f"{_operand(left, before)} {sign} {_operand(right, tight + 1)}", tight
        case Several(sign, operands):
            tight = PRECEDENCE[sign]
            return f" {sign} ".join(_operand(each, tight + 1) for each in operands), tight
        case Among(left, options):
            tight = PRECEDENCE["in"]
            return f"{_operand(left, tight + 1)} in [{', '.join(map(written, options))}]", tight
        case Call(function, arguments):
            return f"{function}({', '.join(map(written, arguments))})", _TIGHTEST
        case Over(function, collection, body):
            inside = collection if body is None else f"{collection}, {written(body)}"
            return f"{function}({inside})", _TIGHTEST


def _operand(term: Term, least: int) -> str:
    text, tight = _written(term)
    return text if tight >= least else f"({text})"
