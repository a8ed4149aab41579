"""Long-range edges by rule: one optional edge for each pair of areas; feedback runs downwards, skips upwards."""

from __future__ import annotations

from space.conditions import Conditions
from space.edge_ends import EdgeEnds, Ends
from space.errors import Mark, Problems, did_you_mean
from space.expressions import Expression, World, cost
from space.holes import WHEN, is_broken, is_hole
from space.names import LET, Scope
from space.place import Guard, Place, Walk
from space.tree import ABSENT, Choice, Hole, Mapping, Node, Scalar, Sequence, When, join, shown

FEEDBACK, SKIP = "edges.feedback", "edges.skip"
RULES = (FEEDBACK, SKIP)
INCLUDE = "include"
_ASKED_AT_ONCE = 16  # parts of `where`, which cost as much as one value of a space
_KEYS = ("candidates", "each", "all")
_NO_PAIR = {
    FEEDBACK: "feedback runs from a higher area to a lower one, but no such pair is among the candidates; "
    "name higher areas in `from` or lower ones in `to`",
    SKIP: "a skip runs from a lower area to one more than a step above it, but no such pair is among the candidates; "
    "name lower areas in `from` or higher ones in `to`",
}


class EdgeRule:
    """Unfolds a rule into a list of edges.

    Arguments:
        ranks: area → rank, of the areas that edges may join.
        walk: unfolds the values of an edge.
        conditions: reads the conditions of a rule.
        problems: where broken rules go.

    """

    def __init__(self, ranks: dict[str, int], walk: Walk, conditions: Conditions, problems: Problems) -> None:
        self.ranks = ranks
        self.walk = walk
        self.conditions = conditions
        self.problems = problems
        self.ends = EdgeEnds(ranks, problems)
        self.lets: dict[str, Node] = {}

    def unfold(self, node: Mapping, place: Place) -> Sequence:
        """The list of edges that a rule stands for; what `each` holds is decided per edge, what `all` holds once."""
        for key in node.entries:
            if key not in _KEYS:
                rule = f"a rule for edges has no key {shown(key)}; {did_you_mean(key, _KEYS)}"
                self.problems.add(node.key_marks[key], join(place.path, key), rule)
        ends = self.ends.read(node.entries["candidates"], place.at("candidates"))
        where = self._where(ends, place)
        if where is not None:
            self.conditions.allowance.spend(len(ends.pairs) * cost(where) // _ASKED_AT_ONCE, where.mark)
        pairs = [pair for pair in ends.pairs if self._may_join(place.path, pair[0][0], pair[1][0], where)]
        told = where is not None and (where.decisions or not self.conditions.is_right(where))
        if ends.pairs and not pairs and not told:
            self.problems.add(node.mark, place.path, self._no_pair(place.path, where))
        return Sequence(tuple(self._edge(node, place, *source, *target) for source, target in pairs), node.mark)

    def _where(self, ends: Ends, place: Place) -> Expression | None:
        """The condition that picks pairs, which speaks of no decision: there is one list of edges in a space."""
        if ends.where is None:
            return None
        path = place.at("candidates").at("where").path
        where = self.conditions.read(ends.where, path, Scope("", bound=("from", "to")))
        if where is not None and where.decisions:
            rule = f"`where` picks pairs of areas before anything is decided, but it asks {min(where.decisions)!r}"
            self.problems.add(where.mark, path, f'{rule}; ask it of each edge: `include: "…"`')
        return where

    def _may_join(self, path: str, source: str, target: str, where: Expression | None) -> bool:
        rise = self.ranks[target] - self.ranks[source]
        if not (rise < 0 if path == FEEDBACK else rise > 1):
            return False
        return where is None or where.holds_in(World(ranks=self.ranks, bound={"from": source, "to": target}))

    def _no_pair(self, path: str, where: Expression | None) -> str:
        if where is None:
            return _NO_PAIR[path]
        return f"`where` is met by at least one pair of areas, but {where.text!r} is met by none; loosen it"

    def _edge(self, node: Mapping, place: Place, source: str, from_: Mark, target: str, to: Mark) -> Node:
        here = place.item(f"{source}>{target}")
        each = _Parts(node.entries.get("each"))
        if LET in each.first:
            self._let(each.first[LET], here, place)
        include = self._include(each.first.get(INCLUDE), here, source, target)
        inside = here.under(guard) if (guard := _guard(include)) else here
        # Walked, not just made, so that the edges count towards what a space may unfold into.
        entries: dict[str, Node] = {
            "from": self.walk(Scalar(source, from_), inside.at("from")),
            "to": self.walk(Scalar(target, to), inside.at("to")),
        }
        marks = {"from": from_, "to": to}
        if each.first:
            marks |= {key: mark for key, mark in each.marks.items() if key == INCLUDE}
        common = place.under(guard) if guard else place
        for part, value, where in (("all", node.entries.get("all"), common), ("each", each.rest, inside)):
            unfolded = self._part(part, value, where, node.mark)
            for key, child in unfolded.entries.items():
                if key in entries or (key == INCLUDE and include is not None):
                    rule = f"a key of an edge is decided in one place, but {shown(key)} stands at {marks[key]} too"
                    self.problems.add(unfolded.key_marks[key], here.at(key).path, f"{rule}; take one away")
                entries[key] = child
                marks[key] = unfolded.key_marks[key]
        late = entries.pop(INCLUDE, None)  # one that stands in `all`, or in a template
        if include is None and late is not None:
            include = self._read_include(late, here, source, target)
        marks.pop(INCLUDE, None)
        edge = Mapping(entries, marks, node.mark)
        return edge if include is None else self._optional(edge, include, here)

    def _let(self, node: Node, here: Place, rule_place: Place) -> None:
        """Note decisions that stand in no field of an edge; they are made before all that may ask them."""
        place = here.at(LET)
        if not isinstance(node, Mapping) or is_hole(node):
            rule = f"`let` maps names to values, but got {shown(node)}; write `let: {{a_name: …}}`"
            self.problems.add(node.mark, place.path, rule)
        elif rule_place.guards:
            rule = "`let` is decided before all else, but this one stands in a choice; move it to a `let` at the top"
            self.problems.add(node.mark, place.path, rule)
        else:
            self.lets[place.path] = self.walk(node, place)

    def _include(self, node: Node | None, here: Place, source: str, target: str) -> Node | Expression | None:
        if node is None:
            return None
        return self._read_include(self.walk(node, here.at(INCLUDE)), here, source, target)

    def _read_include(self, node: Node, here: Place, source: str, target: str) -> Node | Expression | None:
        """A hole as it is, a condition where a text is."""
        if not (isinstance(node, Scalar) and isinstance(node.value, str)):
            return node
        constants = {"from": source, "to": target}
        scope = Scope(here.path, constants=constants, guards=here.guards)
        return self.conditions.read(node, here.at(INCLUDE).path, scope)

    def _optional(self, edge: Mapping, include: Node | Expression, place: Place) -> Node:
        match include:
            case Expression(mark=mark):
                return When(include, edge, mark)
            case When(condition, body, mark):
                return When(condition, self._optional(edge, body, place), mark)
            case Hole(path=path, key=key, domain=Choice(labels=(True, False), weights=weights), mark=mark):
                domain = Choice((True, False), (edge, Scalar(ABSENT, mark)), weights)
                return Hole(path, key, place.path, domain, mark)
            case _ if is_broken(include):
                return edge
        rule = f"`include` is a `bool` hole or a condition, but {shown(include)} was given"
        way_out = "write `include: {bool: 0.5}`, or leave it out for edges that are always there"
        self.problems.add(include.mark, place.at(INCLUDE).path, f"{rule}; {way_out}")
        return edge

    def _part(self, key: str, part: Node | None, place: Place, mark: Mark) -> Mapping:
        if part is None:
            return Mapping({}, {}, mark)
        unfolded = self.walk(part, place)
        if isinstance(unfolded, Mapping):
            return unfolded
        if not is_broken(unfolded):
            rule = f"`{key}` maps an edge's keys to values, but got {shown(unfolded)}; write `{key}: {{via: […]}}`"
            self.problems.add(part.mark, join(place.path, key), rule)
        return Mapping({}, {}, mark)


class _Parts:
    """`each`, with what is decided before the edge taken out: its `let`, then its `include`."""

    def __init__(self, node: Node | None) -> None:
        self.rest = node
        self.first: dict[str, Node] = {}
        self.marks: dict[str, Mark] = {}
        if isinstance(node, Mapping) and not is_hole(node) and not {"use", "shared", WHEN} & set(node.entries):
            self.first = {key: node.entries[key] for key in (LET, INCLUDE) if key in node.entries}
            self.marks = {key: node.key_marks[key] for key in self.first}
            kept = {key: each for key, each in node.entries.items() if key not in self.first}
            self.rest = Mapping(kept, node.key_marks, node.mark)


def _guard(include: Node | Expression | None) -> Guard | None:
    """What must hold for the values of an edge to be there."""
    match include:
        case Expression():
            return include
        case (
            Hole(path=path, domain=Choice(labels=(True, False)))
            | When(body=Hole(path=path, domain=Choice(labels=(True, False))))
        ):
            return path, True
        case _:
            return None
