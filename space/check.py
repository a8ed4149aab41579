"""The check of a tree against the forms of `space.model`: every broken rule is told.

A hole is right where every value that it may become is right.
"""

from __future__ import annotations

from space.errors import Problems, did_you_mean, nearest
from space.forms import (
    NAME_RULE,
    Flag,
    Form,
    Identifier,
    Integer,
    Items,
    Named,
    Number,
    Operation,
    Optional,
    Record,
    Variant,
    Word,
    fields,
    is_name,
)
from space.holes import is_broken
from space.tree import (
    ABSENT,
    Choice,
    Hole,
    Integers,
    Mapping,
    Node,
    Reals,
    Scalar,
    Sequence,
    When,
    join,
    number,
    shown,
)


def check(form: Form, node: Node, path: str, problems: Problems) -> None:
    """Note every rule of the form that the tree breaks, at every value that its holes may take."""
    match node:
        case Hole(place=place, domain=Choice(branches=branches)):
            for branch in branches:
                check(form, branch, place, problems)
        case Hole(place=place, domain=Integers(low=low, high=high) | Reals(low=low, high=high), mark=mark):
            broken = Problems()
            for bound in (low, high):
                if not broken.found:  # the rule that one bound breaks is not told of the other
                    check(form, Scalar(bound, mark), place, broken)
            problems.found += broken.found
        case When(body=body, mark=mark):
            check(form, body, path, problems)
            absent = Problems()
            check(form, Scalar(ABSENT, mark), path, absent)
            if absent.found:
                rule = "where its condition does not hold, a value with `when` is `none`, but `none` cannot stand here"
                problems.add(mark, path, f"{rule}; put the `when` on the mapping around it, or make it a `choice`")
        case _:
            _check_closed(form, node, path, problems)


def _check_closed(form: Form, node: Node, path: str, problems: Problems) -> None:
    match form:
        case Integer() | Number() | Flag() | Word() | Identifier():
            if rule := _broken_rule(form, node):
                problems.add(node.mark, path, rule)
        case Optional(inner, word):
            if not (isinstance(node, Scalar) and node.value == word):
                check(inner, node, path, problems)
        case Items(inner):
            _check_items(inner, node, path, problems)
        case Record(cls):
            _check_record(cls, node, path, problems)
        case Named(cls):
            _check_named(cls, node, path, problems)
        case Variant(cases):
            case_cls = _variant(dict(cases), node, path, problems)
            if case_cls is not None:
                _check_record(case_cls, node, path, problems, beside=("type",))
        case Operation():
            _check_operation(form, node, path, problems)


def _broken_rule(form: Integer | Number | Flag | Word | Identifier, node: Node) -> str | None:
    value = node.value if isinstance(node, Scalar) else None
    given = f"but {shown(node)} was given"
    match form:
        case Integer(low, high):
            if type(value) is int and low <= value <= high:
                return None
            if low == high:
                return f"this is always {low}, {given}; write {low}"
            return f"this is a whole number from {low:,} to {high:,}, {given}; give one in that range"
        case Number(low, high, above):
            real = number(node)
            if real is not None and low <= real <= high and not (above and real == low):
                return None
            bounds = f"above {low:g} and at most {high:g}" if above else f"from {low:g} to {high:g}"
            return f"this is a number {bounds}, {given}; give one in that range"
        case Flag():
            return None if isinstance(value, bool) else f"this is true or false, {given}; choose one"
        case Word(options):
            if isinstance(value, str) and value in options:
                return None
            return f"this is {_one_of(options)}, {given}; {_way_out(value, options)}"
        case Identifier():
            return None if is_name(value) else f"{NAME_RULE}, {given}; choose another"


def _one_of(options: tuple[str, ...]) -> str:
    return f"one of {', '.join(options)}" if len(options) > 1 else options[0]


def _way_out(value: object, options: tuple[str, ...]) -> str:
    if nearest(str(value), options):
        return did_you_mean(str(value), options)
    return "choose one" if len(options) > 1 else f"write {options[0]}"


