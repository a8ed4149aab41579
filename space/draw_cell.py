"""The drawing of one type of cell: its points, links and gates, optional ones dashed.

The input enters at the left, the hidden state stands over the output state, which leaves at the right. A gate is a ⊗ on
what it multiplies, and a table of what it reads: a letter for each point, dashed where that source is optional.
"""

from __future__ import annotations

import textwrap

from space.draw_cell_sketch import CERTAIN, CellSketch, GateSketch, WireSketch
from space.draw_pen import INK, LETTER, LINE, PAPER, Pen, dashes, fit, width
from space.draw_values import Presence, probability_text

WIDE = 704.0
POINTS = {"r": "#dfe5ea", "x": "#cfe3f5", "c": "#fbe3c6", "h": "#cdeadf"}
GATE_COLOUR, FEEDBACK_COLOUR = "#7a3e9d", "#d55e00"
_R, _X, _SUM, _GATE, _STATE = 46.0, 150.0, 290.0, 420.0, 544.0
_RADIUS, _SMALL = 15.0, 9.0
_ROW = 15.0
_TABLE = 166.0
_MEANING = {"r": "what the area reads", "x": "the area's drive", "c": "hidden state", "h": "output state"}
_Point = tuple[float, float]


def _table(gate: GateSketch | None) -> float:
    """The height of a gate's table; nothing where there is no gate."""
    return 22.0 + _ROW * len(gate.sources) if gate else 0.0


