"""One step of one area's cell, while its dataflow is built."""

from __future__ import annotations

from dataclasses import dataclass

from space.cell_models import port_channels
from space.dataflow import Builder
from space.nodes import AreaNode


@dataclass(frozen=True, slots=True)
class CellStep:
    """Where the nodes of a step go, and what it reads.

    Arguments:
        builder: takes the nodes.
        area: whose cell.
        residual: the node of r, what the area reads.
        ports: port → the nodes that enter there along edges.

    """

    builder: Builder
    area: AreaNode
    residual: int
    ports: dict[str, tuple[int, ...]]

    def apply(self, name: str, node: int) -> int:
        """An operation of the cell by its name; one that the cell does not have changes nothing."""
        operation = self.area.cell_operations.get(name)
        return self.builder.operation(name, operation, node) if operation else node

    def state(self, name: str) -> int:
        """A state as the step before left it."""
        channels = self.area.shape[0] if name == "h" else port_channels(self.area.cell, "hidden", self.area.shape[0])
        return self.builder.state(name, (channels, *self.area.shape[1:]))
