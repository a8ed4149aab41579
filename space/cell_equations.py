"""One step of each cell as dataflow nodes: the equations of `cells/`, term by term.

Names are those of the cell's operations, and of the states and gates in the equations.
"""

from __future__ import annotations

from space.cell_models import ConvGRU, ConvLSTM, Feedforward, ReciprocalGated, Searched, SimpleRNN
from space.cell_step import CellStep
from space.flow import Builder, Part
from space.graph import AreaNode
from space.searched_equations import searched

FORGET_BIAS = 1.0
GATE_BIAS = 1.0


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
        case SimpleRNN(activation=activation):
            return _simple(step, x, activation)
        case ConvGRU():
            return _gru(step, x)
        case ConvLSTM():
            return _lstm(step, x)
        case ReciprocalGated(activation=activation):
            return _reciprocal_gated(step, x, activation)
        case Searched():
            return searched(step, area.cell, x)


def _simple(step: CellStep, x: int, activation: str) -> int:
    build = step.builder
    h = step.state("h")
    total = step.apply("norm", build.sum("h.sum", x, step.apply("hidden", h)))
    out = build.function("h'", activation, total)
    build.feed(h, out)
    return out


def _gru(step: CellStep, x: int) -> int:
    build = step.builder
    h = step.state("h")
    gates = build.sum("gates", step.apply("gates_input", x), step.apply("gates_hidden", h))
    reset, update = (
        build.function(name, "sigmoid", build.add(f"{name}.part", Part(index, 2), [gates]), added=GATE_BIAS)
        for index, name in enumerate(("reset", "update"))
    )
    read = build.product("reset.h", reset, h)
    total = build.sum("n.sum", step.apply("candidate_input", x), step.apply("candidate_hidden", read))
    admitted = build.function("admit", "identity", update, scale=-1.0, offset=1.0)
    kept = build.product("kept", update, h)
    out = build.sum("h'", kept, build.product("new", admitted, build.function("n", "tanh", total)))
    build.feed(h, out)
    return out


def _lstm(step: CellStep, x: int) -> int:
    build = step.builder
    c, h = step.state("c"), step.state("h")
    gates = build.sum("gates", step.apply("gates_input", x), step.apply("gates_hidden", h))
    gates = step.apply("norm_gates", gates)
    i, j, f, o = (build.add(f"{name}.part", Part(index, 4), [gates]) for index, name in enumerate("ijfo"))
    kept = build.product("kept", c, build.function("f", "sigmoid", f, added=FORGET_BIAS))
    new = build.product("new", build.function("i", "sigmoid", i), build.function("j", "tanh", j))
    carried = build.sum("c'", kept, new)
    shown = build.function("c'.tanh", "tanh", step.apply("norm_state", carried))
    out = build.product("h'", shown, build.function("o", "sigmoid", o))
    build.feed(c, carried)
    build.feed(h, out)
    return out


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
    for name, state in states.items():
        build.feed(state, new[name])
    return new["output"]
