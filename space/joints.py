"""From the edges of an architecture to wires: which areas they join, where they enter, and when."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from space.errors import did_you_mean
from space.model import IMAGE as IMAGE_NAME
from space.model import Architecture, FeedbackEdge, ForwardEdge
from space.wiring import IMAGE, Wire

Refuse = Callable[[str, str, str], None]
_FAR = 10**9


@dataclass(frozen=True, slots=True)
class Joint:
    """An edge of a file and the wire that it is.

    Arguments:
        edge: as it stands there.
        kind: the list that it stands in.
        name: its ends; of several with the same ends, later ones have a number.
        path: where it stands; `named` is how errors tell it.

    """

    edge: FeedbackEdge | ForwardEdge
    kind: str
    name: str
    path: str
    named: str
    wire: Wire


def joints(architecture: Architecture, refuse: Refuse) -> tuple[Joint, ...]:
    """All edges of an architecture, forward ones first; `refuse` takes a path, what is wrong, and the path to tell."""
    ranks = {area.name: rank for rank, area in enumerate(architecture.areas)}
    if IMAGE_NAME in ranks:
        rule = f"edges name the image {IMAGE_NAME!r}, but an area has this name; give it another one"
        refuse(f"areas.{IMAGE_NAME}", rule, "")
    found: dict[str, Joint] = {}
    joined: dict[str, list[str]] = {}  # the lists that edges of these ends stand in
    for kind, path, edge in _listed(architecture):
        named = (
            f"edges.{kind}[{edge.name}]" if kind != "forward" or architecture.edges.forward else f"areas.{edge.target}"
        )
        known = {**ranks, IMAGE_NAME: IMAGE} if kind == "forward" else ranks
        unknown = [
            (key, name, names)
            for key, name, names in (("from", edge.source, known), ("to", edge.target, ranks))
            if name not in names
        ]
        for key, name, names in unknown:
            rule = f"an edge joins two areas, but there is no area {name!r}; {did_you_mean(name, names)}"
            refuse(f"{path}.{key}", rule, f"{named}.{key}")
        if unknown:
            continue
        source, target = known[edge.source], ranks[edge.target]
        if broken := _broken(kind, source, target, edge.name):
            refuse(path, broken, named)
            continue
        if edge.active.last is not None and edge.active.last < edge.active.first:
            rule = f"an edge is active from its first step to its last, but {edge.name} from {edge.active.first}"
            rule = f"{rule} to {edge.active.last}; swap them, or take the edge away"
            refuse(f"{path}.active", rule, f"{named}.active")
        others = joined.setdefault(edge.name, [])
        if others and kind in ("feedback", "skip"):
            if kind in others:
                rule = f"two areas are joined by one {kind} edge, but {edge.name} stands twice; take one away"
            else:  # only a forward edge has the ends of a skip
                rule = f"a skip joins areas that no forward edge joins, but {edge.name} stands in `forward` too"
                rule = f"{rule}; write this one there, with `enters: {edge.enters}`"
            refuse(path, rule, named)
            continue
        name = f"{edge.name}#{len(others) + 1}" if others else edge.name
        others.append(kind)
        found[name] = Joint(edge, kind, name, path, named, _wire(architecture, edge, source, target))
    return tuple(found.values())


def _listed(architecture: Architecture) -> Iterator[tuple[str, str, FeedbackEdge | ForwardEdge]]:
    edges = architecture.edges
    if edges.forward is None:
        names = [IMAGE_NAME, *(area.name for area in architecture.areas)]
        for source, target in itertools.pairwise(names):
            yield "forward", "edges.forward", ForwardEdge(source=source, target=target)
    else:
        yield from (("forward", f"edges.forward[{at}]", edge) for at, edge in enumerate(edges.forward))
    for kind, listed in (("lateral", edges.lateral), ("feedback", edges.feedback), ("skip", edges.skip)):
        yield from ((kind, f"edges.{kind}[{at}]", edge) for at, edge in enumerate(listed))


def _broken(kind: str, source: int, target: int, name: str) -> str | None:
    match kind:
        case "forward" if source >= target:
            rule = f"a forward edge runs from the image or an area up to a higher one, but {name} does not"
            return f"{rule}; swap its ends, or move it to `lateral` or `feedback`"
        case "lateral" if source != target:
            return f"a lateral edge runs from an area to itself, but {name} does not; move it to another list"
        case "skip" if source + 1 >= target:
            rule = f"a skip runs from an area past the one above it, but {name} does not"
            return f"{rule}; let it enter a higher area, or take it away"
        case "feedback" if source <= target:
            rule = f"feedback runs from a higher area to a lower one, but {name} does not"
            return f"{rule}; swap its ends or take it away"
        case _:
            return None


def _wire(architecture: Architecture, edge: FeedbackEdge | ForwardEdge, source: int, target: int) -> Wire:
    delay = edge.delay
    if delay is None:
        at_once = source == IMAGE or (architecture.time.unroll == "sweep" and source < target)
        delay = 0 if at_once else 1
    last = _FAR if edge.active.last is None else edge.active.last
    return Wire(source, target, edge.enters, delay, edge.active.first, last)