class CellDrawing:
    """The layout of one type of cell in `WIDE` pixels; `high` is what it takes."""

    def __init__(self, cell: CellSketch) -> None:
        self.cell = cell
        self.sums = {wire.target for wire in cell.wires if wire.target.startswith("Σ")}
        self._place()

    def _place(self) -> None:
        """The heights of the rows, from the top: the loop of c, c, what runs between the states, h, the loop of h."""
        gates = self.cell.gates
        self.head = 34.0 + 15.0 * len(self.cell.equations)
        self.y_c = self.y_between = 0.0
        if not self.cell.has_output:
            self.y_h = self.head + 44
            self.high = self.y_h + 58
            return
        below_head = self.head + 8 + (_table(gates.get("reset")) + 16 if "reset" in gates else 0.0)
        if self.cell.hidden.possible:
            self.y_c = self.head + max(64.0, _table(gates.get("keep c")) + 46)
            below_head = self.y_c + 26 + _table(gates.get("admit c"))
        aside = _table(gates.get("emit")) / 2
        self.y_between = below_head + max(12.0, aside)
        self.y_h = self.y_between + max(26.0, aside + 8) + 22 + _table(gates.get("admit h"))
        self.high = self.y_h + max(76.0, _table(gates.get("keep h")) + 50)

    def draw(self, pen: Pen, high: float) -> None:
        """Draw the cell in a panel of a height whose upper left corner is the origin."""
        pen.box(0, 0, WIDE, high, rx="8", fill=PAPER, stroke=LINE)
        name = fit(self.cell.type, 400, 13)
        pen.text(14, 24, name, 13, class_="strong")
        if self.cell.share < 1 - 1e-9:
            pen.text(24 + width(name, 14), 24, f"p = {probability_text(self.cell.share)}", 11, class_="soft")
        for position, equation in enumerate(self.cell.equations):
            pen.text(14, 43 + 15 * position, equation, 10.5, class_="soft")
        self._wires(pen)
        for gate in self.cell.gates.values():
            self._gate(pen, gate)
        self._feedback(pen)
        self._points(pen)

    def _wires(self, pen: Pen) -> None:
        y_h = self.y_h
        _wire(pen, [(_R, y_h), (_X - _RADIUS, y_h)], WireSketch("r", "x", "drive", CERTAIN), (98, y_h))
        start = _STATE if self.cell.has_output else _X
        end = WIDE - 12 if self.cell.has_output else _X + 90
        middle = end - 16 if self.cell.emits == "y" else (start + _RADIUS + end) / 2
        _wire(pen, [(start, y_h), (end, y_h)], WireSketch("h", "y", self.cell.emits, CERTAIN), (middle, y_h))
        for wire in self.cell.wires:
            points, label = self._route(wire)
            _wire(pen, points, wire, label)
        for state, y, out, there in (("c", self.y_c, -1, self.cell.hidden), ("h", y_h, 1, CERTAIN)):
            if f"Σ{state}" in self.sums:
                _wire(pen, [(_SUM, y), (_STATE - _RADIUS, y)], WireSketch(f"Σ{state}", state, "", there))
            if state in self.cell.loops:
                right, left, far = _STATE + 13, _STATE - 9, y + out * 50
                loop = [(right, y), (right, far), (left, far), (left, y + out * (_RADIUS - 1))]
                _wire(pen, loop, WireSketch(state, state, "", there))

    def _route(self, wire: WireSketch) -> tuple[list[_Point], _Point]:
        """The way of a wire, and the middle of its label."""
        y_c, y_h, between = self.y_c, self.y_h, self.y_between
        middle = (_X + _SUM) / 2 - 4
        match wire.source, wire.target:
            case "x", "Σh":
                return [(_X, y_h), (_SUM - 20, y_h)], (middle, y_h)
            case "x", "Σc":
                return [(_X, y_h), (_X, y_c), (_SUM - 20, y_c)], (middle, y_c)
            case "r", "Σc":
                return [(_R, y_h), (_R, y_c - 44), (_SUM - 8, y_c - 44), (_SUM - 8, y_c - 10)], (_X, y_c - 44)
            case "r", "Σh":
                return [(_R, y_h), (_R, y_h + 58), (_SUM - 8, y_h + 58), (_SUM - 8, y_h + 10)], (98, y_h + 58)
            case "h", "Σc":
                return [(_STATE, y_h), (_SUM, y_h), (_SUM, y_c + 10)], (_GATE, y_h)
            case "c", "h":
                return [(_STATE, y_c), (_STATE, y_h - _RADIUS)], (_STATE + 34, (y_c + y_h) / 2)
            case _:  # a state into the sum before the output
                start = y_c if wire.source == "c" else y_h
                label = _GATE - 75 if "reset" in self.cell.gates else _GATE
                return [(_STATE, start), (_STATE, between), (_SUM, between), (_SUM, y_h - 10)], (label, between)

    def _gate(self, pen: Pen, gate: GateSketch) -> None:
        (x, y), (left, top), stem = self._gate_place(gate)
        read = [f"{source.point}: {source.words}, {source.presence.sentence}" for source in gate.sources]
        title = "\n".join([f"gate, {gate.place}: {gate.function}; {gate.presence.sentence}", *read])
        group = pen.group(title, class_="gate", data_place=gate.place)
        style, ink = dashes(gate.presence.certain), f"fill: {GATE_COLOUR}"
        group.line(stem, 5, stroke=GATE_COLOUR, stroke_width="1.2", **style)
        group.box(left, top, _TABLE, _table(gate), rx="5", fill="#f7f1fb", stroke=GATE_COLOUR, **style)
        group.circle(x, y, 8, fill=PAPER, stroke=GATE_COLOUR, stroke_width="1.4", **style)
        group.text(x, y + 4.2, "×", 12, "middle", style=ink)
        group.text(left + 8, top + 14, fit(gate.function, _TABLE - 50, 10), 10, style=ink)
        group.text(left + _TABLE - 7, top + 14, gate.presence.label, _SMALL, "end", class_="soft")
        for position, source in enumerate(gate.sources):
            row = top + 27 + _ROW * position
            _letter(group, source.point, left + 15, row - 1, source.presence)
            group.text(left + 27, row + 2.2, fit(source.words, _TABLE - 62, _SMALL), _SMALL)
            group.text(left + _TABLE - 7, row + 2.2, source.presence.label, _SMALL, "end", class_="soft")

    def _gate_place(self, gate: GateSketch) -> tuple[_Point, _Point, list[_Point]]:
        """Where a gate's ⊗ is, the upper left corner of its table, and the line that joins them."""
        high = _table(gate)
        middle, beside = _GATE - _TABLE / 2, _STATE - 26 - _TABLE
        match gate.place:
            case "admit c":
                return (_GATE, self.y_c), (middle, self.y_c + 16), [(_GATE, self.y_c), (_GATE, self.y_c + 16)]
            case "admit h" | "reset":
                y = self.y_h if gate.place == "admit h" else self.y_between
                return (_GATE, y), (middle, y - 16 - high), [(_GATE, y), (_GATE, y - 16)]
            case "emit":
                place = (_STATE, self.y_between)
                return place, (beside, self.y_between - high / 2), [place, (beside + _TABLE, self.y_between)]
            case "keep c":
                place, top = (_STATE + 2, self.y_c - 50), self.y_c - 34 - high
                turn = min(place[1] - 14, top + high - 8)
            case _:
                place, top = (_STATE + 2, self.y_h + 50), self.y_h + 34
                turn = min(place[1] + 14, top + high - 6)
        return place, (beside, top), [place, (place[0], turn), (beside + _TABLE, turn)]

    def _feedback(self, pen: Pen) -> None:
        spots = {"input": (_X, self.y_h + 42, self.y_h + _RADIUS)}
        if "Σh" in self.sums:
            spots["output"] = (_SUM + 8, self.y_h + 42, self.y_h + 10)
        if "Σc" in self.sums:
            spots["hidden"] = (_SUM + 8, self.y_c - 32, self.y_c - 10)
        for port, (x, far, near) in spots.items():
            if port in self.cell.ports:
                there = self.cell.ports[port]
                down = 1 if near > far else -1
                title = f"feedback enters at the port {port}: {there.sentence}"
                group = pen.group(title, class_="port", data_port=port)
                style = dashes(there.certain)
                group.line([(x, far), (x, near - 4 * down)], 0, stroke=FEEDBACK_COLOUR, stroke_width="1.4", **style)
                group.arrow((x, near), (0, down), FEEDBACK_COLOUR, 6.5)
                group.text(x + 5, far + (4 if down > 0 else 0), "fb", _SMALL, style=f"fill: {FEEDBACK_COLOUR}")

    def _points(self, pen: Pen) -> None:
        notes = self.cell.notes
        for target in sorted(self.sums):
            y, there = (self.y_c, self.cell.hidden) if target == "Σc" else (self.y_h, CERTAIN)
            pen.box(_SUM - 20, y - 10, 40, 20, rx="10", fill=PAPER, stroke=INK, **dashes(there.certain))
            pen.text(_SUM, y + 4, "Σ", 11, "middle")
        _point(pen, "r", _R, self.y_h, CERTAIN)
        _point(pen, "x", _X, self.y_h, CERTAIN)
        _notes(pen, notes["x"], (_X + 8, self.y_h - 20), _SUM - _X - 14)
        for state, y, there in (("c", self.y_c, self.cell.hidden), ("h", self.y_h, CERTAIN)):
            if state in notes:
                _point(pen, state, _STATE, y, there)
                _notes(pen, notes[state], (_STATE + 24, y - 8), WIDE - _STATE - 30)


