"""SVG elements as a drawing needs them; what is written is escaped, and no sign that XML forbids is left."""

from __future__ import annotations

import xml.etree.ElementTree as ET

FONT = "'DejaVu Sans', Verdana, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
LETTER = 0.62  # of the font's size: what a letter takes on average, on the wide side
INK, SOFT, LINE, PAPER = "#1d2733", "#5b6876", "#c6ced6", "#ffffff"
# Okabe and Ito's palette, which colour-blind readers tell apart, without its yellow, too pale for a line on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#3399cc", "#b8860b", "#444444")
DASHES = "5 3"
STYLE = f"""
text {{ font-family: {FONT}; fill: {INK}; }}
.soft {{ fill: {SOFT}; }}
.strong {{ font-weight: 600; }}
.edge .reach {{ stroke: transparent; stroke-width: 9; fill: none; }}
.edge:hover .line {{ stroke-width: 3.5; }}
.edges:hover .edge:not(:hover) {{ opacity: 0.18; }}
"""


def legal(text: str) -> str:
    """The text without what XML 1.0 cannot hold: control signs and halves of characters."""
    return "".join(sign if _is_legal(ord(sign)) else "\ufffd" for sign in text)


def _is_legal(code: int) -> bool:
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def width(text: str, size: float) -> float:
    """About how wide a text is, in pixels."""
    return LETTER * size * len(text)


def fit(text: str, room: float, size: float) -> str:
    """The text, or as much of its beginning as there is room for."""
    letters = max(1, int(room / (LETTER * size)))
    return text if len(text) <= letters else f"{text[: letters - 1].rstrip()}…"


class Pen:
    """Draws into one element; coordinates are pixels, y grows downwards."""

    def __init__(self, element: ET.Element) -> None:
        self.element = element

    def group(self, title: str = "", **attributes: str) -> Pen:
        """A group of its own; `title` is what a reader sees who points at it."""
        pen = Pen(self._add("g", **attributes))
        if title:
            ET.SubElement(pen.element, "title").text = legal(title)
        return pen

    def text(self, x: float, y: float, words: str, size: float, anchor: str = "start", **attributes: str) -> None:
        """One line of text, if there is any; y is its base line."""
        if not words:
            return
        place = {"x": _n(x), "y": _n(y), "font-size": _n(size), "text-anchor": anchor}
        self._add("text", **place, **attributes).text = legal(words)

    def box(self, x: float, y: float, wide: float, high: float, **attributes: str) -> None:
        """A rectangle, with rounded corners where `rx` is given."""
        self._add("rect", x=_n(x), y=_n(y), width=_n(wide), height=_n(high), **attributes)

    def circle(self, x: float, y: float, radius: float, **attributes: str) -> None:
        """A circle."""
        self._add("circle", cx=_n(x), cy=_n(y), r=_n(radius), **attributes)

    def line(self, points: list[tuple[float, float]], radius: float, **attributes: str) -> None:
        """A line through points, its corners rounded."""
        self._add("path", d=_rounded(points, radius), fill="none", **attributes)

    def arrow(self, tip: tuple[float, float], towards: tuple[int, int], colour: str, size: float = 7.0) -> None:
        """An arrow head whose tip is given, pointing along one of the axes."""
        (x, y), (dx, dy) = tip, towards
        back = (x - size * dx, y - size * dy)
        half = size * 0.45
        corners = [tip, (back[0] - half * dy, back[1] - half * dx), (back[0] + half * dy, back[1] + half * dx)]
        self._add("polygon", points=" ".join(f"{_n(a)},{_n(b)}" for a, b in corners), fill=colour)

    def label(self, x: float, y: float, words: str, size: float, colour: str) -> None:
        """A text that interrupts the line under it; x and y are its middle."""
        wide = width(words, size) + 3
        self.box(x - wide / 2, y - size * 0.6, wide, size * 1.2, fill=PAPER)
        self.text(x, y + size * 0.36, words, size, "middle", style=f"fill: {colour}")

    def _add(self, tag: str, **attributes: str) -> ET.Element:
        named = {key.replace("_", "-").rstrip("-"): legal(value) for key, value in attributes.items()}
        return ET.SubElement(self.element, tag, named)


def dashes(certain: bool) -> dict[str, str]:
    """How a line is drawn: whole where it is certain, dashed where it is optional."""
    return {} if certain else {"stroke_dasharray": DASHES}


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _rounded(points: list[tuple[float, float]], radius: float) -> str:
    """The path through points; each corner is a quadratic curve that begins `radius` before it."""
    path = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = _towards(corner, before, radius), _towards(corner, after, radius)
        path.append(f"L{_n(start[0])} {_n(start[1])}Q{_n(corner[0])} {_n(corner[1])} {_n(end[0])} {_n(end[1])}")
    return "".join([*path, f"L{_n(points[-1][0])} {_n(points[-1][1])}"])


def _towards(origin: tuple[float, float], point: tuple[float, float], far: float) -> tuple[float, float]:
    dx, dy = point[0] - origin[0], point[1] - origin[1]
    length = (dx * dx + dy * dy) ** 0.5
    share = min(far / length, 0.5) if length else 0.0
    return origin[0] + dx * share, origin[1] + dy * share
