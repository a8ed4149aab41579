"""The drawing of a network: its areas in a row, feedback as arcs above them, skip edges as arcs below.

No two arcs share a line: every edge has an anchor of its own on either area, and arcs that would meet run at heights of
their own, the shorter ones nearer to the areas. So arcs cross only at right angles. An arc has the colour of the area
that it comes from, and its probability stands in the gap beside that area, where no other line goes down.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from space.draw_pen import COLOURS, INK, LETTER, LINE, PAPER, Pen, dashes, fit, width
from space.draw_sketch import AreaSketch, EdgeSketch, NetworkSketch
from space.model import IMAGE as IMAGE_NAME
from space.wiring import IMAGE

MARGIN = 28.0
GAP = 34.0
_NARROWEST, _ANCHOR, _LANE, _PADDING = 130.0, 9.0, 15.0, 9.0
_SMALL, _BODY, _NAME = 9.0, 10.5, 13.0
_ROW, _SECTION = 14.5, 13.0
_HEADER, _END = 46.0, 60.0
_MOST_LINES = 8
_MOST_NAMES = 4
_MOST_CAPTIONS = 4
_UNBROKEN = re.compile(r"(?<=\d) (\|) (?=\d)|(?<=\S) (\?)$|(?<= )(/) (?=\d)")


@dataclass(frozen=True, slots=True)
class Column:
    """Where a card stands."""

    left: float
    wide: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.wide


@dataclass(frozen=True, slots=True)
class Arc:
    """Where an edge runs: the anchors of its ends, and how many lanes from the areas."""

    edge: EdgeSketch
    start: float
    end: float
    lane: int


class NetworkDrawing:
    """The layout of one network; `wide` and `high` are what it takes, `draw` draws it."""

    def __init__(self, network: NetworkSketch) -> None:
        self.network = network
        edges = network.edges
        self.above = [edge for edge in edges if edge.source >= edge.target]
        self.below = [edge for edge in edges if edge.source < edge.target]
        kinds = dict.fromkeys(edge.kind for edge in (*self.above, *self.below))
        sources = sorted({edge.source for edge in edges})
        self.colours = {source: COLOURS[i % len(COLOURS)] for i, source in enumerate(sources)}
        self.columns = self._columns()
        self.arcs_above = _arcs(self.above, self.columns[:-1])
        self.arcs_below = _arcs(self.below, self.columns[:-1])
        self.captions = [line for kind in kinds for line in _captions(edges, kind, network)]
        heading = max(
            width(network.name, 20.0), width(network.facts, 12.0), *(width(c, 11.0) for c in self.captions or [""])
        )
        self.wide = max(self.columns[-1].right, MARGIN + heading) + MARGIN
        self.sections = {name: max(len(lines(area)) for area in network.areas) for name, lines in _SECTIONS.items()}
        self.top = MARGIN + 54.0 + 17.0 * len(self.captions) + _room(self.arcs_above)
        shown = [rows for rows in self.sections.values() if rows]
        self.card = _HEADER + sum(_SECTION + rows * _ROW + 5.0 for rows in shown) + 24.0
        self.high = self.top + self.card + max(_room(self.arcs_below), 12.0)

    def _columns(self) -> list[Column]:
        columns = [Column(MARGIN, 92.0)]
        for rank in range(len(self.network.areas)):
            ends = [[edge.source for edge in side] for side in (self.above, self.below)]
            ends += [[edge.target for edge in side] for side in (self.above, self.below)]
            most = max(side.count(rank) for side in ends)
            columns.append(Column(columns[-1].right + GAP, max(_NARROWEST, 2 * (most + 1) * _ANCHOR)))
        return [*columns, Column(columns[-1].right + GAP, 110.0)]

    def draw(self, pen: Pen) -> None:
        """Draw the heading, the cards, the chain and the edges."""
        pen.text(MARGIN, MARGIN + 16, self.network.name, 20, class_="strong")
        pen.text(MARGIN, MARGIN + 36, self.network.facts, 12, class_="soft")
        for position, caption in enumerate(self.captions):
            pen.text(MARGIN, MARGIN + 56 + 17 * position, caption, 11)
        middle = self.top + _HEADER / 2
        joined = [*(rank in self.network.links for rank in range(len(self.network.areas))), True]
        for left, right, is_joined in zip(self.columns, self.columns[1:], joined, strict=False):
            if not is_joined:
                continue
            pen.line(
                [(left.right, middle), (right.left - 4, middle)], 0, stroke=INK, stroke_width="1.6", class_="chain"
            )
            pen.arrow((right.left, middle), (1, 0), INK)
        self._end(pen, self.columns[0], "image", self.network.image, "")
        pool = "mean of the map" if self.network.pool == "mean" else "the whole map"
        self._end(pen, self.columns[-1], "read-out", pool, f"{self.network.classes} classes")
        for area, column in zip(self.network.areas, self.columns[1:-1], strict=True):
            self._card(pen, area, column)
        edges = pen.group(class_="edges")
        for arcs, upwards in ((self.arcs_above, True), (self.arcs_below, False)):
            for arc in sorted(arcs, key=lambda arc: -arc.lane):
                self._arc(edges, arc, upwards)

    def _end(self, pen: Pen, column: Column, name: str, first: str, second: str) -> None:
        group = pen.group(f"{name}: {first} {second}".rstrip(), class_=name)
        group.box(column.left, self.top, column.wide, _END, rx="8", fill="#eef1f4", stroke=LINE)
        group.text(column.left + column.wide / 2, self.top + 19, name, _NAME, "middle", class_="strong")
        room = column.wide - 8
        for position, words in enumerate(each for each in (first, second) if each):
            place = (column.left + column.wide / 2, self.top + 35 + 14 * position)
            group.text(*place, fit(words, room, _SMALL), _SMALL, "middle", class_="soft")

    def _card(self, pen: Pen, area: AreaSketch, column: Column) -> None:
        group = pen.group(_area_title(area), class_="area", data_area=area.name)
        frame = dashes(area.presence.certain)
        group.box(column.left, self.top, column.wide, self.card, rx="8", fill=PAPER, stroke="#8895a3", **frame)
        group.box(column.left + 0.5, self.top + 0.5, column.wide - 1, _HEADER - 1, rx="7.5", fill="#e4ecf5")
        x, room = column.left + _PADDING, column.wide - 2 * _PADDING
        group.text(x, self.top + 19, fit(area.name, room, _NAME + 1), _NAME, class_="strong")
        group.text(x, self.top + 36, fit(str(area.maps), room, _BODY), _BODY, class_="soft")
        y = self.top + _HEADER
        for name, lines in _SECTIONS.items():
            rows = self.sections[name]
            if not rows:
                continue
            found = lines(area)
            y += _SECTION
            if found:
                group.text(x, y, name, _SMALL, class_="soft")
            for position, words in enumerate(found):
                group.text(x, y + (position + 1) * _ROW - 1, fit(words, room, _BODY), _BODY)
            y += rows * _ROW + 5
        emits = f"emits {area.emits}" if area.emits != area.maps else ""
        group.text(x, self.top + self.card - 9, fit(emits, room, _SMALL), _SMALL, class_="soft")

    def _arc(self, pen: Pen, arc: Arc, upwards: bool) -> None:
        edge, colour = arc.edge, self.colours[arc.edge.source]
        source = IMAGE_NAME if edge.source == IMAGE else self.network.areas[edge.source].name
        names = source, self.network.areas[edge.target].name
        through = f", through {' → '.join(edge.via)}" if edge.via else ""
        title = f"{names[0]} → {names[1]}: {edge.kind}, {edge.presence.sentence}; enters {edge.enters}{through}"
        group = pen.group(title, class_="edge", data_from=names[0], data_to=names[1], data_kind=edge.kind)
        base, out = (self.top, -1) if upwards else (self.top + self.card, 1)
        lane = base + out * (14 + _LANE * (arc.lane + 1))
        begin = self.top + _END if edge.source == IMAGE else base
        points = [(arc.start, begin), (arc.start, lane), (arc.end, lane), (arc.end, base + out * 6)]
        group.line(points, 10, class_="reach")
        style = dashes(edge.presence.certain)
        group.line(points, 10, class_="line", stroke=colour, stroke_width="1.7", **style)
        group.circle(arc.start, begin, 2.6, fill=colour)
        group.arrow((arc.end, base), (0, -out), colour)
        if edge.presence.label:
            column = self.columns[1 + edge.source]
            beside = column.left - GAP / 2 if upwards else column.right + GAP / 2
            group.label(beside, lane, edge.presence.label, _SMALL, colour)


def _room(arcs: list[Arc]) -> float:
    return 14 + _LANE * (max(arc.lane for arc in arcs) + 2) if arcs else 0.0


def _arcs(edges: list[EdgeSketch], columns: list[Column]) -> list[Arc]:
    """Anchors and lanes. Edges leave and enter an area on the side that they come from, longer ones further inside."""
    leftwards = [(edge.target, edge.source) for edge in edges] if edges and edges[0].source >= edges[0].target else []
    ranks = leftwards or [(edge.source, edge.target) for edge in edges]
    ends = [(left - IMAGE, right - IMAGE) for left, right in ranks]  # the columns on the left and on the right
    spans = [right - left for left, right in ends]
    anchors: dict[tuple[int, str], float] = {}
    for rank, column in enumerate(columns):
        lefts = sorted((i for i in range(len(edges)) if ends[i][0] == rank), key=lambda i: (-spans[i], -i))
        rights = sorted((i for i in range(len(edges)) if ends[i][1] == rank), key=lambda i: (spans[i], i))
        half = column.wide / 2
        for side, (name, found) in enumerate((("right", rights), ("left", lefts))):
            step = half / (len(found) + 1)
            for position, i in enumerate(found):
                anchors[i, name] = column.left + side * half + (position + 1) * step
    arcs: list[Arc] = []
    lanes: dict[int, int] = {}
    for i in sorted(range(len(edges)), key=lambda i: (spans[i], i)):
        reach = {j: sorted((anchors[j, "left"], anchors[j, "right"])) for j in (i, *lanes)}
        left, right = reach[i]
        met = [lanes[j] for j in lanes if reach[j][0] < right + 4 and left - 4 < reach[j][1]]
        lanes[i] = max(met, default=-1) + 1
        start, end = (
            (anchors[i, "right"], anchors[i, "left"]) if leftwards else (anchors[i, "left"], anchors[i, "right"])
        )
        arcs.append(Arc(edges[i], start, end, lanes[i]))
    return arcs


def _captions(edges: tuple[EdgeSketch, ...], kind: str, network: NetworkSketch) -> list[str]:
    """One line for all edges of a list that are alike, so that they can be read without pointing at one."""
    kinds: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for edge in (each for each in edges if each.kind == kind):
        key = (edge.presence.sentence, edge.enters, edge.via)
        kinds.setdefault(key, []).append(network.areas[edge.target].name)
    lines = []
    for (there, enters, via), targets in kinds.items():
        what = f"{len(targets)} {kind} {'edge' if len(targets) == 1 else 'edges'}"
        if kind == "lateral":  # of one area each, unlike others
            rest = f" and {len(targets) - _MOST_NAMES} more" if len(targets) > _MOST_NAMES else ""
            what = f"{what} of {', '.join(targets[:_MOST_NAMES])}{rest}"
        through = f", through {' → '.join(via)}" if via else ""
        lines.append(f"{what}, {there}; entering {enters}{through}")
    if len(lines) > _MOST_CAPTIONS:
        more = len(lines) - _MOST_CAPTIONS + 1
        lines[_MOST_CAPTIONS - 1 :] = [f"and {more} other kinds of {kind} edges: point at an edge to read what it is"]
    return lines


def _area_title(area: AreaSketch) -> str:
    parts = [f"{area.name} ({area.presence.sentence})", f"drive: {', '.join(area.drive) or 'nothing'}"]
    parts += [f"cell at {area.maps}: {' | '.join(area.cell_types)}", f"post: {', '.join(area.post) or 'nothing'}"]
    return "\n".join([*parts, f"emits {area.emits}"])


def _wrapped(lines: tuple[str, ...]) -> list[str]:
    letters = int((_NARROWEST - 2 * _PADDING) / (LETTER * _BODY))
    kept = [_UNBROKEN.sub(lambda sign: sign[0].replace(" ", "\u00a0"), line) for line in lines]
    wrapped = [row for line in kept for row in textwrap.wrap(line, letters, subsequent_indent="\u00a0")]
    rows = [row.replace("\u00a0", " ") for row in wrapped]
    return rows if len(rows) <= _MOST_LINES else [*rows[: _MOST_LINES - 1], "…"]


_SECTIONS: dict[str, Callable[[AreaSketch], list[str]]] = {
    "drive": lambda area: _wrapped(area.drive),
    "cell": lambda area: _wrapped(area.cell_types),
    "post": lambda area: _wrapped(area.post),
}
