"""The lowering: an architecture to areas, edges and operations with their shapes and parameters.

Everything that must know what an architecture computes reads this graph: the network is built from it, parameters are
counted on it, `describe` prints it. Shapes are `(C, H, W)`.
"""

from __future__ import annotations

from dataclasses import replace

from space.allowance import MAX_AREA_STEPS
from space.cell_operations import lower_cell
from space.cell_site import CellSite
from space.errors import Mark, Problems
from space.joints import Joint, joints
from space.model import CELLS, DRIVE, Architecture, Area, Resize, cell_ports, port_channels
from space.nodes import AreaNode, Decoding, EdgeNode, Graph, apart, readers
from space.operations import Linear, Operation, Shape
from space.sequences import Sequences, Site
from space.tree import Mapping, locate
from space.wiring import (
    IMAGE,
    Clock,
    Schedule,
    answered,
    arrivals,
    circle,
    driven,
    illuminated,
    schedule,
    steps_of,
)

_UNTIL_NEVER = 1_000


def lower(architecture: Architecture, tree: Mapping | None = None) -> Graph:
    """Lower an architecture.

    Arguments:
        architecture: what to lower.
        tree: the document it was built from, so that errors say where they are.

    Raises:
        SpecificationError: with everything that does not fit together.

    """
    return _Lowering(architecture, tree).graph()


