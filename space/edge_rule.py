"""Feedback edges by rule: one optional edge for each pair of a higher and a lower area."""

from __future__ import annotations

import itertools

from space.errors import Mark, Problems, did_you_mean
from space.holes import is_broken
from space.place import Place, Walk
from space.tree import ABSENT, Choice, Hole, Mapping, Node, Scalar, Sequence, join, shown

PATH = "edges.feedback"
_KEYS = ("candidates", "each", "all")
_ENDS = ("from", "to")


class EdgeRule:
    """Unfolds a rule into a list of edges; `areas` are the names that edges may join, in the order of their ranks."""

    def __init__(self, areas: list[str], walk: Walk, problems: Problems) -> None:
        self.ranks = {name: rank for rank, name in enumerate(areas)}
        self.walk = walk
        self.problems = problems

    def unfold(self, node: Mapping, place: Place) -> Sequence:
        """The list of edges that a rule stands for; what `each` holds is decided per edge, what `all` holds once."""
        for key in node.entries:
            if key not in _KEYS:
                rule = f"a rule for edges has no key {shown(key)}; {did_you_mean(key, _KEYS)}"
                self.problems.add(node.key_marks[key], join(place.path, key), rule)
        sources, targets = self._ends(node.entries["candidates"], place.at("candidates"))
        pairs = [
            (source, target)
            for source, target in itertools.product(sources.items(), targets.items())
            if self.ranks[source[0]] > self.ranks[target[0]]
        ]
        if sources and targets and not pairs:
            rule = "feedback runs from a higher area to a lower one, but no such pair is among the candidates"
            self.problems.add(node.mark, place.path, f"{rule}; name higher areas in `from` or lower ones in `to`")
        return Sequence(tuple(self._edge(node, place, *source, *target) for source, target in pairs), node.mark)

    def _edge(self, node: Mapping, place: Place, source: str, from_: Mark, target: str, to: Mark) -> Node:
        here = place.item(f"{source}>{target}")
        # Walked, not just made, so that the edges count towards what a space may unfold into.
        entries: dict[str, Node] = {
            "from": self.walk(Scalar(source, from_), here.at("from")),
            "to": self.walk(Scalar(target, to), here.at("to")),
        }
        marks = {"from": from_, "to": to}
        for part, inside in (("all", place), ("each", here)):
            unfolded = self._part(node, part, inside)
            for key, value in unfolded.entries.items():
                if key in entries:
                    rule = f"a key of an edge is decided in one place, but {shown(key)} stands at {marks[key]} too"
                    self.problems.add(unfolded.key_marks[key], here.at(key).path, f"{rule}; take one away")
                entries[key] = value
                marks[key] = unfolded.key_marks[key]
        include = entries.pop("include", None)
        edge = Mapping(entries, marks, node.mark)
        return edge if include is None else self._optional(edge, include, here)

    def _optional(self, edge: Mapping, include: Node, place: Place) -> Node:
        match include:
            case Hole(path=path, key=key, domain=Choice(labels=(True, False), weights=weights), mark=mark):
                domain = Choice((True, False), (edge, Scalar(ABSENT, mark)), weights)
                return Hole(path, key, place.path, domain, mark)
            case _ if is_broken(include):
                return edge
        rule = f"`include` is a `bool` hole, but {shown(include)} was given"
        way_out = "write `include: {bool: 0.5}`, or leave it out for edges that are always there"
        self.problems.add(include.mark, place.at("include").path, f"{rule}; {way_out}")
        return edge

    def _part(self, node: Mapping, key: str, place: Place) -> Mapping:
        part = node.entries.get(key)
        if part is None:
            return Mapping({}, {}, node.mark)
        unfolded = self.walk(part, place)
        if isinstance(unfolded, Mapping):
            return unfolded
        if not is_broken(unfolded):
            rule = f"`{key}` maps an edge's keys to values, but got {shown(unfolded)}; write `{key}: {{via: […]}}`"
            self.problems.add(part.mark, join(place.path, key), rule)
        return Mapping({}, {}, node.mark)

    def _ends(self, node: Node, place: Place) -> tuple[dict[str, Mark], dict[str, Mark]]:
        entries = node.entries if isinstance(node, Mapping) else {}
        if not isinstance(node, Mapping):
            rule = f"`candidates` has `from` and `to`, each a list of areas, but got {shown(node)}; write both"
            self.problems.add(node.mark, place.path, rule)
            return {}, {}
        for key in entries:
            if key not in _ENDS:
                rule = f"`candidates` has `from` and `to`, but {shown(key)} was given; {did_you_mean(key, _ENDS)}"
                self.problems.add(node.key_marks[key], join(place.path, key), rule)
        sources, targets = (self._areas(node, end, place) for end in _ENDS)
        return sources, targets

    def _areas(self, candidates: Mapping, end: str, place: Place) -> dict[str, Mark]:
        """The areas that one end of an edge may be, and where they are named."""
        names = candidates.entries.get(end)
        if not isinstance(names, Sequence):
            rule = f"`{end}` lists areas, but got {shown(names) if names else 'nothing'}; write `{end}: [area, …]`"
            self.problems.add(names.mark if names else candidates.mark, join(place.path, end), rule)
            return {}
        found: dict[str, Mark] = {}
        for name in names.items:
            if isinstance(name, Scalar) and isinstance(name.value, str) and name.value in self.ranks:
                found[name.value] = name.mark
            else:
                word = str(name.value) if isinstance(name, Scalar) else ""
                rule = f"an edge joins two areas, but there is no area {shown(name)}"
                self.problems.add(name.mark, join(place.path, end), f"{rule}; {did_you_mean(word, self.ranks)}")
        return found
