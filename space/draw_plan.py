"""The unrolled plan as one self-contained SVG: areas × steps, and in each cell what is computed there.

Steps go from left to right, areas from the image at the bottom to the read-out at the top. Arrows join what is live.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass

from space.area_steps import BATCH, COMPUTED, DEAD, SAME, AreaStep, area_steps
from space.draw_pen import COLOURS, INK, LINE, PAPER, SOFT, STYLE, Pen, fit, legal, width
from space.model import Architecture
from space.nodes import LONG_RANGE, EdgeNode, Graph
from space.wiring import IMAGE

_NAMESPACE = "http://www.w3.org/2000/svg"
_MARGIN, _HEADING = 28.0, 62.0
_WIDE, _HIGH, _ACROSS, _DOWN = 42.0, 26.0, 24.0, 18.0
_TEXT, _SMALL, _KEY = 12.0, 9.5, 72.0
_BESIDE = 6.0  # between edges of the same ends, where there is room
_FORWARD = "#8895a3"
_PLAN_STYLE = ".edge .line { opacity: 0.55; } .edge:hover .line { opacity: 1; }"
_MEANING = {
    COMPUTED: "computed for each image",
    BATCH: "computed once for the batch: no image has reached it",
    SAME: "the same as at the earlier step named in it: not computed again",
    DEAD: "dead: no answer depends on it",
}
_FORWARD_MEANING = "forward and lateral edges between what is live"
_LONG_RANGE_MEANING = "feedback edges and skips, in the colour of the area that they leave; point at one to read it"
_LOOK: dict[str, dict[str, str]] = {
    COMPUTED: {"fill": "#a9cdec", "stroke": "#0072b2"},
    BATCH: {"fill": "#f4dfae", "stroke": "#b8860b"},
    SAME: {"fill": PAPER, "stroke": "#0072b2"},
    DEAD: {"fill": PAPER, "stroke": LINE, "stroke_dasharray": "1 3"},
}


def draw_plan(architecture: Architecture, graph: Graph) -> str:
    """The text of an SVG file."""
    drawing = _Drawing(graph)
    root = ET.Element("svg", {"xmlns": _NAMESPACE, "role": "img"})
    ET.SubElement(root, "title").text = legal(f"The plan of {graph.name}")
    ET.SubElement(root, "style").text = STYLE + _PLAN_STYLE
    paper = ET.SubElement(root, "rect", {"fill": PAPER})
    pen = Pen(root)
    pen.text(_MARGIN, _MARGIN + 16, graph.name, 20, class_="strong")
    steps = "one step" if graph.steps == 1 else f"{graph.steps} steps"
    facts = f"{steps}, {architecture.time.unroll} unroll: what is computed at which step"
    pen.text(_MARGIN, _MARGIN + 36, facts, 12, class_="soft")
    drawing.draw(pen)
    high = _legend(pen, drawing, drawing.high + 14) + _MARGIN
    texts = [width(graph.name, 20), width(facts, 12), _KEY + width(_LONG_RANGE_MEANING, _TEXT)]
    wide = max(drawing.wide, _MARGIN + max(texts) + _MARGIN)
    size = {"width": str(math.ceil(wide)), "height": str(math.ceil(high))}
    root.attrib |= {**size, "viewBox": f"0 0 {size['width']} {size['height']}"}
    paper.attrib |= size
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a cell stands: its left upper corner."""

    left: float
    top: float

    @property
    def right(self) -> float:
        return self.left + _WIDE

    @property
    def middle(self) -> float:
        return self.top + _HIGH / 2

    @property
    def bottom(self) -> float:
        return self.top + _HIGH


