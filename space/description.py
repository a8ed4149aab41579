"""What can be told of an architecture, as plain data: its parts, when each matters, what it costs."""

from __future__ import annotations

from typing import Any

from space.area_steps import BATCH, COMPUTED, AreaStep, area_steps, edge_steps
from space.convert import write
from space.cost import Cost, area_multiply_adds, declared, edge_multiply_adds, live
from space.forms import Record, Variant
from space.model import CELLS, IMAGE, Architecture
from space.nodes import AreaNode, EdgeNode, Graph
from space.operations import (
    Activation,
    Convolution,
    Dropout,
    LayerNorm,
    Normalisation,
    Operation,
    Pooling,
    Resizing,
    Scale,
    count,
)

Facts = dict[str, Any]


def description(architecture: Architecture, graph: Graph) -> Facts:
    """All that `striate describe` tells of an architecture and the graph that it lowers to.

    Shapes are `[C, H, W]`, costs are of one image and in multiply-adds, steps count from 0.
    """
    batch = architecture.train.batch_size
    alive = live(graph)
    return {
        "name": graph.name,
        "input": write(Record(type(architecture.input)), architecture.input),
        "data": architecture.train.data,
        "time": {
            "steps": graph.steps,
            "unroll": architecture.time.unroll,
            "stimulus": {"shown": graph.clock.shown, "after": graph.clock.after, "frames": graph.clock.frames},
        },
        "chain": architecture.edges.forward is None,
        "areas": [_area(area, steps) for area, steps in zip(graph.areas, area_steps(graph), strict=True)],
        "edges": [_edge(edge, graph, steps) for edge, steps in zip(graph.edges, edge_steps(graph), strict=True)],
        "readout": _readout(architecture, graph),
        "parameters": graph.parameter_count,
        "declared": _cost(declared(graph), batch),
        "live": _cost(alive, batch),
        "batch_size": batch,
    }


def _area(area: AreaNode, steps: tuple[AreaStep, ...]) -> Facts:
    return {
        "name": area.name,
        "reads": area.input_shape,
        "cell_at": area.shape,
        "cell": write(Variant(CELLS), area.cell),
        "emits": area.output_shape,
        "parameters": count(area.parameters),
        "multiply_adds_per_step": area_multiply_adds(area),
        "live_steps": [step for step, each in enumerate(steps) if each.is_live],
        "computed_steps": [step for step, each in enumerate(steps) if each.kind in (COMPUTED, BATCH)],
        "batch_steps": [step for step, each in enumerate(steps) if each.kind == BATCH],
    }


def _edge(edge: EdgeNode, graph: Graph, live_steps: tuple[int, ...]) -> Facts:
    last = min(edge.wire.last, graph.steps - 1)
    limited = (edge.wire.first, last) != (0, graph.steps - 1)
    return {
        "name": edge.name,
        "kind": edge.kind,
        "from": graph.areas[edge.source].name if edge.source >= 0 else IMAGE,
        "to": graph.areas[edge.target].name,
        "enters": edge.port,
        "delay": edge.wire.delay,
        "active": [edge.wire.first, last] if limited else None,
        "live_steps": list(live_steps),
        "via": [_words(each) for each in edge.operations],
        "parameters": count(edge.parameters),
        "multiply_adds_per_step": edge_multiply_adds(edge, graph),
    }


def _readout(architecture: Architecture, graph: Graph) -> Facts:
    return {
        "area": graph.areas[-1].name,
        "pool": graph.readout.pool,
        "delay": graph.answer.delay,
        "steps": graph.answer.steps,
        "decode": graph.decoding.decode,
        "threshold": graph.decoding.threshold if graph.decoding.decode == "threshold" else None,
        "loss": architecture.readout.loss,
        "parameters": count(graph.readout.parameters),
    }


def _cost(cost: Cost, batch: int) -> Facts:
    return {
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "batch_multiply_adds": cost.batch_multiply_adds,
        "memory_bytes": cost.memory_bytes(batch),
    }


def _words(operation: Operation) -> str:
    """An operation, such as `conv 3×3 / 2 · 64`."""
    match operation:
        case Activation(function):
            return function
        case Convolution():
            name = "transposed conv" if operation.transposed else "separable conv" if operation.separable else "conv"
            stride = f" / {operation.stride}" if operation.stride > 1 else ""
            return f"{name} {operation.kernel}×{operation.kernel}{stride} · {operation.outputs}"
        case Pooling():
            name = "avg pool" if operation.mean else "max pool"
            return f"{name} {operation.kernel}×{operation.kernel} / {operation.stride}"
        case Resizing():
            return f"resize {operation.mode}"
        case Normalisation(groups=groups, channels=channels):
            kinds = {channels: "instance norm", 1: "layer norm", 0: "batch norm"}
            return kinds.get(groups, f"norm in {groups} groups")
        case LayerNorm():
            return "layer norm"
        case Dropout(rate=rate):
            return f"dropout {rate:g}"
        case Scale():
            return "scale"