class _Lowering:
    """One lowering of one architecture."""

    def __init__(self, architecture: Architecture, tree: Mapping | None) -> None:
        self.architecture = architecture
        self.tree = tree
        self.problems = Problems()
        time = architecture.time
        self.clock = Clock(time.steps, time.stimulus.shown, time.stimulus.after, time.stimulus.frames)
        self.readers = readers(architecture.areas)
        self.joints = joints(architecture, self.refuse)
        self.wires = [joint.wire for joint in self.joints]
        self.driving: list[list[Joint]] = [[] for _ in architecture.areas]  # the edges that enter each area's drive
        for joint in self.joints:
            if joint.wire.port == DRIVE:
                self.driving[joint.wire.target].append(joint)
        delay = architecture.readout.delay
        self.delay = (1 if time.unroll == "biological" else 0) if delay is None else delay
        self.sequences = Sequences(self.refuse)

    def refuse(self, path: str, message: str, named: str = "") -> None:
        """Note that the value at `path` does not fit; `named` is the path to tell, where an edge has a name in it."""
        mark = locate(self.tree, path) if self.tree else Mark(self.architecture.name, 1, 1)
        self.problems.add(mark, named or path, message)

    def graph(self) -> Graph:
        given = self.architecture
        self.check_wires()
        self.problems.raise_if_any()
        decoding = Decoding(given.readout.decode, given.readout.threshold, given.readout.loss == "every")
        answer = answered(self.clock, self.readers, self.wires, self.delay, every=decoding.asks_every_step)
        if not answer.steps:
            self.refuse_unreached()
        timing = schedule(self.clock, self.readers, self.wires, answer)
        image = (given.input.channels, given.input.size, given.input.size)
        areas: list[AreaNode] = []
        edges: dict[str, EdgeNode] = {}
        brought: dict[tuple[int, str], list[int]] = {}
        for rank, area in enumerate(given.areas):
            arrived: list[Shape] = []
            for joint in self.into(rank, areas):
                edges[joint.name], shape = self.edge(joint, areas, image, timing, arrived[0] if arrived else None)
                arrived.append(shape)
            areas.append(self.area(rank, area, arrived, timing))
        for joint in self.joints:
            if joint.name not in edges:
                wanted = self.wanted(joint, areas)
                edges[joint.name], shape = self.edge(joint, areas, image, timing, wanted)
                self.check_arrival(joint, areas, shape, wanted)
                brought.setdefault((joint.wire.target, joint.wire.port), []).append(shape[0])
        self.check_concatenations(areas, brought)
        channels, height, width = areas[-1].output_shape
        features = channels if given.readout.pool == "mean" else channels * height * width
        readout = Linear("readout", given.readout.pool, features, given.input.classes)
        self.problems.raise_if_any()
        in_order = tuple(edges[joint.name] for joint in self.joints)
        return Graph(given.name, image, self.clock, tuple(areas), in_order, readout, answer, decoding)

    def check_wires(self) -> None:
        """Refuse circles without a delay, areas that read nothing, and joins that cannot do without a signal."""
        areas = self.architecture.areas
        stimulus = self.architecture.time.stimulus
        if stimulus.after is not None and stimulus.shown is None:
            rule = f"`after` is what is shown after the image, but {stimulus.after:g} stands without `shown`"
            self.refuse("time.stimulus.after", f"{rule}; say for how many steps the image is shown, or take it away")
        if around := circle(len(areas), self.wires):
            names = " > ".join(areas[rank].name for rank in (*around[::-1], around[-1]))
            rule = f"areas that read one another in a circle do so with a delay, but {names} has none"
            self.refuse("edges", f"{rule}; give one of these edges `delay: 1`")
        for rank, area in enumerate(areas):
            if not any(joint.wire.source < rank for joint in self.driving[rank]):
                rule = "an area reads the image or a lower area at its drive, but no such edge enters"
                self.refuse(f"areas.{area.name}", f"{rule} {area.name}; add one to `edges.forward`")
            for port in (DRIVE, *cell_ports(area.cell)):
                if getattr(area.joins, port) != "sum" and area.absent != "zeros":
                    rule = f"only what is summed may be absent, but {port} of {area.name} has the join"
                    rule = f"{rule} {getattr(area.joins, port)} and the area has `absent: {area.absent}`"
                    self.refuse(f"areas.{area.name}.joins", f"{rule}; write `absent: zeros`, or join by sum")
        if (area_steps := len(areas) * self.clock.steps) > MAX_AREA_STEPS:
            rule = f"areas times steps are at most {MAX_AREA_STEPS:,}, but {len(areas):,} areas in {self.clock.steps:,}"
            self.refuse("time.steps", f"{rule} steps make {area_steps:,}; give fewer steps, or fewer areas")
        for reader, port in apart(areas, self.wires, self.clock):
            rule = f"what is concatenated is there at the same steps, but what enters {reader.name} at {port} is not"
            rule = f"{rule}; give all these edges the same `active`, or join them by sum"
            self.refuse(f"areas.{reader.name}.joins", rule)

    def refuse_unreached(self) -> None:
        """Say how many steps it would take; or that there is no way at all."""
        clock = self.clock
        longest = clock.steps + len(self.readers) + sum(wire.delay for wire in self.wires) + self.delay
        for steps in range(clock.steps + 1, longest + 2):
            if steps > _UNTIL_NEVER:
                break
            longer = replace(clock, steps=steps)
            if answered(longer, self.readers, self.wires, self.delay, every=False).steps:
                rule = f"an image passes {len(self.readers)} areas and the read-out in {steps} steps"
                rule = f"{rule}, but {clock.steps} were given; give at least {steps}"
                self.refuse("time.steps", rule)
                return
        last = self.architecture.areas[-1].name
        rule = "a read-out reads what the image has reached, but at the last step no edges have brought it to"
        self.refuse("time", f"{rule} {last}; show it for longer, give other steps, or join the areas by other edges")

    def into(self, rank: int, areas: list[AreaNode]) -> list[Joint]:
        """The edges that decide the shape of what an area reads: of its drive, from below, all or the first.

        Those that resize stand last, since they resize to what the others bring.
        """
        found = [joint for joint in self.driving[rank] if joint.wire.source < len(areas)]
        found.sort(key=lambda joint: any(isinstance(each, Resize) for each in joint.edge.via))
        return found if self.architecture.areas[rank].joins.drive == "concat" else found[:1]

    def area(self, rank: int, area: Area, arrived: list[Shape], timing: Schedule) -> AreaNode:
        path = f"areas.{area.name}"
        channels, height, width = arrived[0]
        for other in arrived[1:]:
            if other[1:] != (height, width):
                rule = f"what is joined has one size, but {height}×{width} and {other[1]}×{other[2]} enter {area.name}"
                self.refuse(path, f"{rule}; resize one on its edge")
            channels += other[0]
        shape = (channels, height, width)
        live = timing.live[rank]
        lit = 0
        for joint in self.driving[rank]:
            lit |= illuminated(joint.wire, self.clock, timing)
        met = driven(rank, self.wires, self.clock, timing, area.absent)
        of_drive = f"{path}.drive"
        site = Site(of_drive, of_drive, of_drive, steps_of(met), steps_of(met & ~lit), "feedforward")
        drive, drive_shape = self.sequences.lower(area.drive, shape, site)
        dark = steps_of(live & ~timing.image[rank])
        site = Site(f"{path}.post", f"{path}.post", f"{path}.post", steps_of(live), dark, "feedforward")
        post, output_shape = self.sequences.lower(area.post, drive_shape, site)
        cell = lower_cell(area.cell, CellSite(f"{path}.cell", drive_shape, shape, self.refuse))
        return AreaNode(
            area.name,
            shape,
            drive,
            drive_shape,
            area.cell,
            cell,
            post,
            output_shape,
            area.absent,
            area.joins,
        )

    def wanted(self, joint: Joint, areas: list[AreaNode]) -> Shape:
        """The shape that what an edge brings should have."""
        area, wire, edge = areas[joint.wire.target], joint.wire, joint.edge
        if wire.port == DRIVE:
            return area.input_shape
        ports = cell_ports(area.cell)
        if wire.port not in ports:
            kind = next(name for name, cls in CELLS if type(area.cell) is cls)
            rule = f"the {kind} cell of {edge.target} has {_ports(ports)}, but {edge.name} enters at {edge.enters}"
            rule = f"{rule}; enter at {ports[0]}, or use another cell"
            self.refuse(f"{joint.path}.enters", rule, f"{joint.named}.enters")
        return (port_channels(area.cell, wire.port, area.shape[0]), *area.shape[1:])

    def edge(
        self, joint: Joint, areas: list[AreaNode], image: Shape, timing: Schedule, wanted: Shape | None
    ) -> tuple[EdgeNode, Shape]:
        wire = joint.wire
        shape = image if wire.source == IMAGE else areas[wire.source].output_shape
        there = arrivals(wire, self.clock, timing, self.architecture.areas[wire.target].absent)
        dark = steps_of(there & ~illuminated(wire, self.clock, timing))
        role = "feedforward" if joint.kind == "forward" else "recurrent"
        site = Site(
            f"{joint.path}.via", f"{joint.named}.via", f"edges.{joint.name}", steps_of(there), dark, role, wanted
        )
        operations: tuple[Operation, ...]
        operations, shape = self.sequences.lower(joint.edge.via, shape, site)
        return EdgeNode(joint.name, joint.kind, wire, operations), shape

    def check_arrival(self, joint: Joint, areas: list[AreaNode], shape: Shape, wanted: Shape) -> None:
        area, wire, name = areas[joint.wire.target], joint.wire, joint.edge.name
        if shape[1:] != wanted[1:]:
            size, to = shape[1], wanted[1]
            rule = f"an edge arrives with its target's map of {to}×{to}, but {name} brings {size}×{size}"
            self.refuse(f"{joint.path}.via", f"{rule}; add `resize: {{mode: bilinear}}`", f"{joint.named}.via")
        if getattr(area.joins, wire.port) == "concat":
            if wire.port == DRIVE:
                rule = f"what is concatenated at a drive comes from below, but {name} does not"
                self.refuse(joint.path, f"{rule}; let it enter at the input, or join by sum", joint.named)
        elif shape[0] != wanted[0]:
            rule = f"an edge arrives with its port's {wanted[0]} channels, but {name} brings {shape[0]}"
            self.refuse(f"{joint.path}.via", f"{rule}; add `conv: {{kernel: 1}}`", f"{joint.named}.via")

    def check_concatenations(self, areas: list[AreaNode], brought: dict[tuple[int, str], list[int]]) -> None:
        """Refuse what has, put together, other channels than the port of a cell that it enters."""
        for (rank, port), channels in brought.items():
            area = areas[rank]
            wanted = port_channels(area.cell, port, area.shape[0])
            if port != DRIVE and getattr(area.joins, port) == "concat" and sum(channels) != wanted:
                rule = f"what is concatenated has its port's {wanted} channels together"
                rule = f"{rule}, but {sum(channels)} enter {area.name} at {port}"
                rule = f"{rule}; give the convolutions of these edges other `channels`, or join by sum"
                self.refuse(f"areas.{area.name}.joins", rule)


def _ports(ports: tuple[str, ...]) -> str:
    return f"the port {ports[0]}" if len(ports) == 1 else f"the ports {', '.join(ports)}"
