"""A space or an architecture as one self-contained SVG: its network, and a cell with its optional connections.

What is certain is drawn whole, what is optional dashed. The same space gives the same drawing.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from space.draw_cell import FEEDBACK_COLOUR, GATE_COLOUR, POINTS, WIDE, CellDrawing
from space.draw_cell_sketch import sketch_cell
from space.draw_network import MARGIN, NetworkDrawing
from space.draw_pen import INK, PAPER, STYLE, Pen, dashes, fit, legal, width
from space.draw_sketch import AreaSketch, NetworkSketch, cell_type, sketch
from space.draw_values import Option, Presence
from space.errors import UsageError, did_you_mean
from space.model import DRIVE
from space.space import Space
from space.tree import Choice, Hole, Mapping, Node, Sequence, When

_NAMESPACE = "http://www.w3.org/2000/svg"
_BETWEEN = 18.0
_LEGEND = (
    ("—", "certain"),
    ("- -", "optional, with its probability; `if`: other decisions have a say"),
    ("r", "what the area reads"),
    ("x", "its drive"),
    ("c", "hidden state"),
    ("h", "output state"),
    ("Σ", "sum"),
    ("×", "multiplied by a gate, which reads what its table lists"),
    ("fb", "an edge beside the chain enters here"),
    ("1–7", "a convolution of one of these kernel sizes"),
    ("?", "an operation that may be left out"),
    ("sep.", "depthwise-separable, with its probability"),
)


def draw(space: Space, area: str | None = None) -> str:
    """The text of an SVG file.

    Arguments:
        space: what to draw.
        area: the area whose cell is drawn; by default the first with a state, one that feedback enters if there is any.

    Raises:
        UsageError: there is no such area.

    """
    network = sketch(space)
    drawn = _area(network, area)
    above = NetworkDrawing(network)
    cells = _cells(network, drawn)
    fitting = int((above.wide - 2 * MARGIN + _BETWEEN) // (WIDE + _BETWEEN))
    columns = min(len(cells), max(2, fitting))
    rows = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    wide = max(above.wide, 2 * MARGIN + columns * WIDE + (columns - 1) * _BETWEEN)

    root = ET.Element("svg", {"xmlns": _NAMESPACE, "role": "img"})
    ET.SubElement(root, "title").text = legal(space.name)
    ET.SubElement(root, "style").text = STYLE
    paper = ET.SubElement(root, "rect", {"fill": PAPER})
    pen = Pen(root)
    above.draw(pen.group(class_="network"))
    y = above.high + 34
    pen.text(MARGIN, y, fit(_cell_heading(network, drawn), wide - 2 * MARGIN, 14), 14, class_="strong")
    y += 16
    for row in rows:
        high = max(cell.high for cell in row)
        for column, cell in enumerate(row):
            place = f"translate({MARGIN + column * (WIDE + _BETWEEN):g} {y:g})"
            cell.draw(pen.group(class_="cell", data_type=cell.cell.type, transform=place), high)
        y += high + _BETWEEN
    y = _legend(root, y + 12, wide - MARGIN) + MARGIN

    size = {"width": str(math.ceil(wide)), "height": str(math.ceil(y))}
    root.attrib |= {**size, "viewBox": f"0 0 {size['width']} {size['height']}"}
    paper.attrib |= size
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _area(network: NetworkSketch, name: str | None) -> AreaSketch:
    if name is None:
        entered = {edge.target for edge in network.edges if edge.enters != DRIVE}
        recurrent = [rank for rank, each in enumerate(network.areas) if each.is_recurrent]
        rank = next((each for each in recurrent if each in entered), next(iter(recurrent), 0))
        return network.areas[rank]
    for each in network.areas:
        if each.name == name:
            return each
    names = [each.name for each in network.areas]
    raise UsageError(f"`--cell` names an area, but {network.name} has no {name!r}; {did_you_mean(name, names)}")


def _cells(network: NetworkSketch, area: AreaSketch) -> list[CellDrawing]:
    """One drawing for each type that the area's cell may have."""
    kinds: dict[str, list[Option]] = {}
    for option in area.cells:
        kinds.setdefault(cell_type(option), []).append(option)
    ports: dict[str, Presence] = {}
    for edge in network.edges:
        if edge.enters != DRIVE and network.areas[edge.target].name == area.name:
            entered = edge.enters.split(" | ")
            there = edge.presence if len(entered) == 1 else Presence(edge.presence.probability, (), certain=False)
            for port in entered:
                if port not in ports or there.certain:
                    ports[port] = there
    total = sum(option.probability for option in area.cells)
    drawings = []
    for kind, found in kinds.items():
        share = min(sum(option.probability for option in found) / total, 1.0) if total else 1.0
        drawings.append(CellDrawing(sketch_cell(kind, tuple(found), ports, share)))
    return drawings


def _cell_heading(network: NetworkSketch, area: AreaSketch) -> str:
    same = [each.name for each in network.areas if each is not area and _alike(each) == _alike(area)]
    others = [each.name for each in network.areas if each.is_recurrent and each is not area and each.name not in same]
    notes = [f"the same in {', '.join(same)}"] if same else []
    notes += [f"others in {', '.join(others)}: see --cell"] if others else []
    return f"Cell of {area.name}" + (f" ({'; '.join(notes)})" if notes else "")


def _alike(area: AreaSketch) -> tuple[object, ...]:
    """What the cells of two areas have in common when they are drawn alike."""
    return tuple((_content(option.node), option.probability) for option in area.cells)


def _content(node: Node) -> object:
    """A tree without its places in the file."""
    match node:
        case Mapping(entries):
            return tuple((key, _content(each)) for key, each in entries.items())
        case Sequence(items):
            return tuple(map(_content, items))
        case Hole(domain=Choice(labels=labels, branches=branches, weights=weights)):
            return (labels, tuple(map(_content, branches)), weights)
        case Hole(domain=domain):
            return domain
        case When(condition=condition, body=body):
            return (str(condition), _content(body))
        case _:
            return node.value


def _legend(root: ET.Element, y: float, right: float) -> float:
    """What the signs mean, in as many rows as they need; the height of the last one is given back."""
    pen = Pen(root).group(class_="legend")
    x = MARGIN
    for sign, words in _LEGEND:
        wide = 42 + width(words, 10)
        if x + wide > right:
            x, y = MARGIN, y + 20
        match sign:
            case "—" | "- -":
                pen.line([(x, y - 4), (x + 26, y - 4)], 0, stroke=INK, stroke_width="1.7", **dashes(sign == "—"))
            case "×":
                pen.circle(x + 13, y - 4, 7, fill=PAPER, stroke=GATE_COLOUR)
                pen.text(x + 13, y, "×", 11, "middle", style=f"fill: {GATE_COLOUR}")
            case "fb":
                pen.text(x + 13, y, "fb", 10, "middle", style=f"fill: {FEEDBACK_COLOUR}")
            case _ if sign in POINTS:
                pen.circle(x + 13, y - 4, 7, fill=POINTS[sign], stroke=INK)
                pen.text(x + 13, y - 0.5, sign, 10, "middle")
            case _:
                pen.text(x + 26, y, sign, 10, "end")
        pen.text(x + 32, y, words, 10, class_="soft")
        x += wide
    return y
