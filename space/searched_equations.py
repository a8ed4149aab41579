"""One step of the searched cell as dataflow nodes: the ten steps of `cells/searched.py`."""

from __future__ import annotations

from space.cell_models import Searched, SearchedHidden, SearchedOutput
from space.cell_step import CellStep
from space.searched_sums import Gate, Sums, hidden_sums, output_sums


def searched(step: CellStep, cell: Searched, x: int) -> int:
    """The nodes of a searched cell; returns h'."""
    points = {"x": x, "r": step.apply("residual", step.residual), "h": step.state("h")}
    if cell.hidden:
        points["c"] = step.state("c")
        hidden = _next(step, cell.hidden, "hidden", "c", hidden_sums(cell.hidden), points)
        step.builder.carry("c", hidden)
    output = _next(step, cell.output, "output", "h", output_sums(cell.output), points)
    step.builder.carry("h", output)
    return output


def _next(
    step: CellStep, given: SearchedHidden | SearchedOutput, side: str, state: str, sums: Sums, points: dict[str, int]
) -> int:
    """φ(LN?(keep∘before + admit∘u)); feedback enters u at the port of the same name as the side."""
    build, u = step.builder, f"u_{state}"
    totals = {}
    for name, terms in sums.items():
        entering = step.ports.get(side, ()) if name == u else ()
        totals[name] = build.sum(name, *(step.apply(term.name, points[term.point]) for term in terms), *entering)
    kept = _gated(step, f"{side}_keep", given.keep, totals, points[state])
    admitted = _gated(step, f"{side}_admit", given.admit, totals, totals[u])
    total = step.apply(f"{side}_norm", build.sum(f"{state}.sum", kept, admitted))
    return build.function(f"{state}'", given.activation, total)


def _gated(step: CellStep, name: str, gate: Gate | None, totals: dict[str, int], passed: int) -> int:
    """What a gate lets through."""
    if gate is None:
        return passed
    scale = -gate.offset if gate.scale is None else gate.scale
    factor = step.builder.function(f"{name}.gate", gate.function, totals[name], scale=scale, offset=gate.offset)
    return step.builder.product(f"{name}.passed", factor, passed)
