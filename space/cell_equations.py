"""One step of each cell as dataflow nodes: the equations of `cells/`, term by term.

Names are those of the cell's operations, and of the states and gates in the equations.
"""

from __future__ import annotations

from dataclasses import dataclass

from space.cell_models import (
    ConvGRU,
    ConvLSTM,
    Feedforward,
    HiddenAdmitGate,
    KeepGate,
    OutputAdmitGate,
    ReciprocalGated,
    Searched,
    SimpleRNN,
)
from space.dataflow import Builder, Part
from space.nodes import AreaNode

FORGET_BIAS = 1.0
GATE_BIAS = 1.0
_GATE_SOURCES = ("self", "output", "hidden", "input", "residual")


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
    step = _Step(builder, area, residual, ports)
    joined = builder.sum("x", drive, *ports.get("input", ()))
    x = builder.function("x.activation", area.cell.input.activation, joined)
    match area.cell:
        case Feedforward():
            return x
        case SimpleRNN(activation=activation):
            return step.simple(x, activation)
        case ConvGRU():
            return step.gru(x)
        case ConvLSTM():
            return step.lstm(x)
        case ReciprocalGated(activation=activation):
            return step.reciprocal_gated(x, activation)
        case Searched():
            return step.searched(area.cell, x)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of one area's cell."""

    builder: Builder
    area: AreaNode
    residual: int
    ports: dict[str, tuple[int, ...]]

    def apply(self, name: str, node: int) -> int:
        """An operation of the cell by its name; a norm that the cell does not have changes nothing."""
        operation = self.area.cell_operations.get(name)
        return self.builder.operation(name, operation, node) if operation else node

    def state(self, name: str) -> int:
        """A state as the step before left it."""
        return self.builder.state(name, self.area.shape)

    def simple(self, x: int, activation: str) -> int:
        build = self.builder
        h = self.state("h")
        total = self.apply("norm", build.sum("h.sum", x, self.apply("hidden", h)))
        out = build.function("h'", activation, total)
        build.carry("h", out)
        return out

    def gru(self, x: int) -> int:
        build = self.builder
        h = self.state("h")
        gates = build.sum("gates", self.apply("gates_input", x), self.apply("gates_hidden", h))
        reset, update = (
            build.function(name, "sigmoid", build.add(f"{name}.part", Part(index, 2), [gates]), added=GATE_BIAS)
            for index, name in enumerate(("reset", "update"))
        )
        read = build.product("reset.h", reset, h)
        total = build.sum("n.sum", self.apply("candidate_input", x), self.apply("candidate_hidden", read))
        admitted = build.function("admit", "identity", update, scale=-1.0, offset=1.0)
        kept = build.product("kept", update, h)
        out = build.sum("h'", kept, build.product("new", admitted, build.function("n", "tanh", total)))
        build.carry("h", out)
        return out

    def lstm(self, x: int) -> int:
        build = self.builder
        c, h = self.state("c"), self.state("h")
        gates = build.sum("gates", self.apply("gates_input", x), self.apply("gates_hidden", h))
        gates = self.apply("norm_gates", gates)
        i, j, f, o = (build.add(f"{name}.part", Part(index, 4), [gates]) for index, name in enumerate("ijfo"))
        kept = build.product("kept", c, build.function("f", "sigmoid", f, added=FORGET_BIAS))
        new = build.product("new", build.function("i", "sigmoid", i), build.function("j", "tanh", j))
        carried = build.sum("c'", kept, new)
        shown = build.function("c'.tanh", "tanh", self.apply("norm_state", carried))
        out = build.product("h'", shown, build.function("o", "sigmoid", o))
        build.carry("c", carried)
        build.carry("h", out)
        return out

    def reciprocal_gated(self, x: int, activation: str) -> int:
        build = self.builder
        states = {"hidden": self.state("c"), "output": self.state("h")}
        new = {}
        for name, other in (("output", "hidden"), ("hidden", "output")):
            keep, admit = (
                build.function(f"{kind}_{name}.gate", "sigmoid", self.apply(f"{kind}_{name}", read), scale=-1, offset=1)
                for kind, read in (("keep", states[name]), ("admit", states[other]))
            )
            drive = build.sum(f"{name}.drive", x, *self.ports.get(name, ()))
            admitted = build.product(f"{name}.admitted", admit, drive)
            total = build.sum(f"{name}.sum", admitted, build.product(f"{name}.kept", keep, states[name]))
            new[name] = build.function(f"{name}'", activation, total)
        build.carry("c", new["hidden"])
        build.carry("h", new["output"])
        return new["output"]

    def searched(self, cell: Searched, x: int) -> int:
        build = self.builder
        residual = self.apply("residual", self.residual)
        h = self.state("h")
        points = {"input": x, "residual": residual, "output": h}
        if cell.hidden:
            c = self.state("c")
            points["hidden"] = c
            read = {"from_input": cell.hidden.from_input, "from_residual": cell.hidden.from_residual}
            terms = [
                self.apply(f"hidden_{key}", points[key.removeprefix("from_")]) for key, link in read.items() if link
            ]
            u_c = build.sum("u_c", *terms, *self.ports.get("hidden", ()))
            kept = self.gated("hidden_keep", cell.hidden.keep, {**points, "self": c}, c)
            admitted = self.gated("hidden_admit", cell.hidden.admit, points, u_c)
            total = self.apply("hidden_norm", build.sum("c.sum", kept, admitted))
            build.carry("c", build.function("c'", cell.hidden.activation, total))
        output = cell.output
        terms = [self.apply("output_from_input", x)]
        if output.from_hidden:
            terms.append(self.apply("output_from_hidden", points["hidden"]))
        if output.bypass:
            terms.append(self.apply("output_bypass", residual))
        u_h = build.sum("u_h", *terms, *self.ports.get("output", ()))
        kept = self.gated("output_keep", output.keep, {**points, "self": h}, h)
        admitted = self.gated("output_admit", output.admit, points, u_h)
        total = self.apply("output_norm", build.sum("h.sum", kept, admitted))
        out = build.function("h'", output.activation, total)
        build.carry("h", out)
        return out

    def gated(
        self,
        name: str,
        gate: KeepGate | HiddenAdmitGate | OutputAdmitGate | None,
        points: dict[str, int],
        passed: int,
    ) -> int:
        """What a gate of the searched cell lets through."""
        if gate is None:
            return passed
        keys = [key for key in _GATE_SOURCES if f"{name}_{key}" in self.area.cell_operations]
        total = self.builder.sum(f"{name}.sum", *(self.apply(f"{name}_{key}", points[key]) for key in keys))
        scale = -gate.offset if gate.scale is None else gate.scale
        factor = self.builder.function(f"{name}.gate", gate.function, total, scale=scale, offset=gate.offset)
        return self.builder.product(f"{name}.passed", factor, passed)
