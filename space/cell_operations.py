"""What each type of cell learns: its links and norms as operations, by the names that its equation in `cells/` uses."""

from __future__ import annotations

from space.model import Cell, ConvLSTM, Feedforward, Link, ReciprocalGated, SimpleRNN
from space.operations import Convolution, LayerNorm, Operation


def link_convolution(link: Link, path: str, inputs: int, outputs: int, *, bias: bool) -> Convolution:
    """The convolution that a link becomes between two widths; stride 1."""
    return Convolution(path, inputs, outputs, link.kernel, 1, link.separable, bias, role="recurrent")


def cell_operations_of(cell: Cell, channels: int, path: str) -> dict[str, Operation]:
    """The parametrised operations of a cell by the names that its equation in `cells/` uses."""
    match cell:
        case Feedforward():
            return {}
        case SimpleRNN(hidden=hidden, norm=norm):
            operations: dict[str, Operation] = {
                "hidden": link_convolution(hidden, f"{path}.hidden", channels, channels, bias=True)
            }
            if norm == "layer":
                operations["norm"] = LayerNorm(f"{path}.norm", channels, groups=1)
            return operations
        case ConvLSTM(gates=gates, norm=norm):
            operations = {
                "gates_input": link_convolution(gates, f"{path}.gates_input", channels, 4 * channels, bias=True),
                "gates_hidden": link_convolution(gates, f"{path}.gates_hidden", channels, 4 * channels, bias=False),
            }
            if norm == "layer":
                operations["norm_gates"] = LayerNorm(f"{path}.norm_gates", 4 * channels, groups=4)
                operations["norm_state"] = LayerNorm(f"{path}.norm_state", channels, groups=1)
            return operations
        case ReciprocalGated(keep=keep, admit=admit):
            links = {"keep_output": keep, "keep_hidden": keep, "admit_output": admit, "admit_hidden": admit}
            return {
                name: link_convolution(link, f"{path}.{name}", channels, channels, bias=False)
                for name, link in links.items()
            }
