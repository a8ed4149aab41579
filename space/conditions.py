"""Reads the conditions of a document: each once, with every name in it located, and what is wrong with it told.

A condition is bound when it is met, to what the walk has met by then; so it speaks of earlier decisions alone, and no
decision can depend on itself. What its unknown names may be is told at the end, when all names are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from space.allowance import Allowance
from space.errors import Mark, Problems
from space.expression_reader import ExpressionError, read_expression
from space.expression_types import check_types
from space.expressions import Expression, cost
from space.names import Names, Scope, Unfound, bind
from space.terms import Call, Over, Reference, Term, terms, weight
from space.tree import Node, Scalar, shown

MAX_DEPTH = 32
_LEVELS_AT_ONCE = 8
MEASURES = ("params", "flops", "memory")


@dataclass(frozen=True, slots=True)
class _Pending:
    """A condition that was read, whose check waits for the end."""

    expression: Expression
    path: str
    scope: Scope
    unfound: tuple[Unfound, ...]


class Conditions:
    """Reads conditions; `finish` tells what can only be told at the end."""

    def __init__(self, names: Names, allowance: Allowance, problems: Problems) -> None:
        self.names = names
        self.allowance = allowance
        self.problems = problems
        self.read_terms: dict[str, Term] = {}
        self.pending: list[_Pending] = []

    def read(self, node: Node, path: str, scope: Scope, *, built: bool = False) -> Expression | None:
        """The condition that a scalar holds, or None when it holds none, which is told.

        Arguments:
            node: the scalar.
            path: where the condition stands, for errors.
            scope: what names mean there.
            built: whether it may ask what is known of a whole architecture alone, such as its parameters.

        """
        text = node.value if isinstance(node, Scalar) else None
        if not isinstance(text, str):
            rule = f"a condition is a text, but {shown(node)} was given"
            self.problems.add(node.mark, path, f'{rule}; write one in quotes, such as "present(hidden)"')
            return None
        try:
            if text not in self.read_terms:
                self.read_terms[text] = read_expression(text)
            term = self.read_terms[text]
            if not built and (asked := is_built(term)):
                rule = f"`{asked}` is known of a whole architecture alone, but it stands in {text!r}"
                raise ExpressionError(f"{rule}; ask it in `constraints`")
        except ExpressionError as error:
            self.problems.add(node.mark, path, error.message)
            return None
        # Each name is looked for at every level around the condition.
        self.allowance.spend(weight(term) * (1 + scope.around.count(".") // _LEVELS_AT_ONCE), node.mark)
        unfound: list[Unfound] = []
        expression = Expression(text, bind(term, self.names, scope, unfound), self.names.ranks, node.mark)
        self.allowance.spend(cost(expression), node.mark)
        if expression.depth > MAX_DEPTH:
            rule = f"at most {MAX_DEPTH} conditions rest on one another, but this one rests on more"
            self.problems.add(node.mark, path, f"{rule}; ask the first decisions themselves")
            return None
        self.pending.append(_Pending(expression, path, scope, tuple(unfound)))
        return expression

    def is_right(self, expression: Expression) -> bool:
        """Whether an expression that was just read can mean something; what is wrong is told at the end."""
        unfound = next(each.unfound for each in self.pending if each.expression is expression)
        try:
            check_types(expression.term, self.names.ranks)
        except ExpressionError:
            return False
        return not any(each.wants_path for each in unfound)

    def finish(self) -> None:
        """Tell what the names of conditions cannot be, and what their parts cannot mean."""
        told: set[tuple[Mark, str]] = set()
        for each in self.pending:
            mark, around = each.expression.mark, each.scope.around
            rules = [broken for name in each.unfound if (broken := self._rule(name, around))]
            if not rules:
                rules = [(rule, None) for rule in self._late(each)]
            if not rules:
                try:
                    check_types(each.expression.term, self.names.ranks)
                except ExpressionError as error:
                    rules = [(error.message, error.word)]
            for rule, word in rules:
                if (mark, rule) not in told:  # each edge of a rule breaks it; the first one's way out is told
                    told.add((mark, rule))
                    way_out = f"; {self.names.nearest(word, around)}" if word else ""
                    self.problems.add(mark, each.path, rule + way_out)
        self.pending.clear()

    def _late(self, pending: _Pending) -> Iterator[str]:
        """A decision that a condition finds absent, and that is then made after all, would be there and not there."""
        for term in terms(pending.expression.term):
            if isinstance(term, Reference) and self.names.may_come_first(term, pending.scope):
                rule = f"a condition speaks of what comes before it, but `{term.text}` (character {term.at}) is shared,"
                yield f"{rule} and may be met after it alone; move the condition below all that names the shared value"

    def _rule(self, unfound: Unfound, around: str) -> tuple[str, str | None] | None:
        """The rule that a name breaks, and the word for which another is to be proposed."""
        name = unfound.name
        if self.names.comes_later(unfound, around):
            rule = f"a condition speaks of what comes before it, but `{name.text}` (character {name.at}) comes later"
            return f"{rule}; move it up, turn the condition around, or quote it if it is a word", None
        if not unfound.wants_path:
            return None
        rule = f"a condition speaks of values of the space, but nothing stands at `{name.text}` (character {name.at})"
        return rule, name.text


def is_built(term: Term) -> str | None:
    """The function by which a term asks something of a whole architecture, if it does."""
    for each in terms(term):
        if isinstance(each, Over) or (isinstance(each, Call) and each.function in MEASURES):
            return each.function
    return None
