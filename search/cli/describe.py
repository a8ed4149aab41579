"""`striate describe`: what an architecture is."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from search.cli.options import JsonOption, output
from space.convert import write
from space.forms import Variant
from space.model import CELLS
from space.nodes import AreaNode, Graph
from space.operations import Shape, count
from space.parse import find, parse_architecture


def describe(
    file: Annotated[str, typer.Argument(help="File of an architecture, or the name of a shipped one.")],
    json_: JsonOption = False,
) -> None:
    """Print an architecture's areas, cells, edges and parameters.

    Example: striate describe digits-rgc
    """
    architecture, graph = parse_architecture(*find(file))
    facts = _facts(graph)
    console = output()
    if json_:
        console.print(json.dumps(facts, indent=2))
        return
    size = architecture.input
    console.print(
        f"{graph.name}: {size.channels}×{size.size}×{size.size} pixels to {size.classes} classes, "
        f"{graph.steps} steps ({architecture.time.unroll} unroll), trained on {architecture.train.data}"
    )
    areas = Table(title="Areas", title_justify="left", box=None)
    for heading in ("area", "reads", "cell at", "cell", "emits", "parameters"):
        areas.add_column(heading, justify="right" if heading == "parameters" else "left")
    for area in facts["areas"]:
        shapes = ("×".join(map(str, area[key])) for key in ("reads", "cell_at", "emits"))
        reads, cell_at, emits = shapes
        areas.add_row(area["name"], reads, cell_at, _cell_text(area["cell"]), emits, f"{area['parameters']:,}")
    console.print(areas)
    if facts["feedback"]:
        edges = Table(title="Feedback edges", title_justify="left", box=None)
        for heading in ("edge", "enters", "parameters"):
            edges.add_column(heading, justify="right" if heading == "parameters" else "left")
        for edge in facts["feedback"]:
            edges.add_row(edge["name"], edge["enters"], f"{edge['parameters']:,}")
        console.print(edges)
    else:
        console.print("No feedback edges.")
    console.print(f"Read-out: {facts['readout_parameters']:,} parameters. Total: {facts['parameters']:,} parameters.")


def _facts(graph: Graph) -> dict[str, Any]:
    return {
        "name": graph.name,
        "steps": graph.steps,
        "areas": [_area_facts(area) for area in graph.areas],
        "feedback": [
            {"name": edge.name, "enters": edge.port, "parameters": count(edge.parameters)} for edge in graph.long_range
        ],
        "readout_parameters": count(graph.readout.parameters),
        "parameters": graph.parameter_count,
    }


def _area_facts(area: AreaNode) -> dict[str, Any]:
    shapes: dict[str, Shape] = {"reads": area.input_shape, "cell_at": area.shape, "emits": area.output_shape}
    cell = write(Variant(CELLS), area.cell)
    return {"name": area.name, **shapes, "cell": cell, "parameters": count(area.parameters)}


def _cell_text(cell: dict[str, Any]) -> str:
    """A cell as its type and what it sets, such as `lstm gates 3×3 separable`."""
    parts = [str(cell["type"])]
    for key, value in cell.items():
        if isinstance(value, dict) and "kernel" in value:
            kind = " separable" if value["separable"] else ""
            parts.append(f"{key} {value['kernel']}×{value['kernel']}{kind}")
        elif key == "norm" and value != "none":
            parts.append(f"{value} norm")
    return ", ".join(parts)
