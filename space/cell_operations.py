"""What each type of cell learns and what feeds what in one step of it.

`lower_cell` gives two tables. `operations`: name → the parametrised operation (and the resize of r where one is
needed), by the names that the equation in `cells/` uses. `flow`: name → what it reads, in the order of the equation:

    sources (read, never a key)    `drive` the area's drive; `r` what the area reads; `c`, `h` the states that the step
                                   before left, zeros before the first; `port.input`, `port.hidden`, `port.output` the
                                   feedback that enters there (in the flow of every cell that declares the port)
    keys that are operations       all names of `operations`, with what each is applied to (several: to their sum,
                                   concatenation or gating, all of the same step)
    other keys                     elementwise functions of what they read: `x` the drive with the feedback at the
                                   input, after the input activation; gates and sums of the searched cell
    `c'`, `h'`                     the states that this step leaves, where the cell has them
    `y`                            what the area's operations after the cell read

So what can influence `y` at step t is the closure of its inputs, where `c` and `h` at step t are `c'` and `h'` at
t − 1. The flow says what reads what; how (the activations, offsets) is in the cell's dataclass.
"""

from __future__ import annotations

from space.cell_models import Cell, ConvGRU, ConvLSTM, Feedforward, ReciprocalGated, Searched, SimpleRNN
from space.cell_site import X_READS, CellSite, Flow, LoweredCell
from space.operations import Operation
from space.searched_operations import lower_searched


def lower_cell(cell: Cell, site: CellSite) -> LoweredCell:
    """The operations and the flow of a cell; what does not fit together is refused through `site`."""
    match cell:
        case Feedforward():
            return LoweredCell({}, {"x": X_READS, "y": ("x",)})
        case SimpleRNN():
            return _simple(cell, site)
        case ConvGRU():
            return _gru(cell, site)
        case ConvLSTM():
            return _lstm(cell, site)
        case ReciprocalGated():
            return _reciprocal_gated(cell, site)
        case Searched():
            return lower_searched(cell, site)


def _simple(cell: SimpleRNN, site: CellSite) -> LoweredCell:
    channels = site.shape[0]
    operations: dict[str, Operation] = {"hidden": site.link(cell.hidden, "hidden", channels, channels, bias=True)}
    flow: Flow = {"x": X_READS, "hidden": ("h",), "h'": ("x", "hidden"), "y": ("h'",)}
    if cell.norm == "layer":
        operations["norm"] = site.norm("norm", channels, groups=1)
        flow |= {"norm": ("x", "hidden"), "h'": ("norm",)}
    return LoweredCell(operations, flow)


def _gru(cell: ConvGRU, site: CellSite) -> LoweredCell:
    channels = site.shape[0]
    operations: dict[str, Operation] = {
        "gates_input": site.link(cell.gates, "gates_input", channels, 2 * channels, bias=True),
        "gates_hidden": site.link(cell.gates, "gates_hidden", channels, 2 * channels, bias=False),
        "candidate_input": site.link(cell.candidate, "candidate_input", channels, channels, bias=True),
        "candidate_hidden": site.link(cell.candidate, "candidate_hidden", channels, channels, bias=False),
    }
    flow: Flow = {
        "x": X_READS,
        "gates_input": ("x",),
        "gates_hidden": ("h",),
        "candidate_input": ("x",),
        "candidate_hidden": ("gates_input", "gates_hidden", "h"),
        "h'": ("gates_input", "gates_hidden", "h", "candidate_input", "candidate_hidden"),
        "y": ("h'",),
    }
    return LoweredCell(operations, flow)


def _lstm(cell: ConvLSTM, site: CellSite) -> LoweredCell:
    channels = site.shape[0]
    operations: dict[str, Operation] = {
        "gates_input": site.link(cell.gates, "gates_input", channels, 4 * channels, bias=True),
        "gates_hidden": site.link(cell.gates, "gates_hidden", channels, 4 * channels, bias=False),
    }
    gates: tuple[str, ...] = ("gates_input", "gates_hidden")
    flow: Flow = {"x": X_READS, "gates_input": ("x",), "gates_hidden": ("h",)}
    state = "c'"
    if cell.norm == "layer":
        operations["norm_gates"] = site.norm("norm_gates", 4 * channels, groups=4)
        operations["norm_state"] = site.norm("norm_state", channels, groups=1)
        flow |= {"norm_gates": gates, "norm_state": ("c'",)}
        gates, state = ("norm_gates",), "norm_state"
    flow |= {"c'": ("c", *gates), "h'": (state, *gates), "y": ("h'",)}
    return LoweredCell(operations, flow)


def _reciprocal_gated(cell: ReciprocalGated, site: CellSite) -> LoweredCell:
    channels = site.shape[0]
    links = {
        "keep_output": cell.keep,
        "keep_hidden": cell.keep,
        "admit_output": cell.admit,
        "admit_hidden": cell.admit,
    }
    operations: dict[str, Operation] = {
        name: site.link(link, name, channels, channels, bias=False) for name, link in links.items()
    }
    flow: Flow = {
        "x": X_READS,
        "keep_output": ("h",),
        "keep_hidden": ("c",),
        "admit_output": ("c",),
        "admit_hidden": ("h",),
        "h'": ("admit_output", "x", "port.output", "keep_output", "h"),
        "c'": ("admit_hidden", "x", "port.hidden", "keep_hidden", "c"),
        "y": ("h'",),
    }
    return LoweredCell(operations, flow)