class _Drawing:
    """The layout of one plan; `wide` and `high` are what it takes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.rows = area_steps(graph)
        self.counts = Counter(each.kind for row in self.rows for each in row)
        names = ["read-out", *(area.name for area in graph.areas)]
        self.labels = min(160.0, max(width(name, _TEXT) for name in names)) + 12
        self.left = _MARGIN + self.labels
        self.top = _MARGIN + _HEADING
        self.wide = self.left + graph.steps * (_WIDE + _ACROSS) - _ACROSS + _MARGIN
        self.high = self.top + (len(graph.areas) + 2) * (_HIGH + _DOWN) + 8
        sources = sorted({edge.source for edge in graph.long_range})
        self.shifts = _shifts(graph)
        self.colours = {source: COLOURS[(i + 1) % len(COLOURS)] for i, source in enumerate(sources)}

    def place(self, rank: int, step: int) -> _Place:
        """Of an area at a step; the image's rank is -1, the read-out's that after the last area."""
        row = len(self.graph.areas) - rank
        return _Place(self.left + step * (_WIDE + _ACROSS), self.top + row * (_HIGH + _DOWN))

    def draw(self, pen: Pen) -> None:
        graph = self.graph
        arrows = pen.group(class_="edges")
        forward = [edge for edge in graph.edges if edge.kind not in LONG_RANGE]
        for edge in (*forward, *graph.long_range):
            self._edge(arrows, edge, self.shifts[edge.name])
        self._readout_arrows(arrows)
        for rank in range(-1, len(graph.areas) + 1):
            names = {IMAGE: "image", len(graph.areas): "read-out"}
            name = names.get(rank) or graph.areas[rank].name
            y = self.place(rank, 0).middle + 4
            pen.text(self.left - 12, y, fit(name, self.labels, _TEXT), _TEXT, "end", class_="strong")
        for step in range(graph.steps):
            x = self.place(0, step).left + _WIDE / 2
            pen.text(x, self.high, str(step), _SMALL, "middle", class_="soft")
            self._image(pen, step)
            for rank, row in enumerate(self.rows):
                self._cell(pen, rank, step, row[step])
        pen.text(self.left - 12, self.high, "step", _SMALL, "end", class_="soft")
        for step in graph.answer.steps:
            place = self.place(len(graph.areas), step)
            group = pen.group(f"read-out at step {step}", class_="answer", data_step=str(step))
            group.box(place.left, place.top, _WIDE, _HIGH, rx="13", fill=INK)
            group.text(place.left + _WIDE / 2, place.middle + 3.5, "answer", _SMALL, "middle", style=f"fill: {PAPER}")

    def _image(self, pen: Pen, step: int) -> None:
        place, clock = self.place(IMAGE, step), self.graph.clock
        if clock.lit >> step & 1:
            said = f"frame {step}" if clock.frames else "image"
        elif clock.after is not None:
            said = f"{clock.after:g}"
        else:
            return
        group = pen.group(f"shown at step {step}: {said}", class_="shown", data_step=str(step))
        group.box(place.left, place.top, _WIDE, _HIGH, rx="4", fill="#e4e8ec", stroke=LINE)
        group.text(place.left + _WIDE / 2, place.middle + 3.5, fit(said, _WIDE, _SMALL), _SMALL, "middle")

    def _cell(self, pen: Pen, rank: int, step: int, does: AreaStep) -> None:
        place, name = self.place(rank, step), self.graph.areas[rank].name
        what = f"the same as at step {does.same_as}" if does.kind == SAME else _MEANING[does.kind]
        kind = {"data_area": name, "data_step": str(step), "data_kind": does.kind}
        group = pen.group(f"{name} at step {step}: {what}", class_="area-step", **kind)
        group.box(place.left, place.top, _WIDE, _HIGH, rx="4", **_LOOK[does.kind])
        if does.kind == SAME:
            said = f"= {does.same_as}"
            group.text(place.left + _WIDE / 2, place.middle + 3.5, said, _SMALL, "middle", style=f"fill: {SOFT}")

    def _edge(self, pen: Pen, edge: EdgeNode, shift: float) -> None:
        """All arrows of one edge: at each step at which it is there and both its ends are live."""
        wire, graph = edge.wire, self.graph
        colour = self.colours[edge.source] if edge.kind in LONG_RANGE else _FORWARD
        joined = []
        for step in range(graph.steps):
            before = step - wire.delay
            if before >= 0 and wire.is_active(step) and self.rows[wire.target][step].is_live:
                if wire.source == IMAGE:
                    there = bool(graph.clock.lit >> before & 1) or graph.clock.after is not None
                else:
                    there = self.rows[wire.source][before].is_live
                if there:
                    joined.append((before, step))
        group = pen.group(f"{edge.name}: {edge.kind}, enters {edge.port}", class_="edge", data_edge=edge.name)
        for before, step in joined:
            self._arrow(group, (wire.source, before), (wire.target, step), colour, shift)

    def _readout_arrows(self, pen: Pen) -> None:
        answer, last = self.graph.answer, len(self.graph.areas) - 1
        group = pen.group("to the read-out", class_="edge")
        for step in answer.steps:
            if step >= answer.delay:
                self._arrow(group, (last, step - answer.delay), (last + 1, step), INK)

    def _arrow(self, pen: Pen, start: tuple[int, int], end: tuple[int, int], colour: str, shift: float = 0.0) -> None:
        one, other = self.place(*start), self.place(*end)
        leaves, enters = one.middle + shift, other.middle + shift
        line = {"class_": "line", "stroke": colour, "stroke_width": "1.4"}
        if start[1] == end[1]:
            x = one.left + _WIDE / 2 + shift
            if end[0] == start[0] + 1:
                pen.line([(x, one.top), (x, other.bottom + 4)], 0, **line)
                pen.arrow((x, other.bottom), (0, -1), colour, 5)
                return
            bow = one.right + _ACROSS / 2 + shift / 2
            points = [(one.right, leaves), (bow, leaves), (bow, enters), (other.right + 4, enters)]
            pen.line(points, 8, **line)
            pen.arrow((other.right, enters), (-1, 0), colour, 5)
            return
        points = [(one.right, leaves), (one.right + 5, leaves)]
        points += [(other.left - 9, enters), (other.left - 4, enters)]
        pen.line(points, 4, **line)
        pen.arrow((other.left, enters), (1, 0), colour, 5)


def _shifts(graph: Graph) -> dict[str, float]:
    """Name of an edge → how far its arrows stand aside, so that edges of the same ends do not lie on each other."""
    found: dict[str, float] = {}
    together: dict[tuple[int, int], list[str]] = {}
    for edge in graph.edges:
        together.setdefault((edge.wire.source, edge.wire.target), []).append(edge.name)
    for names in together.values():
        gap = min(_BESIDE, (_HIGH - 8) / max(len(names) - 1, 1))
        found |= {name: (i - (len(names) - 1) / 2) * gap for i, name in enumerate(names)}
    return found


def _legend(pen: Pen, drawing: _Drawing, y: float) -> float:
    """What is there to be explained, and how many there are of each kind; the height of the last row is given back."""
    group = pen.group(class_="legend")
    for kind, meaning in _MEANING.items():
        if not drawing.counts[kind]:
            continue
        y += 24
        group.box(_MARGIN, y - 13, 30, 18, rx="4", **_LOOK[kind])
        if kind == SAME:
            group.text(_MARGIN + 15, y, "= 3", _SMALL, "middle", style=f"fill: {SOFT}")
        group.text(_MARGIN + 62, y, str(drawing.counts[kind]), _TEXT, "end", class_="strong", data_kind=kind)
        group.text(_MARGIN + _KEY, y, meaning, _TEXT, class_="soft")
    lines = [(_FORWARD, _FORWARD_MEANING)]
    if drawing.graph.long_range:
        lines.append((COLOURS[1], _LONG_RANGE_MEANING))
    for colour, meaning in lines:
        y += 22
        group.line([(_MARGIN, y - 4), (_MARGIN + 26, y - 4)], 0, stroke=colour, stroke_width="1.4")
        group.arrow((_MARGIN + 30, y - 4), (1, 0), colour, 5)
        group.text(_MARGIN + _KEY, y, meaning, _TEXT, class_="soft")
    return y
