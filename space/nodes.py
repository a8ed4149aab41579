"""The parts of a lowered architecture: areas, edges and the read-out, with their shapes, operations and parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from space.errors import UsageError
from space.model import DRIVE, Area, Cell, Feedforward, Joins, cell_ports
from space.operations import Convolution, Linear, Normalisation, Operation, Parameters, Shape, count, parameters
from space.wiring import (
    IMAGE,
    Answer,
    Clock,
    Reader,
    Schedule,
    Wire,
    active_steps,
    answered,
    arrivals,
    driven,
    illuminated,
    schedule,
    steps_of,
)

LONG_RANGE = ("feedback", "skip")
T = TypeVar("T")
Part: TypeAlias = "AreaNode | EdgeNode | Linear"


@dataclass(frozen=True, slots=True)
class AreaNode:
    """An area: its operations, and the shapes of what it reads, of its drive and cell, and of what it emits.

    `space.cell_operations` says how the operations of its cell are named, `space.cell_equations` what each reads.
    """

    name: str
    input_shape: Shape
    drive: tuple[Operation, ...]
    shape: Shape
    cell: Cell
    cell_operations: dict[str, Operation]
    post: tuple[Operation, ...]
    output_shape: Shape
    absent: str
    joins: Joins

    @property
    def parameters(self) -> Parameters:
        """Name → shape, of all its operations."""
        return parameters((*self.drive, *self.cell_operations.values(), *self.post))


@dataclass(frozen=True, slots=True)
class EdgeNode:
    """An edge between areas, or from the image to one; `kind` is the list of the file that it stands in."""

    name: str
    kind: str
    wire: Wire
    operations: tuple[Operation, ...]

    @property
    def source(self) -> int:
        """The rank of the area that it reads."""
        return self.wire.source

    @property
    def target(self) -> int:
        """The rank of the area that it enters."""
        return self.wire.target

    @property
    def port(self) -> str:
        """Where it enters."""
        return self.wire.port

    @property
    def parameters(self) -> Parameters:
        """Name → shape, of all its operations."""
        return parameters(self.operations)


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the answers of steps become one, and whether the loss is of every one of them."""

    decode: str
    threshold: float
    loss_of_every: bool

    @property
    def asks_every_step(self) -> bool:
        """Whether it takes the answers of more steps than the last."""
        return self.decode != "last" or self.loss_of_every


class Derived(dict[str, Any]):
    """What was worked out of a graph, so that all who ask share it; a copy of the graph begins without."""

    def __reduce__(self) -> tuple[type[Derived], tuple[()]]:
        return Derived, ()


