"""A drawing read back as XML: its parts, its lines, and that it can be read."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from space.parse import find, parse_space
from space.space import Space

SVG = "{http://www.w3.org/2000/svg}"

HEAD = """
striate: 1
name: drawn
input: {channels: 3, size: 64, classes: 10}
time: {steps: {int: [14, 17]}}
train: {data: digits, learning_rate: 0.1}
"""


def space_of(text: str) -> Space:
    return parse_space(text, "drawn.yaml")


def shipped(name: str) -> Space:
    return parse_space(*find(name))


def parts(root: ET.Element, kind: str) -> list[ET.Element]:
    return [group for group in root.iter(f"{SVG}g") if group.get("class") == kind]


def title(group: ET.Element) -> str:
    return group.findtext(f"{SVG}title") or ""


def words(group: ET.Element) -> list[str]:
    return [each.text or "" for each in group.iter(f"{SVG}text")]


def edges(root: ET.Element) -> dict[tuple[str, ...], ET.Element]:
    """Edges by their ends; of several with the same ends, those after the first have a number too."""
    found: dict[tuple[str, ...], ET.Element] = {}
    for group in parts(root, "edge"):
        ends = group.attrib["data-from"], group.attrib["data-to"]
        number = sum(1 for each in found if each[:2] == ends)
        found[(*ends, str(number)) if number else ends] = group
    return found


def line_of(group: ET.Element) -> ET.Element:
    return next(path for path in group.iter(f"{SVG}path") if path.get("class") != "reach")


def corners(element: ET.Element) -> list[tuple[float, float]]:
    given = element.get("d") or element.get("points") or ""
    found = [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", given)]
    return list(zip(found[::2], found[1::2], strict=True))


def drawn(element: ET.Element, across: float = 0.0, down: float = 0.0) -> Iterator[tuple[float, float, float, float]]:
    """Left, top, right and bottom of all that is drawn; a letter is taken to be 0.6 of its font's size wide."""
    if moved := re.match(r"translate\((\S+) (\S+)\)", element.get("transform", "")):
        across, down = across + float(moved[1]), down + float(moved[2])
    at = {key: float(value) for key, value in element.attrib.items() if re.fullmatch(r"-?\d+(\.\d+)?", value)}
    box = None
    match element.tag.removeprefix(SVG):
        case "rect":
            box = (at.get("x", 0), at.get("y", 0), at.get("x", 0) + at["width"], at.get("y", 0) + at["height"])
        case "circle":
            box = (at["cx"] - at["r"], at["cy"] - at["r"], at["cx"] + at["r"], at["cy"] + at["r"])
        case "text":
            wide = 0.6 * at["font-size"] * len(element.text or "")
            left = at["x"] - wide * {"start": 0, "middle": 0.5, "end": 1}[element.attrib["text-anchor"]]
            box = (left, at["y"] - at["font-size"], left + wide, at["y"])
        case "path" | "polygon":
            xs, ys = zip(*corners(element), strict=True)
            box = (min(xs), min(ys), max(xs), max(ys))
    if box:
        yield (box[0] + across, box[1] + down, box[2] + across, box[3] + down)
    for child in element:
        yield from drawn(child, across, down)


def assert_readable(root: ET.Element) -> None:
    """All is inside the view, no two cards overlap, and no two edges run on one line."""
    *corner, wide, high = map(float, root.attrib["viewBox"].split())
    assert corner == [0, 0]
    for left, top, right, bottom in drawn(root):
        assert left >= 0 and top >= 0 and right <= wide and bottom <= high
    cards = [next(drawn(group[1])) for group in parts(root, "area")]
    for one, other in itertools.pairwise(cards):
        assert one[2] < other[0]
    lines = []
    for group in edges(root).values():
        points = corners(line_of(group))
        assert len({round(y, 1) for _, y in points if y == min(y for _, y in points)}) == 1
        lines += [(group, before, after) for before, after in itertools.pairwise(points)]
    for (group, a, b), (other, c, d) in itertools.combinations(lines, 2):
        if group is other:
            continue
        for along, beside in ((0, 1), (1, 0)):
            if a[beside] == b[beside] == c[beside] == d[beside]:
                apart = max(a[along], b[along]) < min(c[along], d[along])
                assert apart or max(c[along], d[along]) < min(a[along], b[along]), (title(group), title(other))
