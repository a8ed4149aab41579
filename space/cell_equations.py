"""One step of each cell as dataflow nodes: the equations of `cells/`, term by term.

Names are those of the cell's operations, and of the states and gates in the equations.
"""

from __future__ import annotations

from space.cell_models import (
    UGRNN,
    ConvGRU,
    ConvLSTM,
    Feedforward,
    Intersection,
    ReciprocalGated,
    Searched,
    SimpleRNN,
    TimeDecay,
)
from space.cell_step import CellStep
from space.dataflow import Builder, Part
from space.nodes import AreaNode
from space.searched_equations import searched

BIAS = 1.0  # of gates that begin open: the equations write it out


def add_cell(builder: Builder, area: AreaNode, residual: int, drive: int, ports: dict[str, tuple[int, ...]]) -> int:
    """The nodes of an area's cell.

    Arguments:
        builder: takes the nodes.
        area: whose cell.
        residual: r, what the area reads.
        drive: its drive.
        ports: port → what enters there along edges.

    Returns:
        What the operations after the cell read.

    """
    step = CellStep(builder, area, residual, ports)
    joined = builder.sum("x", drive, *ports.get("input", ()))
    x = builder.function("x.activation", area.cell.input.activation, joined)
    match area.cell:
        case Feedforward():
            return x
        case TimeDecay():
            return _time_decay(step, x)
        case SimpleRNN(activation=activation):
            return _simple(step, x, activation)
        case ConvGRU():
            return _gru(step, x)
        case ConvLSTM():
            return _lstm(step, x)
        case UGRNN():
            return _ugrnn(step, x)
        case Intersection():
            return _intersection(step, x)
        case ReciprocalGated(activation=activation):
            return _reciprocal_gated(step, x, activation)
        case Searched():
            return searched(step, area.cell, x)


def _time_decay(step: CellStep, x: int) -> int:
    build = step.builder
    h = step.state("h")
    out = build.sum("h'", step.apply("decay", h), x)
    build.carry("h", out)
    return out


def _simple(step: CellStep, x: int, activation: str) -> int:
    build = step.builder
    h = step.state("h")
    total = step.apply("norm", build.sum("h.sum", x, step.apply("hidden", h)))
    out = build.function("h'", activation, total)
    build.carry("h", out)
    return out


def _gru(step: CellStep, x: int) -> int:
    build = step.builder
    h = step.state("h")
    reset, update = _gates(step, x, h, ("reset", "update"))
    read = build.product("reset.h", build.function("reset", "sigmoid", reset, added=BIAS), h)
    total = build.sum("n.sum", step.apply("candidate_input", x), step.apply("candidate_hidden", read))
    out = _mixed(step, "h", update, h, build.function("n", "tanh", total))
    build.carry("h", out)
    return out


def _lstm(step: CellStep, x: int) -> int:
    build = step.builder
    c, h = step.state("c"), step.state("h")
    i, j, f, o = _gates(step, x, h, ("i", "j", "f", "o"))
    i, f = _peephole(step, "i", i, c), _peephole(step, "f", f, c)
    kept = build.product("kept", c, build.function("f", "sigmoid", f, added=BIAS))
    new = build.product("new", build.function("i", "sigmoid", i), build.function("j", "tanh", j))
    carried = build.sum("c'", kept, new)
    o = _peephole(step, "o", o, carried)
    shown = build.function("c'.tanh", "tanh", step.apply("norm_state", carried))
    out = build.product("h'", shown, build.function("o", "sigmoid", o))
    build.carry("c", carried)
    build.carry("h", out)
    return out


def _ugrnn(step: CellStep, x: int) -> int:
    build = step.builder
    h = step.state("h")
    g, n = _gates(step, x, h, ("g", "n"))
    out = _mixed(step, "h", g, h, build.function("n", "tanh", n))
    build.carry("h", out)
    return out


def _intersection(step: CellStep, x: int) -> int:
    build = step.builder
    h = step.state("h")
    g_h, n_h, g_y, n_y = _gates(step, x, h, ("g_h", "n_h", "g_y", "n_y"))
    build.carry("h", _mixed(step, "h", g_h, h, build.function("n_h", "tanh", n_h)))
    return _mixed(step, "y", g_y, x, build.function("n_y", "relu", n_y))


def _reciprocal_gated(step: CellStep, x: int, activation: str) -> int:
    build = step.builder
    states = {"hidden": step.state("c"), "output": step.state("h")}
    new = {}
    for name, other in (("output", "hidden"), ("hidden", "output")):
        keep, admit = (
            build.function(f"{kind}_{name}.gate", "sigmoid", step.apply(f"{kind}_{name}", read), scale=-1, offset=1)
            for kind, read in (("keep", states[name]), ("admit", states[other]))
        )
        drive = build.sum(f"{name}.drive", x, *step.ports.get(name, ()))
        admitted = build.product(f"{name}.admitted", admit, drive)
        total = build.sum(f"{name}.sum", admitted, build.product(f"{name}.kept", keep, states[name]))
        new[name] = build.function(f"{name}'", activation, total)
    build.carry("c", new["hidden"])
    build.carry("h", new["output"])
    return new["output"]


def _gates(step: CellStep, x: int, h: int, names: tuple[str, ...]) -> list[int]:
    """The parts of the convolution of [x, h]."""
    build = step.builder
    total = build.sum("gates", step.apply("gates_input", x), step.apply("gates_hidden", h))
    total = step.apply("norm_gates", total)
    return [build.add(f"{name}.part", Part(index, len(names)), [total]) for index, name in enumerate(names)]


def _mixed(step: CellStep, name: str, gate: int, kept: int, new: int) -> int:
    """σ(gate + 1)∘kept + (1 − σ(gate + 1))∘new."""
    build = step.builder
    keep = build.function(f"{name}.keep", "sigmoid", gate, added=BIAS)
    admit = build.function(f"{name}.admit", "identity", keep, scale=-1.0, offset=1.0)
    return build.sum(f"{name}'", build.product(f"{name}.kept", keep, kept), build.product(f"{name}.new", admit, new))


def _peephole(step: CellStep, gate: str, total: int, c: int) -> int:
    """A gate's pre-activation with what it reads of c, where the cell has peepholes."""
    name = f"peephole_{gate}"
    if name not in step.area.cell_operations:
        return total
    return step.builder.sum(f"{gate}.sum", total, step.apply(name, c))
