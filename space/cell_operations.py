"""What each type of cell learns: name → the parametrised operation, and the resize of r where one is needed.

The names are those of the equations in `cells/`; what each operation reads is in `space.cell_equations`.
"""

from __future__ import annotations

from space.cell_models import (
    UGRNN,
    Cell,
    ConvGRU,
    ConvLSTM,
    Feedforward,
    Intersection,
    Link,
    ReciprocalGated,
    Searched,
    SimpleRNN,
    TimeDecay,
)
from space.cell_site import CellSite
from space.operations import Operation
from space.searched_operations import lower_searched


def lower_cell(cell: Cell, site: CellSite) -> dict[str, Operation]:
    """The operations of a cell; what does not fit together is refused through `site`."""
    match cell:
        case Feedforward():
            return {}
        case TimeDecay():
            return {"decay": site.scale("decay", 1)}
        case SimpleRNN():
            return _simple(cell, site)
        case ConvGRU():
            return _gru(cell, site)
        case ConvLSTM():
            return _lstm(cell, site)
        case UGRNN():
            return _of_x_and_h(cell.gates, "gates", 2, site)
        case Intersection():
            return _of_x_and_h(cell.gates, "gates", 4, site)
        case ReciprocalGated():
            return _reciprocal_gated(cell, site)
        case Searched():
            return lower_searched(cell, site)


def _simple(cell: SimpleRNN, site: CellSite) -> dict[str, Operation]:
    channels = site.shape[0]
    found: dict[str, Operation] = {"hidden": site.link(cell.hidden, "hidden", channels, channels, bias=True)}
    if cell.norm == "layer":
        found["norm"] = site.norm("norm", channels, groups=1)
    return found


def _gru(cell: ConvGRU, site: CellSite) -> dict[str, Operation]:
    return {**_of_x_and_h(cell.gates, "gates", 2, site), **_of_x_and_h(cell.candidate, "candidate", 1, site)}


def _lstm(cell: ConvLSTM, site: CellSite) -> dict[str, Operation]:
    channels = site.shape[0]
    found = _of_x_and_h(cell.gates, "gates", 4, site)
    if cell.norm == "layer":
        found["norm_gates"] = site.norm("norm_gates", 4 * channels, groups=4)
        found["norm_state"] = site.norm("norm_state", channels, groups=1)
    if cell.peepholes:
        found |= {name: site.scale(name, channels) for name in ("peephole_i", "peephole_f", "peephole_o")}
    return found


def _reciprocal_gated(cell: ReciprocalGated, site: CellSite) -> dict[str, Operation]:
    channels = site.shape[0]
    links = {
        "keep_output": cell.keep,
        "keep_hidden": cell.keep,
        "admit_output": cell.admit,
        "admit_hidden": cell.admit,
    }
    return {name: site.link(link, name, channels, channels, bias=False) for name, link in links.items()}


def _of_x_and_h(link: Link, name: str, parts: int, site: CellSite) -> dict[str, Operation]:
    """The convolution of [x, h] to `parts` times the area's channels: one over x, with the bias, and one over h."""
    channels = site.shape[0]
    return {
        f"{name}_input": site.link(link, f"{name}_input", channels, parts * channels, bias=True),
        f"{name}_hidden": site.link(link, f"{name}_hidden", channels, parts * channels, bias=False),
    }
