"""The check that an expression can mean something: numbers are added, and what is compared can be equal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from space.errors import did_you_mean
from space.expression_reader import ExpressionError
from space.names import values
from space.terms import Among, Binary, Bound, Call, Literal, Over, Reference, Several, Term, Unary, written
from space.tree import ABSENT, Value

FLAG, NUMBER, TEXT = "true or false", "a number", "a word"
_Kinds = frozenset[str]
_ANY = frozenset((FLAG, NUMBER, TEXT))
_KIND_OF: dict[type, str] = {bool: FLAG, int: NUMBER, float: NUMBER, str: TEXT}


def check_types(term: Term, ranks: Mapping[str, int]) -> None:
    """Refuse what is never a condition.

    Raises:
        ExpressionError: some part can never have the kind of value that is asked of it.

    """
    _want(term, FLAG, "a condition is true or false", ranks)


def _want(term: Term, kind: str, rule: str, ranks: Mapping[str, int]) -> None:
    kinds = _kinds(term, ranks)
    if kind not in kinds:
        given = " or ".join(sorted(kinds)) or "nothing"
        message = f"{rule}, but `{written(term)}` at character {term.at} is {given}"
        if isinstance(term, Literal) and isinstance(term.value, str):
            raise ExpressionError(f"{message}, not a path of the space", word=term.value)
        way_out = "compare it, such as `a == b`" if kind == FLAG else f"write {kind} there"
        raise ExpressionError(f"{message}; {way_out}")


def _kinds(term: Term, ranks: Mapping[str, int]) -> _Kinds:
    """The kinds of value that a term may have, once its parts have been checked."""
    match term:
        case Literal(value):
            return frozenset((_KIND_OF[type(value)],))
        case Reference():
            found = {_KIND_OF[each if isinstance(each, type) else type(each)] for each in _values(term)}
            return frozenset(found)
        case Bound(text):
            return frozenset((NUMBER,)) if text in ("channels", "size") else frozenset((TEXT,))
        case Unary("not", operand):
            _want(operand, FLAG, "`not` is asked of what is true or false", ranks)
        case Unary(operand=operand):
            _want(operand, NUMBER, "`-` takes a number", ranks)
            return frozenset((NUMBER,))
        case Several(sign, operands):
            for each in operands:
                _want(each, FLAG, f"`{sign}` joins what is true or false", ranks)
        case Binary(sign, left, right) if sign in ("==", "!="):
            _comparable(left, [right], term, ranks)
        case Among(left, options):
            _comparable(left, options, term, ranks)
        case Binary(sign, left, right):
            for each in (left, right):
                _want(each, NUMBER, f"`{sign}` takes numbers", ranks)
            return frozenset((NUMBER if sign in "+-*/" else FLAG,))
        case Call():
            return _call(term, ranks)
        case Over(function, body=body):
            if body is not None and function == "sum":
                _want(body, NUMBER, "`sum` adds numbers", ranks)
            elif body is not None:
                _want(body, FLAG, f"`{function}` asks a condition", ranks)
            return frozenset((NUMBER if function in ("count", "sum") else FLAG,))
        case _:
            return _ANY
    return frozenset((FLAG,))


def _call(term: Call, ranks: Mapping[str, int]) -> _Kinds:
    match term.function:
        case "present" | "absent":
            return frozenset((FLAG,))
        case "rank":
            (area,) = term.arguments
            _want(area, TEXT, "`rank` takes the name of an area", ranks)
            if isinstance(area, Literal) and area.value not in ranks:
                rule = f"`rank` takes the name of an area, but there is no area {area.value!r}"
                raise ExpressionError(f"{rule}; {did_you_mean(str(area.value), ranks)}")
        case _:
            for each in term.arguments:
                _want(each, NUMBER, f"`{term.function}` takes numbers", ranks)
    return frozenset((NUMBER,))


def _comparable(left: Term, options: Iterable[Term], whole: Term, ranks: Mapping[str, int]) -> None:
    """Refuse a comparison with what a side can never be."""
    kinds = _kinds(left, ranks)
    for option in options:
        for one, other in ((left, option), (option, left)):
            if isinstance(one, Literal) and isinstance(other, Reference) and one.value != ABSENT:
                _possible(one, other)
            if isinstance(one, Literal) and isinstance(other, Bound) and other.text != "enters":
                _area(one, other, ranks)
        if not kinds & _kinds(option, ranks) and ABSENT not in (_constant(left), _constant(option)):
            rule = f"what is compared can be equal, but `{written(whole)}` at character {whole.at} compares"
            given = f"{' or '.join(sorted(kinds))} with {' or '.join(sorted(_kinds(option, ranks)))}"
            raise ExpressionError(f"{rule} {given}; compare values of one kind")


def _constant(term: Term) -> Value | None:
    return term.value if isinstance(term, Literal) else None


def _possible(literal: Literal, reference: Reference) -> None:
    known = list(_values(reference))
    if any(_KIND_OF[each] == _KIND_OF[type(literal.value)] for each in known if isinstance(each, type)):
        return
    words = {_shown(each): None for each in known if not isinstance(each, type)}
    if _shown(literal.value) not in words and not (_is_number(literal.value) and literal.value in known):
        rule = f"`{reference.text}` is compared with what it can be, but {_shown(literal.value)!r}"
        raise ExpressionError(f"{rule} stands at character {literal.at}; {did_you_mean(_shown(literal.value), words)}")


def _area(literal: Literal, bound: Bound, ranks: Mapping[str, int]) -> None:
    if isinstance(literal.value, str) and bound.text in ("from", "to", "area") and literal.value not in ranks:
        rule = f"`{bound.text}` is an area, but there is no area {literal.value!r} (character {literal.at})"
        raise ExpressionError(f"{rule}; {did_you_mean(literal.value, ranks)}")


def _values(reference: Reference) -> Iterable[Value | type]:
    return [value for alternative in reference.alternatives for value in values(alternative.node)]


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
