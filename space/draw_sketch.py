"""What a drawing of a network shows, read off the tree of a space: areas, edges, sizes, each with all its options."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

from space.draw_values import (
    Option,
    Options,
    Presence,
    numbers,
    numbers_text,
    options,
    presence,
    probability_text,
    text,
    under,
)
from space.model import DRIVE
from space.model import IMAGE as IMAGE_NAME
from space.operations import Shape
from space.space import Space
from space.tree import Mapping, Node, Scalar, Sequence
from space.wiring import IMAGE

ENTERS = "input"
SAMPLES = 16
_NOWHERE = -2


@dataclass(frozen=True, slots=True)
class Maps:
    """The sizes and channel counts that a stack of maps may have; which of them go together is not said."""

    sizes: frozenset[int]
    channels: frozenset[int]

    @classmethod
    def of(cls, shapes: Iterable[Shape]) -> Maps:
        """What these shapes have."""
        found = list(shapes)
        return cls(frozenset(size for _, size, _ in found), frozenset(channels for channels, _, _ in found))

    def __str__(self) -> str:
        sizes = " | ".join(f"{each}×{each}" for each in sorted(self.sizes))
        if len(self.sizes) > 2:
            sizes = f"{min(self.sizes)}²–{max(self.sizes)}²"
        return f"{sizes} × {numbers_text(self.channels)}"


@dataclass(frozen=True, slots=True)
class AreaSketch:
    """An area: its operations in words, the type of its cell, the maps of its cell and those that it emits."""

    name: str
    presence: Presence
    drive: tuple[str, ...]
    cells: Options
    cell_types: tuple[str, ...]
    post: tuple[str, ...]
    maps: Maps
    emits: Maps

    @property
    def is_recurrent(self) -> bool:
        """Whether its cell may be another than the feedforward one."""
        return any(each != "feedforward" for each in self.cell_types)


@dataclass(frozen=True, slots=True)
class EdgeSketch:
    """An edge, by the ranks of its ends; `enters` are the ports and `via` the operations, in words.

    `kind` is the list of the file that it stands in.
    """

    kind: str
    source: int
    target: int
    presence: Presence
    enters: str
    via: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetworkSketch:
    """A network: what is written over it, its image, areas in the order of their ranks, edges and read-out.

    `links` are the ranks of the areas that read the one before them, or the first one the image, and nothing between.
    """

    name: str
    facts: str
    image: str
    areas: tuple[AreaSketch, ...]
    links: frozenset[int]
    edges: tuple[EdgeSketch, ...]
    pool: str
    classes: str


def sketch(space: Space) -> NetworkSketch:
    """Read a space."""
    root = options(space.tree)
    image = under(root, "input")
    maps = Maps(numbers(under(image, "size")), numbers(under(image, "channels")))
    time = under(root, "time")
    readout = under(root, "readout")
    areas = _areas(under(root, "areas"), maps)
    if any(isinstance(option.node, Sequence) for option in under(under(root, "edges"), "forward")):
        areas = _measured(areas, space)
    ranks = {area.name: rank for rank, area in enumerate(areas)}
    edges = under(root, "edges")
    links, beside = _forward(under(edges, "forward"), ranks)
    for kind in ("feedback", "lateral", "skip"):
        beside += _edges(under(edges, kind), ranks, kind)
    decisions = len({hole.path for hole in space.holes})
    steps = text(under(time, "steps"))
    facts = [
        f"{'one step' if steps == '1' else f'{steps} steps'}, {_or(text(under(time, 'unroll')), 'biological')} unroll",
        f"{decisions} decisions" if decisions else "an architecture: nothing is left open",
    ]
    return NetworkSketch(
        space.name,
        " · ".join(facts),
        str(maps),
        areas,
        links,
        beside,
        text(under(readout, "pool")) if any("pool" in _keys(each) for each in readout) else "mean",
        text(under(image, "classes")),
    )


def _or(given: str, default: str) -> str:
    """What a key left out stands for."""
    return default if given in ("", "none") else given


def _areas(found: Options, maps: Maps) -> tuple[AreaSketch, ...]:
    names = dict.fromkeys(name for option in found if isinstance(option.node, Mapping) for name in option.node.entries)
    areas = []
    for name in names:
        area = under(found, name)
        read, maps = maps, _after(area, "drive", maps)
        emits = _after(area, "post", maps)
        there = presence(area)
        cells = tuple(
            Option(Scalar("feedforward", each.node.mark), each.probability) if each.is_absent else each
            for each in under(tuple(each for each in area if not each.is_absent), "cell")
        )
        if not there.certain:
            emits = Maps(emits.sizes | read.sizes, emits.channels | read.channels)
        areas.append(
            AreaSketch(
                name,
                there,
                operations(under(area, "drive")),
                cells,
                tuple(dict.fromkeys(cell_type(each) for each in cells)),
                operations(under(area, "post")),
                maps,
                emits,
            )
        )
        maps = emits
    return tuple(areas)


def _keys(option: Option) -> tuple[str, ...]:
    return tuple(option.node.entries) if isinstance(option.node, Mapping) else ()


def _measured(areas: tuple[AreaSketch, ...], space: Space) -> tuple[AreaSketch, ...]:
    """Areas with the maps that they have in some samples, where edges of a list decide these."""
    rng = random.Random(0)
    graphs = [space.fill(space.sample(rng))[1] for _ in range(SAMPLES if space.holes else 1)]
    there = {area.name: [node for graph in graphs for node in graph.areas if node.name == area.name] for area in areas}
    return tuple(
        replace(
            area,
            maps=Maps.of(node.shape for node in there[area.name]),
            emits=Maps.of(node.output_shape for node in there[area.name]),
        )
        for area in areas
    )


def cell_type(cell: Option) -> str:
    """The type of one option of a cell."""
    return text(under((cell,), "type")) if isinstance(cell.node, Mapping) else "feedforward"


def _after(area: Options, key: str, maps: Maps) -> Maps:
    """The maps after a sequence of operations that may be any of its options."""
    there = [_through(option.node, maps) for option in under(area, key)]
    return Maps(frozenset().union(*(m.sizes for m in there)), frozenset().union(*(m.channels for m in there)))


def _through(steps: Node, maps: Maps) -> Maps:
    if not isinstance(steps, Sequence):
        return maps
    for item in steps.items:
        after = [_through_step(option, maps) for option in options(item)]
        maps = Maps(frozenset().union(*(m.sizes for m in after)), frozenset().union(*(m.channels for m in after)))
    return maps


def _through_step(step: Option, maps: Maps) -> Maps:
    if not isinstance(step.node, Mapping):
        return maps
    body = tuple(each for name in step.node.entries for each in under((step,), name))
    strides = numbers(under(body, "stride")) or frozenset((1,))
    sizes = frozenset(-(-size // stride) for size in maps.sizes for stride in strides)
    return Maps(sizes, numbers(under(body, "channels")) or maps.channels)


def operations(found: Options) -> tuple[str, ...]:
    """A sequence of operations in words, one for each; options of a whole sequence follow each other after `or`."""
    sequences: dict[tuple[str, ...], None] = {}
    for option in found:
        items = option.node.items if isinstance(option.node, Sequence) else ()
        sequences[tuple(operation(options(item)) for item in items)] = None
    kinds = list(sequences)
    lines = list(kinds[0])
    for kind in kinds[1:]:
        lines += [f"or {kind[0]}", *kind[1:]] if kind else ["or nothing"]
    return tuple(lines)


def operation(found: Options) -> str:
    """One operation in words, such as `conv 3×3 · 64`; `?` where it may be left out."""
    words = dict.fromkeys(_operation(each) for each in found if not each.is_absent)
    return " | ".join(words) + ("" if presence(found).certain else " ?")


def _operation(step: Option) -> str:
    if not isinstance(step.node, Mapping) or not step.node.entries:
        return text((step,))
    name = next(iter(step.node.entries))
    body = under((step,), name)
    parts = [_norm(body) if name == "norm" else name.replace("_", " "), link(body)]
    stride, mode = text(under(body, "stride")), _or(text(under(body, "mode")), "")
    if name == "max_pool" or stride not in ("none", "1"):
        parts.append(f"/ {stride}")
    if mode:
        parts.append(mode)
    channels = _or(text(under(body, "channels")), "")
    return " ".join(part for part in parts if part) + (f" · {channels}" if channels else "")


def _norm(body: Options) -> str:
    """A norm and what it has of each step, such as `batch norm, affine of each step`."""
    words = [f"{text(under(body, 'kind'))} norm"]
    for key in ("affine", "statistics"):
        found = _or(text(under(body, key)), "shared")
        if found != "shared":
            words.append(f"{key} {found.replace('step', 'of each step')}")
    return ", ".join(words)


def link(body: Options) -> str:
    """A convolution's kernel and whether it is separable, such as `3×3` or `1–7 sep. 0.5`."""
    there = tuple(each for each in body if not each.is_absent)
    kernel = _or(text(under(there, "kernel")), "")
    if kernel.isdigit():
        kernel = f"{kernel}×{kernel}"
    separable = under(there, "separable")
    share = sum(each.probability for each in separable if isinstance(each.node, Scalar) and each.node.value is True)
    total = sum(each.probability for each in separable)
    if not share:
        return kernel
    return f"{kernel} sep." if share >= total else f"{kernel} sep. {probability_text(share / total)}"


