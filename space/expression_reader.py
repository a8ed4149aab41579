"""Reads the text of an expression into a term: one regular expression for tokens, precedence climbing for the rest."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from space.errors import did_you_mean
from space.terms import (
    COLLECTIONS,
    PRECEDENCE,
    UNARY_MINUS,
    Among,
    Binary,
    Call,
    Literal,
    Name,
    Over,
    Several,
    Term,
    Unary,
    written,
)

MAX_CHARACTERS = 1_000
MAX_DEPTH = 32
# Function → the fewest and the most arguments that it takes.
FUNCTIONS: dict[str, tuple[int, int]] = {
    **{"present": (1, 1), "absent": (1, 1), "rank": (1, 1), "abs": (1, 1), "min": (2, 16), "max": (2, 16)},
    **{"params": (0, 0), "flops": (0, 0), "memory": (0, 0)},
}
QUANTIFIERS: dict[str, tuple[int, int]] = {"count": (1, 2), "sum": (2, 2), "forall": (2, 2), "exists": (2, 2)}
_KEYWORDS = ("and", "or", "not", "in", "true", "false")
_WORD = r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*"
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    rf"|(?P<keyword>(?:{'|'.join(_KEYWORDS)})(?![A-Za-z0-9_.]|-[A-Za-z0-9_]))"
    rf"|(?P<word>{_WORD}(?:\.(?:{_WORD}|[0-9]+)|\[(?:[0-9]+|{_WORD}>{_WORD})\]|\{{[^{{}}]*\}})*)"
    r"|(?P<sign>==|!=|<=|>=|[-+*/<>(),\[\]])"
)
_SPACE = re.compile(r"[ \t\r\n]*")


class ExpressionError(Exception):
    """A text is no expression; `message` is the rule, what was given and the way out, in one sentence.

    Where the way out is to write another path than `word`, the sentence still lacks it.
    """

    def __init__(self, message: str, word: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.word = word


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an expression: its kind (`number`, `text`, `keyword`, `word`, `sign`, `end`), text and place."""

    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        return "its end comes" if self.kind == "end" else f"{self.text!r} stands at character {self.at}"


def read_expression(text: str) -> Term:
    """The term that a text is.

    Raises:
        ExpressionError: the text is no expression, or is too long or too deep.

    """
    if len(text) > MAX_CHARACTERS:
        rule = f"an expression has at most {MAX_CHARACTERS:,} characters, but this one has {len(text):,}"
        raise ExpressionError(f"{rule}; split it into several constraints")
    return _Reader(_tokens(text)).whole()


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    position = _SPACE.match(text).end()  # type: ignore[union-attr]
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            rule = f"an expression has words, numbers, texts and signs, but {text[position]!r} stands at character"
            raise ExpressionError(f"{rule} {position + 1}; take it away, or put a text in quotes")
        found.append(Token(str(match.lastgroup), match[0], position + 1))
        position = _SPACE.match(text, match.end()).end()  # type: ignore[union-attr]
    return [*found, Token("end", "", len(text) + 1)]


