"""The language of conditions: what is read is what was written, and its value is Python's where Python has one."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.expression_reader import MAX_DEPTH, ExpressionError, read_expression
from space.expressions import World, evaluate
from space.terms import COLLECTIONS, Among, Binary, Bound, Call, Literal, Name, Over, Several, Unary, written

WORDS = st.sampled_from(["a", "conv8", "weight-decay", "local.hidden.channels", "edges.feedback[conv8>conv5].include"])
LEAVES = (
    st.integers(0, 10**6).map(lambda value: Literal(value, 0))
    | st.floats(0, 1e300, allow_nan=False).map(lambda value: Literal(value, 0))
    | st.booleans().map(lambda value: Literal(value, 0))
    | st.sampled_from(["none", "it's", "two words", ""]).map(lambda value: Literal(value, 0))
    | (WORDS | st.sampled_from(["kernel{odd}", "areas.V1.drive[0].conv", "from", "index", "or_not"])).map(
        lambda text: Name(text, 0)
    )
)
SIGNS = ("+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=")


def branches(inner):
    return (
        st.builds(Unary, st.sampled_from(["not", "-"]), inner, st.just(0))
        | st.builds(Binary, st.sampled_from(SIGNS), inner, inner, st.just(0))
        | st.builds(
            Several, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple), st.just(0)
        )
        | st.builds(Among, inner, st.lists(inner, min_size=1, max_size=3).map(tuple), st.just(0))
        | st.builds(Call, st.sampled_from(["present", "rank", "abs"]), st.tuples(inner), st.just(0))
        | st.builds(Call, st.sampled_from(["min", "max"]), st.tuples(inner, inner), st.just(0))
        | st.builds(Call, st.sampled_from(["params", "flops", "memory"]), st.just(()), st.just(0))
        | st.builds(Over, st.sampled_from(["sum", "forall", "exists"]), st.sampled_from(COLLECTIONS), inner, st.just(0))
        | st.builds(Over, st.just("count"), st.sampled_from(COLLECTIONS), st.none() | inner, st.just(0))
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.recursive(LEAVES, branches, max_leaves=8))
def test_what_is_written_reads_back_as_the_same_term(term):
    assert read_expression(written(term)) == term


NUMBERS = st.recursive(
    st.integers(0, 9).map(str),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map("-{}".format)
    ),
    max_leaves=5,
)
FLAGS = st.recursive(
    st.tuples(NUMBERS, st.sampled_from(SIGNS[4:]), NUMBERS).map(" ".join)
    | st.tuples(NUMBERS, st.lists(NUMBERS, min_size=1, max_size=3)).map(lambda t: f"{t[0]} in [{', '.join(t[1])}]"),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join)
        | inner.map("not ({})".format)
        | inner.map("({})".format)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(FLAGS)
def test_a_value_is_pythons(text):
    """Precedence, association and values: Python reads the same text."""
    assert evaluate(read_expression(text), World()) is eval(text)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.text(max_size=40) | st.text(alphabet="ab.[]>{}()+-*/<=!'\"0 ,andorti", max_size=40))
def test_any_text_is_read_or_refused_and_its_value_is_never_an_exception(text):
    try:
        term = read_expression(text)
    except ExpressionError as error:
        assert "; " in error.message
        return
    evaluate(term, World(ranks={"a": 0}))


def test_undefined_spreads_by_kleenes_logic():
    values = {"true": True, "false": False, "1 / 0 == 1": None}

    def worst(answers):  # the oracle: what both completions of an undefined answer agree on
        def agree(function):
            options = [(True, False) if each is None else (each,) for each in answers]
            results = {function(filled) for filled in itertools.product(*options)}
            return results.pop() if len(results) == 1 else None

        return agree

    for (a, x), (b, y) in itertools.product(values.items(), repeat=2):
        assert evaluate(read_expression(f"{a} and {b}"), World()) is worst((x, y))(all)
        assert evaluate(read_expression(f"{a} or {b}"), World()) is worst((x, y))(any)
    assert evaluate(read_expression("not (1 / 0 == 1)"), World()) is None


@pytest.mark.parametrize("text", ["1 / 0 > 0", "not (1 / 0 > 0)", "0 * (1 / 0) == 0", "1e308 * 10 > 0", "'a' < 3"])
def test_what_is_undefined_has_no_value(text):
    assert evaluate(read_expression(text), World()) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true == 1", False),
        ("none == 'none'", True),
        ("7 / 2 == 3.5", True),
        ("2 - 3 - 4 == -5", True),
        ("min(3, 2, 9) + max(1, 2) * abs(-3) == 8", True),
        ("rank(V4) - rank(V1) == 2", True),
        ("count(feedback) == 2 and count(feedback, from == V4) == 2", True),
        ("sum(feedback, rank(from) - rank(to)) == 3", True),
        ("forall(feedback, rank(to) < 1)", False),
        ("exists(feedback, to == V2) and not exists(skip, true) and forall(skip, false)", True),
        ("sum(feedback, 1 / rank(to)) > 0", None),
        ("params() == 12", True),
        ("count(areas) == 3", None),  # nothing is known of areas here
    ],
)
def test_functions(text, value):
    edges = ({"from": "V4", "to": "V1"}, {"from": "V4", "to": "V2"})
    world = World(
        ranks={"V1": 0, "V2": 1, "V4": 2}, collections={"feedback": edges, "skip": ()}, measure={"params": 12}.get
    )

    def bound(term):  # what binding does to the words of edges
        match term:
            case Name(text="from" | "to" as word):
                return Bound(word, 0)
            case Unary(operand=operand):
                return Unary(term.sign, bound(operand), 0)
            case Binary(left=left, right=right):
                return Binary(term.sign, bound(left), bound(right), 0)
            case Several(operands=operands):
                return Several(term.sign, tuple(map(bound, operands)), 0)
            case Call(arguments=arguments):
                return Call(term.function, tuple(map(bound, arguments)), 0)
            case Over(body=body):
                return Over(term.function, term.collection, body and bound(body), 0)
            case _:
                return term

    assert evaluate(bound(read_expression(text)), world) is value


def test_depth_is_bounded_whatever_makes_it():
    for text in ("(" * 99 + "1" + ")" * 99, "-" * 99 + "1", "not " * 99 + "true", "1" + " - 1" * 99):
        with pytest.raises(ExpressionError, match=f"nests at most {MAX_DEPTH} deep"):
            read_expression(text)
    assert len(read_expression(" or ".join(["a"] * 200)).operands) == 200  # a chain is flat