def _check_items(form: Form, node: Node, path: str, problems: Problems) -> None:
    if not isinstance(node, Sequence):
        rule = f"this is a list, but {shown(node)} was given; write `[a, b]`, or a line `- a` for each item"
        problems.add(node.mark, path, rule)
        return
    for position, item in enumerate(node.items):
        check(Optional(form) if isinstance(item, Hole | When) else form, item, f"{path}[{position}]", problems)


def _check_record(cls: type, node: Node, path: str, problems: Problems, beside: tuple[str, ...] = ()) -> None:
    known = {field.key: field for field in fields(cls)}
    if not isinstance(node, Mapping):
        rule = f"this is a mapping with the keys {', '.join((*beside, *known))}, but {shown(node)} was given"
        problems.add(node.mark, path, f"{rule}; write `{{key: value}}`")
        return
    meant = set(node.entries)
    for key, child in node.entries.items():
        if key in known:
            check(known[key].form, child, join(path, key), problems)
        elif key not in beside:
            meant.add(nearest(key, (*beside, *known)) or key)
            way_out = did_you_mean(key, (*beside, *known))
            problems.add(node.key_marks[key], join(path, key), f"{shown(key)} is not a key here; {way_out}")
    for field in known.values():
        if field.required and field.key not in meant:
            problems.add(node.mark, path, f"the key `{field.key}` is missing; add `{field.key}: …`")


def _check_named(cls: type, node: Node, path: str, problems: Problems) -> None:
    if not isinstance(node, Mapping) or not node.entries:
        given = shown(node) if not isinstance(node, Mapping) else "an empty one"
        rule = f"this is a mapping of at least one name to its keys, but {given} was given"
        problems.add(node.mark, path, f"{rule}; write `{{a_name: {{key: value}}}}`")
        return
    for name, child in node.entries.items():
        check(Identifier(), Scalar(name, node.key_marks[name]), join(path, name), problems)
        check(Record(cls), child, join(path, name), problems)


def _variant(cases: dict[str, type], node: Node, path: str, problems: Problems) -> type | None:
    if not isinstance(node, Mapping):
        rule = f"this is a mapping with the key `type`, but {shown(node)} was given"
        problems.add(node.mark, path, f"{rule}; write `{{type: {next(iter(cases))}}}`")
        return None
    tag = node.entries.get("type")
    match tag:
        case None:
            rule = f"the key `type` is missing; add `type: …`, which is {_one_of(tuple(cases))}"
            problems.add(node.mark, path, rule)
        case Hole() | When() if is_broken(tag):
            pass
        case Hole(mark=mark) | When(mark=mark):
            rule = "`type` decides which keys stand beside it, but a hole was given; make the whole mapping a `choice`"
            problems.add(mark, join(path, "type"), rule)
        case Scalar(value=str(word)) if word in cases:
            return cases[word]
        case _:
            problems.add(tag.mark, join(path, "type"), str(_broken_rule(Word(tuple(cases)), tag)))
    return None


def _check_operation(form: Operation, node: Node, path: str, problems: Problems) -> None:
    cases = dict(form.cases)
    known = (*form.words, *cases)
    match node:
        case Scalar(value=str(word)) if word in form.words:
            return
        case Scalar(value=str(word)) if word in cases:
            rule = f"the operation `{word}` has keys, but it stands alone; write `{word}: {{…}}`"
        case Mapping(entries=entries, key_marks=key_marks) if len(entries) == 1:
            ((name, body),) = entries.items()
            if name in cases:
                check(cases[name], body, join(path, name), problems)
                return
            rule = f"there is no operation {shown(name)} with keys; {did_you_mean(name, known)}"
            problems.add(key_marks[name], path, rule)
            return
        case Mapping(entries=entries) if entries:
            rule = f"an operation is a word or a mapping with one key, but this has {', '.join(map(shown, entries))}"
            rule = f"{rule}; make each an item of its own"
        case _:
            word = str(node.value) if isinstance(node, Scalar) else ""
            rule = f"there is no operation {shown(node)}; {did_you_mean(word, known)}"
    problems.add(node.mark, path, rule)