class _Reader:
    """Reads tokens from the left; `at` is the number of the next one."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.next
        self.at += token.kind != "end"
        return token

    def sees(self, *texts: str) -> bool:
        """Whether the next token is one of these signs or keywords."""
        return self.next.kind in ("sign", "keyword") and self.next.text in texts

    def expect(self, sign: str, wanted: str) -> None:
        if not self.sees(sign):
            raise ExpressionError(f"{wanted}, but {self.next}; write `{sign}` there")
        self.take()

    def whole(self) -> Term:
        term = self.term(0)
        if self.next.kind != "end":
            rule = f"an expression ends where nothing joins what follows, but {self.next}"
            raise ExpressionError(f"{rule}; join it with an operator, such as `and`, or take it away")
        return term

    def term(self, least: int) -> Term:
        """A term whose operators bind at least so tightly."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            rule = f"an expression nests at most {MAX_DEPTH} deep, but this one goes deeper at character {self.next.at}"
            raise ExpressionError(f"{rule}; split it into several constraints")
        left = self.operand()
        # Each turn of this loop makes the term one deeper on its left, so turns count towards the bound.
        turns = 0
        while self.sees(*PRECEDENCE) and not self.sees("not") and PRECEDENCE[self.next.text] >= least:
            left = self.joined(left, self.take())
            turns += 1
            self.depth += 1
            if self.depth > MAX_DEPTH:
                rule = f"an expression nests at most {MAX_DEPTH} deep, but this one goes deeper"
                raise ExpressionError(f"{rule} at character {self.next.at}; split it into several constraints")
        self.depth -= 1 + turns
        return left

    def joined(self, left: Term, sign: Token) -> Term:
        """The term that an operator makes of the term before it and what follows."""
        tight = PRECEDENCE[sign.text]
        if sign.text in ("and", "or"):
            operands = [left, self.term(tight + 1)]
            while self.sees(sign.text):
                self.take()
                operands.append(self.term(tight + 1))
            return Several(sign.text, tuple(operands), sign.at)
        joined: Term
        if sign.text == "in":
            self.expect("[", "`in` is followed by a list")
            joined = Among(left, self.listed("]", "a list of options"), sign.at)
        else:
            joined = Binary(sign.text, left, self.term(tight + 1), sign.at)
        if tight == PRECEDENCE["=="] and self.sees(*PRECEDENCE) and PRECEDENCE[self.next.text] == tight:
            rule = f"comparisons are not chained, but {self.next} after another one"
            raise ExpressionError(f"{rule}; write `a < b and b < c`")
        return joined

    def operand(self) -> Term:
        token = self.take()
        if token.kind == "number":
            value = float(token.text) if set(token.text) & set(".eE") else int(token.text)
            if len(token.text) > 40 or not math.isfinite(value):
                rule = f"a number has at most 40 digits and is finite, but {token}"
                raise ExpressionError(f"{rule}; write a smaller one")
            return Literal(value, token.at)
        if token.kind == "text":
            return Literal(token.text[1:-1], token.at)
        if token.kind == "word":
            return self.call(token) if self.sees("(") else Name(token.text, token.at)
        match token.text:
            case "true" | "false":
                return Literal(token.text == "true", token.at)
            case "not":
                return Unary("not", self.term(PRECEDENCE["not"]), token.at)
            case "-":
                return Unary("-", self.term(UNARY_MINUS), token.at)
            case "(":
                term = self.term(0)
                self.expect(")", f"the parenthesis of character {token.at} is closed")
                return term
        wanted = "a value stands here: a number, a word, a path, a function or `(`"
        raise ExpressionError(f"{wanted}, but {token}; write one there, or put a text in quotes")

    def call(self, name: Token) -> Term:
        self.take()
        known = FUNCTIONS | QUANTIFIERS
        if name.text not in known:
            rule = f"there is no function {name.text!r} (character {name.at})"
            raise ExpressionError(f"{rule}; {did_you_mean(name.text, known)}")
        arguments = () if self.sees(")") else self.listed(")", f"the arguments of {name.text}")
        if not arguments:
            self.expect(")", f"the arguments of {name.text} end with a parenthesis")
        fewest, most = known[name.text]
        if not fewest <= len(arguments) <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            rule = f"`{name.text}` takes {wanted} arguments, but {len(arguments)} stand at character {name.at}"
            raise ExpressionError(f"{rule}; give it {wanted}")
        if name.text not in QUANTIFIERS:
            return Call(name.text, arguments, name.at)
        over, *body = arguments
        if not (isinstance(over, Name) and over.text in COLLECTIONS):
            given = f"`{written(over)}` stands at character {over.at}"
            raise ExpressionError(f"`{name.text}` runs over {', '.join(COLLECTIONS)}, but {given}; choose one")
        return Over(name.text, over.text, body[0] if body else None, name.at)

    def listed(self, close: str, what: str) -> tuple[Term, ...]:
        items = [self.term(0)]
        while self.sees(","):
            self.take()
            items.append(self.term(0))
        self.expect(close, f"{what} ends with a bracket")
        return tuple(items)
