"""The candidates of a rule for edges: two lists of areas, each pair of which may be joined, or the pairs themselves."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TypeAlias

from space.errors import Mark, Problems, did_you_mean
from space.place import Place
from space.tree import Mapping, Node, Scalar, Sequence, join, shown

ALL = "all"
_ENDS = ("from", "to")
_KEYS = (*_ENDS, "where")
MAX_PAIRS = 10_000
End: TypeAlias = tuple[str, Mark]


@dataclass(frozen=True, slots=True)
class Ends:
    """Pairs of areas, each with the place that names it, and the condition that picks among them, as written."""

    pairs: tuple[tuple[End, End], ...]
    where: Node | None = None


class EdgeEnds:
    """Reads candidates; `ranks` are the areas that edges may join."""

    def __init__(self, ranks: dict[str, int], problems: Problems) -> None:
        self.ranks = ranks
        self.problems = problems

    def read(self, node: Node, place: Place) -> Ends:
        """The candidates that a mapping or a list describes."""
        if isinstance(node, Sequence):
            if len(node.items) > MAX_PAIRS:
                rule = f"a rule for edges has at most {MAX_PAIRS:,} pairs of areas, but {len(node.items):,} are listed"
                self.problems.add(node.mark, place.path, f"{rule}; name areas in `from` and `to`")
                return Ends(())
            return Ends(tuple(pair for item in node.items if (pair := self._pair(item, place.path))))
        if not isinstance(node, Mapping):
            rule = f"`candidates` has `from` and `to`, each a list of areas, but got {shown(node)}; write both"
            self.problems.add(node.mark, place.path, rule)
            return Ends(())
        for key in node.entries:
            if key not in _KEYS:
                rule = f"`candidates` has `from`, `to` and `where`, but {shown(key)} was given"
                rule = f"{rule}; {did_you_mean(key, _KEYS)}"
                self.problems.add(node.key_marks[key], join(place.path, key), rule)
        sources, targets = (self._areas(node, end, place) for end in _ENDS)
        if len(sources) * len(targets) > MAX_PAIRS:
            rule = f"a rule for edges goes through at most {MAX_PAIRS:,} pairs of areas, but `from` and `to` make"
            rule = f"{rule} {len(sources) * len(targets):,}; name fewer areas, or list the pairs"
            self.problems.add(node.mark, place.path, rule)
            return Ends(())
        return Ends(tuple(itertools.product(sources.items(), targets.items())), node.entries.get("where"))

    def _areas(self, candidates: Mapping, end: str, place: Place) -> dict[str, Mark]:
        """The areas that one end of an edge may be, and where they are named."""
        names = candidates.entries.get(end)
        if isinstance(names, Scalar) and names.value == ALL:
            return dict.fromkeys(self.ranks, names.mark)
        if not isinstance(names, Sequence):
            rule = f"`{end}` lists areas, but got {shown(names) if names else 'nothing'}; write `{end}: [area, …]`"
            self.problems.add(names.mark if names else candidates.mark, join(place.path, end), rule)
            return {}
        found: dict[str, Mark] = {}
        for name in names.items:
            word = name.value if isinstance(name, Scalar) else None
            if self._is_area(word if isinstance(word, str) else "", name, join(place.path, end)):
                found[str(word)] = name.mark
        return found

    def _pair(self, node: Node, path: str) -> tuple[End, End] | None:
        """The pair that a text such as `V4>V1` names."""
        text = node.value if isinstance(node, Scalar) else None
        names = text.split(">") if isinstance(text, str) else []
        if len(names) != 2:
            rule = f"a candidate names two areas, but got {shown(node)}; write `higher>lower`, such as `V4>V1`"
            self.problems.add(node.mark, path, rule)
            return None
        source, target = (name.strip() for name in names)
        known = [self._is_area(name, Scalar(name, node.mark), path) for name in (source, target)]
        return ((source, node.mark), (target, node.mark)) if all(known) else None

    def _is_area(self, name: str, given: Node, path: str) -> bool:
        if name not in self.ranks:
            rule = f"an edge joins two areas, but there is no area {shown(given)}"
            self.problems.add(given.mark, path, f"{rule}; {did_you_mean(name, self.ranks)}")
        return name in self.ranks
