"""The number of ways to decide a tree, exactly, without going through them.

Decisions that have nothing to do with each other multiply, options of one decision add. What ties decisions together is
a *link*: a path that several of them may meet (a shared decision is taken once) or that a condition asks about. Tied
decisions are counted by fixing one link L at a time. With N(K) the number of ways that agree with what is known, K,

    N = N(L is not met) + Σ over values v of [N(L is v wherever it is met) - N(L is not met, but asked about as v)],

where the last term takes away what the one before it counts of ways in which L is never met. So the cost grows with the
links that are tied to each other, not with the number of candidates.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from space.links import Link, Links, children
from space.options import options
from space.tree import Choice, Domain, Hole, Integers, Node, Reals, Scalar, Value, When


@dataclass(frozen=True, slots=True)
class Known:
    """What is settled: values of decisions (as conditions see them), answers of conditions, and what is not met."""

    values: dict[Link, Value] = field(default_factory=dict)
    unmet: frozenset[Link] = frozenset()

    def met(self, link: Link, value: Value) -> Known:
        """The same, and the link has a value wherever it is met."""
        return Known({**self.values, link: value}, self.unmet)

    def not_met(self, link: Link) -> Known:
        """The same, and the link is nowhere met."""
        return Known(self.values, self.unmet | {link})

    def settles(self, link: Link) -> bool:
        """Whether the link is settled."""
        return link in self.values or link in self.unmet


_State: TypeAlias = tuple[frozenset[int], frozenset[tuple[Link, Value]], frozenset[Link]]


@dataclass(slots=True)
class _Item:
    """What is open: all holes of one path, or all `when` of one condition.

    Arguments:
        own: the link that settles it; None of a condition, which what it asks about settles.
        nodes: where it stands.
        meets: the links that it may meet.
        asks: the paths that conditions in it ask about.

    """

    own: Link | None
    nodes: list[Hole | When] = field(default_factory=list)
    meets: set[Link] = field(default_factory=set)
    asks: set[Link] = field(default_factory=set)


class _UnmetError(Exception):
    """What must not be met is met."""


class Ways:
    """Counts the ways of a tree; `is_exact` until the answer of a condition was guessed: then either was counted."""

    def __init__(self, tree: Node) -> None:
        self.is_exact = True
        self._links = Links(tree)
        self._counted: dict[_State, int] = {}

    def number(self, nodes: Iterable[Node], known: Known) -> int:
        """The number of ways to decide all that the nodes meet."""
        try:
            items = self._items(nodes, known)
        except _UnmetError:
            return 0
        product = 1
        for component in _components(items):
            product *= self._component(component, known)
            if product == 0:
                break
        return product

    def _component(self, items: list[_Item], known: Known) -> int:
        """The number of ways of items tied to each other; it is kept for each state of what concerns them."""
        nodes = [node for item in items for node in item.nodes]
        touched = [self._links.touched(node) for node in nodes]
        concerned = frozenset[Link]().union(*(meets | asks for meets, asks in touched))
        values = frozenset((link, value) for link, value in known.values.items() if link in concerned)
        state = (frozenset(map(id, nodes)), values, known.unmet & concerned)
        if state not in self._counted:
            self._counted[state] = self._fixed(items, nodes, known)
        return self._counted[state]

    def _fixed(self, items: list[_Item], nodes: list[Hole | When], known: Known) -> int:
        """The number of ways by fixing one link."""
        link = _tying(items)
        is_asked = any(link in item.asks for item in items)
        if isinstance(link, str):
            values = _values(list(self._links.domains(link, nodes)), apart=is_asked)
        else:
            self.is_exact = False
            values = [(True, 1), (False, 1)]
        if any(link == item.own for item in items):  # it is met for certain
            return sum(times * self.number(nodes, known.met(link, value)) for value, times in values)
        never = total = self.number(nodes, known.not_met(link))
        for value, times in values:
            met = known.met(link, value)
            # Where nothing asks about it, what it would have been makes no difference to the ways without it.
            without = self.number(nodes, met.not_met(link)) if is_asked else never
            total += times * (self.number(nodes, met) - without)
        return total

    def _items(self, nodes: Iterable[Node], known: Known) -> list[_Item]:
        """What is open once all that is known is followed.

        Raises:
            _UnmetError: the nodes meet what must not be met.

        """
        items: dict[Link, _Item] = {}
        asking: list[When] = []
        waiting = list(nodes)
        is_settled = False
        while not is_settled:
            for each in [each for node in waiting for each in self._open(node, known)]:
                own = each.path if isinstance(each, Hole) else self._links.guess(each.condition)
                if isinstance(each, When) and own is None:
                    asking.append(each)
                elif own is not None:
                    self._note(items.setdefault(own, _Item(own)), each, known)
            # A decision that nothing open may meet is absent, so that a condition on it is answered.
            reached = {link for item in items.values() for link in item.meets}
            reached |= {link for each in asking for link in self._links.touched(each).meets if not known.settles(link)}
            answered = [each for each in asking if reached.isdisjoint(each.condition.decisions)]
            asking = [each for each in asking if not reached.isdisjoint(each.condition.decisions)]
            values = {link: value for link, value in known.values.items() if isinstance(link, str)}
            waiting = [each.body for each in answered if each.condition.holds(values)]
            is_settled = not answered
        found = [*items.values(), *(self._note(_Item(None), each, known) for each in asking)]
        for item in found:
            item.asks &= reached
        return found

    def _note(self, item: _Item, node: Hole | When, known: Known) -> _Item:
        touched = self._links.touched(node)
        item.nodes.append(node)
        item.meets |= {link for link in touched.meets if not known.settles(link)}
        item.asks |= touched.asks
        return item

    def _open(self, node: Node, known: Known) -> Iterator[Hole | When]:
        """The holes and conditions at which what is known does not lead on.

        Raises:
            _UnmetError: the node meets what must not be met.

        """
        match node:
            case Hole(path=path, domain=domain):
                value = known.values.get(path)
                if path in known.unmet or not (value is None or domain.holds(value)):
                    raise _UnmetError
                if value is not None and isinstance(domain, Choice):
                    yield from self._open(domain.branches[domain.labels.index(value)], known)
                elif value is None and options(domain) is not None:
                    yield node
            case When(condition=condition, body=body):
                guess = self._links.guess(condition)
                if guess in known.unmet:
                    raise _UnmetError
                if guess is None or guess not in known.values:
                    yield node
                elif known.values[guess]:
                    yield from self._open(body, known)
            case Scalar():
                return
            case _:
                for child in children(node):
                    yield from self._open(child, known)


def _components(items: list[_Item]) -> list[list[_Item]]:
    """The items, apart where no link ties them to each other."""
    components: list[tuple[set[Link], list[_Item]]] = []
    for item in items:
        links, together = item.meets | item.asks, [item]
        apart = []
        for component in components:
            if component[0].isdisjoint(links):
                apart.append(component)
            else:
                links, together = links | component[0], component[1] + together
        components = [*apart, (links, together)]
    return [together for _, together in components]


def _tying(items: list[_Item]) -> Link:
    """The link to fix next.

    Best is one that is met for certain. One that a single item may meet, and others ask about, waits until the item's
    own link is fixed. So the ways without a link are counted only where several may meet it.
    """
    if len(items) == 1:
        return items[0].own if items[0].own is not None else next(iter(items[0].asks))
    ties = Counter(link for item in items for link in item.meets | item.asks)
    certain = [item.own for item in items if item.own is not None and ties[item.own] > 1]
    if certain:
        return max(certain, key=ties.__getitem__)
    tied = max(ties, key=ties.__getitem__)
    meeting = [item for item in items if tied in item.meets]
    alone = meeting[0].own if len(meeting) == 1 else None
    return tied if alone is None else alone


def _values(domains: list[Domain], *, apart: bool) -> list[tuple[Value, int]]:
    """Values that some domain holds, each with the number of values that it stands for.

    Unless they are to be kept `apart`, a whole number stands for all of a range that the same domains hold.
    """
    found: dict[tuple[type, Value], int] = {}
    choices = [domain for domain in domains if isinstance(domain, Choice)]
    starts = {label + step for domain in choices for label in domain.labels if type(label) is int for step in (0, 1)}
    for domain in domains:
        if isinstance(domain, Integers):
            starts |= set(range(domain.low, domain.high + 2)) if apart else {domain.low, domain.high + 1}
    for low, high in itertools.pairwise(sorted(starts)):
        if any(domain.holds(low) for domain in domains):
            found[int, low] = high - low
    steps = [domain for domain in domains if isinstance(domain, Reals)]
    if len(set(steps)) == 1 and not apart:
        found[float, steps[0].low] = options(steps[0]) or 1
    else:
        found |= {(float, domain.point(i)): 1 for domain in steps for i in range(domain.points or 0)}
    found |= {(type(label), label): 1 for domain in choices for label in domain.labels if type(label) is not int}
    return [(value, times) for (_, value), times in found.items()]
