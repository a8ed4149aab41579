"""What a drawing of a cell shows, read off the tree of a space: states, links and gates, each with all its options."""

from __future__ import annotations

from dataclasses import dataclass

from space.draw_sketch import link
from space.draw_values import Option, Options, Presence, deep, presence, text, under
from space.draw_wiring import WIRINGS, Gate, Wire, Wiring
from space.tree import Mapping, Scalar

CERTAIN = Presence()
_NEVER = Presence(0.0, (), certain=False)


@dataclass(frozen=True, slots=True)
class WireSketch:
    """A connection between two points, what is written on it, and whether it is there."""

    source: str
    target: str
    words: str
    presence: Presence


@dataclass(frozen=True, slots=True)
class SourceSketch:
    """What a gate reads: a point, through a link in words."""

    point: str
    words: str
    presence: Presence


@dataclass(frozen=True, slots=True)
class GateSketch:
    """A gate: its place, what it computes, whether it is there, and what it reads."""

    place: str
    function: str
    presence: Presence
    sources: tuple[SourceSketch, ...]


@dataclass(frozen=True, slots=True)
class CellSketch:
    """One type of cell.

    Arguments:
        type: its name.
        share: the probability of this type by the prior.
        equations: what it computes.
        hidden: whether it has a hidden state.
        has_output: whether it has an output state.
        loops: the states that keep their past.
        wires: connections of points, at most one between two.
        gates: at most one at a place.
        notes: state (`x` too) → lines of what is applied there.
        ports: those that feedback may enter → whether it does.
        emits: what leaves it.

    """

    type: str
    share: float
    equations: tuple[str, ...]
    hidden: Presence
    has_output: bool
    loops: tuple[str, ...]
    wires: tuple[WireSketch, ...]
    gates: dict[str, GateSketch]
    notes: dict[str, tuple[str, ...]]
    ports: dict[str, Presence]
    emits: str


def sketch_cell(cell_type: str, cell: Options, ports: dict[str, Presence], share: float) -> CellSketch:
    """Read the options of a cell that have one type; a type that has no wiring is a sketch of its name alone."""
    wiring = WIRINGS.get(cell_type, Wiring((), has_output=False))
    gates = [_gate(each, cell) for each in wiring.gates]
    wires = [_wire(each, cell) for each in wiring.wires]
    hidden = CERTAIN if wiring.hidden == "always" else presence(deep(cell, wiring.hidden)) if wiring.hidden else _NEVER
    states = [*(["c"] if hidden.possible else []), *(["h"] if wiring.has_output else [])]
    kept = {each.place.removeprefix("keep ") for each in wiring.gates}  # where that gate is absent, all is kept
    return CellSketch(
        cell_type,
        share,
        wiring.equations,
        hidden,
        wiring.has_output,
        tuple(state for state in states if state in kept),
        tuple(each for each in wires if each.presence.possible),
        {each.place: each for each in gates if each.presence.possible},
        {point: tuple(_notes(point, wiring, cell)) for point in ("x", *states)},
        ports,
        wiring.emits,
    )


def _gate(gate: Gate, cell: Options) -> GateSketch:
    if not gate.key:
        return GateSketch(gate.place, gate.function, CERTAIN, ())
    found = deep(cell, gate.key)
    there = _present(found)
    functions = text(_present(under(there, "function"))).split(" | ")
    function = gate.function or " | ".join("σ" if each in ("", "none", "sigmoid") else each for each in functions)
    for name, key in (("o", "offset"), ("k", "scale")):
        factors = text(_present(under(there, key)))
        function += f", {name} {factors}" if factors else ""
    sources = []
    for point, key in gate.sources:
        source = under(_present(under(there, "sources")), key) if key else there
        if presence(source).possible:
            sources.append(SourceSketch(point, link(_present(source)), presence(source)))
    peephole = presence(_flagged(deep(cell, gate.peephole))) if gate.peephole else _NEVER
    if peephole.possible:
        sources.append(SourceSketch("c", "by channel", peephole))
    return GateSketch(gate.place, function, presence(found), tuple(sources))


def _wire(wire: Wire, cell: Options) -> WireSketch:
    if not wire.key:
        return WireSketch(wire.source, wire.target, wire.role, CERTAIN)
    found = _flagged(deep(cell, wire.key))
    there = presence(found)
    words = link(tuple(each for each in found if isinstance(each.node, Mapping)))
    if wire.plain:
        words = words if there.certain or not words else f"{words} or x"
        there = CERTAIN
    return WireSketch(wire.source, wire.target, " ".join(each for each in (wire.role, words) if each), there)


def _notes(point: str, wiring: Wiring, cell: Options) -> list[str]:
    """What is applied at a point: its activation, its norm, and of a hidden state its channels."""
    notes = []
    key = {"x": "input.activation", **dict(wiring.activations)}.get(point)
    default = "identity" if point == "x" else "elu"
    activation = text(_present(deep(cell, key))) or default if key else default
    if key and activation != "identity":
        notes.append(f"φ = {activation}")
    norm = deep(cell, "norm")
    if point in wiring.normed and presence(norm).possible:
        notes.append(f"{text(_present(norm))} norm {presence(norm).label}".rstrip())
    channels = text(_present(deep(cell, "hidden.channels"))) if point == "c" else ""
    return [*notes, f"{channels} channels"] if channels else notes


def _present(found: Options) -> Options:
    return tuple(each for each in found if not each.is_absent)


def _flagged(found: Options) -> Options:
    """Options of which a flag that is false is an absence."""
    return tuple(_absent(each) if _is_false(each) else each for each in found)


def _is_false(option: Option) -> bool:
    return isinstance(option.node, Scalar) and option.node.value is False


def _absent(option: Option) -> Option:
    return Option(Scalar("none", option.node.mark), option.probability, option.conditions, option.labels)