def _forward(found: Options, ranks: dict[str, int]) -> tuple[frozenset[int], tuple[EdgeSketch, ...]]:
    """The links of the chain, and the forward edges that are more than a link."""
    if not any(isinstance(option.node, Sequence) for option in found):
        return frozenset(ranks.values()), ()
    links, beside = set(), []
    for edge in _edges(found, {**ranks, IMAGE_NAME: IMAGE}, "forward"):
        if edge.source + 1 == edge.target and edge.enters == DRIVE and not edge.via and edge.presence.certain:
            links.add(edge.target)
        else:
            beside.append(edge)
    return frozenset(links), tuple(beside)


def _edges(found: Options, ranks: dict[str, int], kind: str) -> tuple[EdgeSketch, ...]:
    edges = []
    for option in found:
        for item in option.node.items if isinstance(option.node, Sequence) else ():
            edges += _edge(options(item), ranks, kind)
    return tuple(edges)


def _edge(found: Options, ranks: dict[str, int], kind: str) -> list[EdgeSketch]:
    """The edges that one item of a list may become: one, or several where its ends are left open."""
    joins: dict[tuple[int, int], list[Option]] = {}
    for option in found:
        for source in under((option,), "from"):
            for target in under((option,), "to"):
                pair = (ranks.get(_name(source), _NOWHERE), ranks.get(_name(target), _NOWHERE))
                if min(pair) > _NOWHERE:
                    share = source.probability * target.probability / (option.probability or 1.0)
                    joins.setdefault(pair, []).append(
                        Option(option.node, share, option.conditions, (*source.labels, *target.labels))
                    )
    edges = []
    for (source_rank, target_rank), there in joins.items():
        rest = sum(option.probability for option in found) - sum(option.probability for option in there)
        absent = tuple(option for option in found if option.is_absent)
        others = (Option(Scalar("none", there[0].node.mark), max(rest, 0.0)),) if rest > 1e-9 or absent else ()
        enters = _or(text(under(tuple(there), "enters")), DRIVE if kind == "forward" else ENTERS)
        edges.append(
            EdgeSketch(
                kind,
                source_rank,
                target_rank,
                presence((*there, *others)),
                enters,
                operations(under(tuple(there), "via")),
            )
        )
    return edges


def _name(option: Option) -> str:
    return option.node.value if isinstance(option.node, Scalar) and isinstance(option.node.value, str) else ""