@dataclass(frozen=True, slots=True)
class Graph:
    """A lowered architecture; areas are in the order of their ranks, edges in that of the file, forward ones first."""

    name: str
    input_shape: Shape
    clock: Clock
    areas: tuple[AreaNode, ...]
    edges: tuple[EdgeNode, ...]
    readout: Linear
    answer: Answer
    decoding: Decoding
    derived: Derived = field(default_factory=Derived, init=False, repr=False, compare=False)

    @property
    def steps(self) -> int:
        """How many steps are evaluated."""
        return self.clock.steps

    @property
    def long_range(self) -> tuple[EdgeNode, ...]:
        """The feedback and skip edges."""
        return tuple(edge for edge in self.edges if edge.kind in LONG_RANGE)

    @property
    def parameters(self) -> Parameters:
        """Name → shape of every parameter, named as the network names them."""
        return self.once("parameters", self._parameters)

    def _parameters(self) -> Parameters:
        found: Parameters = {}
        for _, part in self.parts():
            found |= part.parameters
        return found

    @property
    def parameter_count(self) -> int:
        """How many numbers training may change."""
        return count(self.parameters)

    def parts(self) -> Iterator[tuple[str, Part]]:
        """All that may learn, each with its path by rank, which no name changes."""
        for rank, area in enumerate(self.areas):
            yield f"areas.{rank}", area
        for edge in self.edges:
            number = edge.name.partition("#")[2]
            source = "image" if edge.source == IMAGE else str(edge.source)
            yield f"edges.{source}>{edge.target}#{number}" if number else f"edges.{source}>{edge.target}", edge
        yield "readout", self.readout

    def at_steps(self, steps: int) -> Graph:
        """The same network run for another number of steps; norms of a step that it does not know are the last's.

        Raises:
            UsageError: no image reaches the read-out by then, weights are untied and not of the steps that it needs,
                what is concatenated is not there at the same steps, or a batch norm has no images to compare.

        """
        answer = self._answer(steps)
        if not answer.steps:
            enough = next((more for more in range(steps + 1, self.steps + 1) if self._answer(more).steps), None)
            way_out = "ask for fewer" if enough is None else f"ask for at least {enough}"
            raise UsageError(f"an image is read out by the last step, but not in {steps}; {way_out}")
        clock = replace(self.clock, steps=steps)
        wires = [edge.wire for edge in self.edges]
        for area, port in apart(self.areas, wires, clock):
            rule = f"what is concatenated is there at the same steps, but in {steps} what enters {area.name} at {port}"
            raise UsageError(f"{rule} is not; ask for another number of steps")
        other = replace(self, clock=clock, answer=answer)
        known: dict[str, set[int]] = {}
        untied = [(each, met) for each, met, _ in other.evaluated() if isinstance(each, Convolution) and each.steps]
        for each, _ in untied:
            known.setdefault(each.path, set()).update(each.steps or ())
        for each, met in untied:
            if new := set(steps_of(met)) - known[each.path]:
                rule = f"untied weights are of the steps that they were trained at, but in {steps} steps {each.path}"
                raise UsageError(f"{rule} is needed at step {min(new)} too; ask for {self.steps} steps, or tie them")
        for operation, _, dark in other.evaluated():
            if isinstance(operation, Normalisation) and not operation.groups and dark:
                rule = f"a batch norm compares images, but in {steps} steps {operation.path} is needed at step"
                rule = f"{rule} {steps_of(dark)[0]}, where none has reached what it reads"
                raise UsageError(f"{rule}; ask for {self.steps} steps, or use another norm")
        return other

    def evaluated(self) -> Iterator[tuple[Operation, int, int]]:
        """The operations of its sequences, each with the steps at which it matters, and those that no image reached."""
        timing = self.schedule()
        wires = [edge.wire for edge in self.edges]
        for rank, area in enumerate(self.areas):
            met, live, lit = driven(rank, wires, self.clock, timing, area.absent), timing.live[rank], 0
            for edge in self.edges:
                if (edge.target, edge.port) == (rank, DRIVE):
                    lit |= illuminated(edge.wire, self.clock, timing)
            yield from ((each, met, met & ~lit) for each in area.drive)
            yield from ((each, live, live & ~timing.image[rank]) for each in area.post)
        for edge in self.edges:
            met = arrivals(edge.wire, self.clock, timing, self.areas[edge.target].absent)
            dark = met & ~illuminated(edge.wire, self.clock, timing)
            yield from ((each, met, dark) for each in edge.operations)

    def _answer(self, steps: int) -> Answer:
        """The read-out in so many steps."""
        wires = [edge.wire for edge in self.edges]
        clock = replace(self.clock, steps=steps)
        return answered(clock, readers(self.areas), wires, self.answer.delay, every=self.decoding.asks_every_step)

    def schedule(self) -> Schedule:
        """When its areas are computed, when the image has reached them, when they matter."""
        return self.once("schedule", self._schedule)

    def _schedule(self) -> Schedule:
        return schedule(self.clock, readers(self.areas), [edge.wire for edge in self.edges], self.answer)

    def once(self, name: str, work_out: Callable[[], T]) -> T:
        """What is derived of the graph alone, worked out when it is first asked for."""
        if name not in self.derived:
            self.derived[name] = work_out()
        found: T = self.derived[name]
        return found


def apart(
    areas: Sequence[Area | AreaNode], wires: Sequence[Wire], clock: Clock
) -> Iterator[tuple[Area | AreaNode, str]]:
    """The areas and their ports where what is concatenated is not there at the same steps."""
    for rank, area in enumerate(areas):
        for port in (DRIVE, *cell_ports(area.cell)):
            if getattr(area.joins, port) == "concat":
                there = {active_steps(wire, clock) for wire in wires if (wire.target, wire.port) == (rank, port)}
                if len(there) > 1:
                    yield area, port


def readers(areas: Sequence[Area | AreaNode]) -> list[Reader]:
    """How areas take part in time."""
    return [Reader(area.absent, not isinstance(area.cell, Feedforward)) for area in areas]