def _wire(pen: Pen, points: list[_Point], wire: WireSketch, label: _Point | None = None) -> None:
    """An arrow along a wire, what is written on it, and under that the probability that it is there."""
    words = f"{wire.words}, " if wire.words else ""
    title = f"{wire.source} → {wire.target}: {words}{wire.presence.sentence}"
    group = pen.group(title, class_="wire", data_from=wire.source, data_to=wire.target)
    (before_x, before_y), (x, y) = points[-2:]
    towards = (_sign(x - before_x), _sign(y - before_y))
    shaft = [*points[:-1], (x - 4 * towards[0], y - 4 * towards[1])]
    group.line(shaft, 8, stroke=INK, stroke_width="1.4", **dashes(wire.presence.certain))
    group.arrow((x, y), towards, INK, 6.5)
    if label:
        group.text(label[0], label[1] - 5, wire.words, _SMALL, "middle")
        group.text(label[0], label[1] + 12, wire.presence.label, _SMALL, "middle", class_="soft")


def _point(pen: Pen, name: str, x: float, y: float, there: Presence) -> None:
    group = pen.group(f"{_MEANING[name]}: {there.sentence}", class_="point", data_point=name)
    group.circle(x, y, _RADIUS, fill=POINTS[name], stroke=INK, stroke_width="1.3", **dashes(there.certain))
    group.text(x, y + 5, name, 14, "middle", class_="strong")
    if there.label:
        group.text(x + 24, y + 14, "if" if there.label == "if" else f"p = {there.label}", _SMALL)


def _notes(pen: Pen, notes: tuple[str, ...], place: _Point, room: float) -> None:
    """What is applied at a point, the last line at a place and the others over it."""
    lines = [line for note in reversed(notes) for line in textwrap.wrap(note, int(room / (LETTER * _SMALL)))]
    for position, line in enumerate(reversed(lines)):
        pen.text(place[0], place[1] - 12 * position, line, _SMALL, class_="soft")


def _letter(pen: Pen, name: str, x: float, y: float, there: Presence) -> None:
    """A point's letter, where a gate reads it."""
    pen.circle(x, y, 6.3, fill=POINTS[name], stroke=INK, stroke_width="1", **dashes(there.certain))
    pen.text(x, y + 3.2, name, _SMALL, "middle")


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
