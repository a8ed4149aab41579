"""The searched cell's operations, by the names of its equation (`cells/searched.py`).

A sum of convolutions has one bias, held by the first of its links. What neither gates nor recurs (`output_from_input`,
`output_bypass`) starts as feedforward kernels do: with the gates open it is the base network.
"""

from __future__ import annotations

from dataclasses import replace

from space.cell_models import Link, Searched
from space.cell_site import CellSite
from space.operations import Operation, Resizing
from space.searched_sums import Sums, Term, hidden_sums, output_sums, searched_sums

_ONE_BY_ONE = Link(kernel=1)
_FEEDFORWARD = ("output_from_input", "output_bypass")


def lower_searched(cell: Searched, site: CellSite) -> dict[str, Operation]:
    """The operations of a searched cell."""
    _refuse_what_does_not_fit(cell, site)
    channels, size, _ = site.shape
    hidden_channels = cell.hidden.channels if cell.hidden else 0
    widths = {"x": channels, "r": site.input_shape[0], "c": hidden_channels, "h": channels}
    found: dict[str, Operation] = {}
    reads_residual = any(term.point == "r" for terms in searched_sums(cell).values() for term in terms)
    if reads_residual and site.input_shape[1] != size:
        found["residual"] = Resizing("bilinear", size)
    sides = [("hidden", hidden_sums(cell.hidden), hidden_channels)] if cell.hidden else []
    for side, sums, width in (*sides, ("output", output_sums(cell.output), channels)):
        found |= _convolutions(sums, widths, width, site)
        if cell.norm == "layer":
            found[f"{side}_norm"] = site.norm(f"{side}_norm", width, groups=1)
    return found


def _convolutions(sums: Sums, widths: dict[str, int], outputs: int, site: CellSite) -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for terms in sums.values():
        biased = next((term for term in terms if term.link), None)
        for term in terms:
            inputs = widths[term.point]
            if term.link or inputs != outputs:
                link = term.link or _ONE_BY_ONE
                operation = site.link(link, term.name, inputs, outputs, bias=term is biased)
                found[term.name] = replace(operation, role=_role(term))
    return found


def _role(term: Term) -> str:
    return "feedforward" if term.name in _FEEDFORWARD else "recurrent"


def _refuse_what_does_not_fit(cell: Searched, site: CellSite) -> None:
    hidden, output, path, refuse = cell.hidden, cell.output, site.path, site.refuse
    gated_by = output.admit.sources if output.admit else None
    if hidden and not (hidden.from_input or hidden.from_residual):
        rule = "a hidden state is fed by `from_input`, `from_residual` or both, but neither was given"
        refuse(f"{path}.hidden", f"{rule}; add one, or write `hidden: none`")
    if gated_by and not (gated_by.hidden or gated_by.input or gated_by.residual):
        rule = "a gate reads something, but none of `hidden`, `input` and `residual` was given"
        refuse(f"{path}.output.admit.sources", f"{rule}; add one, or write `admit: none`")
    readers = {"from_hidden": output.from_hidden, "admit.sources.hidden": gated_by.hidden if gated_by else None}
    present = [key for key, link in readers.items() if link]
    if hidden is None:
        for key in present:
            rule = f"`{key}` reads the hidden state, but this cell has none"
            refuse(f"{path}.output.{key}", f"{rule}; take it away, or give the cell a `hidden`")
    elif len(present) == len(readers):
        rule = "the hidden state is added to the output or gates it, but both were given"
        refuse(f"{path}.output.from_hidden", f"{rule}; make one of from_hidden and admit.sources.hidden `none`")
