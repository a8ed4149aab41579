"""The lowering of the operations that follow one another in an area or on an edge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from space.joints import Refuse
from space.model import AvgPool, Conv, Dropout, EdgeConv, EdgeStep, MaxPool, Norm, Resize, Step, TransposedConv
from space.operations import (
    Activation,
    Convolution,
    Normalisation,
    Operation,
    Pooling,
    Resizing,
    Shape,
    given,
)
from space.operations import Dropout as DropoutOperation


@dataclass(frozen=True, slots=True)
class Site:
    """Where a sequence stands.

    Arguments:
        path: in the document, for errors; `named` is how they tell it.
        name: what its operations learn is named after.
        steps: the steps at which it is evaluated and matters.
        dark: those of them at which no image has reached what it reads.
        role: of its convolutions.
        wanted: the shape that it should arrive with, where there is one.

    """

    path: str
    named: str
    name: str
    steps: tuple[int, ...]
    dark: tuple[int, ...]
    role: str
    wanted: Shape | None = None


@dataclass(slots=True)
class Sequences:
    """Lowers sequences, and holds together what shares weights.

    Arguments:
        refuse: takes a path, what is wrong there, and the path to tell.
        uses: name of shared weights → what they were first used for.
        roles: path of weights → the role of that use, which decides their initial values.

    """

    refuse: Refuse
    uses: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)

    def lower(self, steps: Sequence[Step | EdgeStep], shape: Shape, site: Site) -> tuple[tuple[Operation, ...], Shape]:
        """The operations of a sequence that reads a map of a shape, and the shape of what it gives."""
        operations: list[Operation] = []
        for position, step in enumerate(steps):
            operation = self._operation(step, shape, site, position)
            operations.append(operation)
            shape = given(operation, shape)
        return tuple(operations), shape

    def _operation(self, step: Step | EdgeStep, shape: Shape, site: Site, position: int) -> Operation:
        channels, height, _ = shape
        match step:
            case str():
                return Activation(step)
            case MaxPool(kernel=kernel, stride=stride) | AvgPool(kernel=kernel, stride=stride):
                if max(kernel, stride) > height:
                    rule = f"a pool's kernel and stride fit its map of {height}×{height}"
                    rule = f"{rule}, but {kernel} and {stride} were given; make them smaller, or pool less before it"
                    self._refuse(site, position, rule)
                return Pooling(kernel, stride, mean=isinstance(step, AvgPool))
            case Resize(mode=mode):
                if site.wanted is None:
                    rule = "a resize is to the map of what it is joined with, but nothing else decides the map here"
                    self._refuse(site, position, f"{rule}; take it away, or use a pool or a stride")
                return Resizing(mode, site.wanted[1] if site.wanted else height)
            case Dropout(rate=rate):
                return DropoutOperation(rate)
            case Norm():
                return self._norm(step, shape, site, position)
            case Conv() | EdgeConv() | TransposedConv():
                return self._convolution(step, channels, site, position)

    def _convolution(
        self, step: Conv | EdgeConv | TransposedConv, inputs: int, site: Site, position: int
    ) -> Convolution:
        outputs = step.channels
        if outputs is None:
            outputs = site.wanted[0] if site.wanted else inputs
        if step.untied and not site.steps:
            rule = "untied weights are of the steps at which they are read, but at none would this one matter"
            self._refuse(site, position, f"{rule}; give the network more steps, or take it away")
        path = self._path(step.weights, site, position)
        found = Convolution(
            path,
            inputs,
            outputs,
            step.kernel,
            step.stride,
            not isinstance(step, TransposedConv) and step.separable,
            step.bias,
            self.roles.setdefault(path, site.role),
            transposed=isinstance(step, TransposedConv),
            steps=site.steps if step.untied else None,
        )
        if step.weights:
            shapes = " and ".join("×".join(map(str, shape)) for shape in found.parameters_at(0).values())
            kind = "transposed " if found.transposed else ""
            self._tie(step.weights, f"{kind}{shapes} ({'untied' if step.untied else 'tied'})", site, position)
        return found

    def _norm(self, step: Norm, shape: Shape, site: Site, position: int) -> Normalisation:
        channels = shape[0]
        groups = {"batch": 0, "group": step.groups, "layer": 1, "instance": channels}[step.kind]
        if groups and channels % groups:
            rule = f"groups part the {channels} channels of a map evenly, but {groups} were given"
            self._refuse(site, position, f"{rule}; give a number that divides {channels}")
        elif groups and math.prod(shape) == groups:
            rule = f"a norm compares numbers of an image, but each of these {groups} groups has a single one"
            self._refuse(site, position, f"{rule}, which leaves nothing of it; take the norm away, or use another one")
        if step.kind == "batch" and site.dark:
            rule = "a batch norm compares images, but at step"
            rule = f"{rule} {site.dark[0]} none has reached what it reads, which is the same for all of them"
            self._refuse(site, position, f"{rule}; make the area `absent: undefined`, or use another norm")
        own = site.steps if step.affine == "step" else None
        kept = site.steps if step.kind == "batch" and step.statistics == "step" else None
        path = self._path(step.weights, site, position)
        found = Normalisation(path, channels, groups, step.affine != "none", step.scale, own, kept)
        if not step.weights:
            return found
        use = f"a {step.kind} norm of {channels} channels"
        use += f" in {groups} groups" if step.kind == "group" else ""
        use += f", affine: {step.affine}" + (f", scale: {step.scale:g}" if found.affine else "")
        use += f", statistics: {step.statistics}" if step.kind == "batch" else ""
        self._tie(step.weights, use, site, position)
        return found

    def _path(self, weights: str | None, site: Site, position: int) -> str:
        return f"weights.{weights}" if weights else f"{site.name}.{position}"

    def _tie(self, name: str, use: str, site: Site, position: int) -> None:
        """Refuse what has the weights of another operation but is not alike."""
        first = self.uses.setdefault(name, use)
        if first != use:
            rule = f"what shares weights differs in strides alone, but {name!r} was first used for {first}"
            self._refuse(site, position, f"{rule}, and here for {use}; give one of them another name")

    def _refuse(self, site: Site, position: int, message: str) -> None:
        self.refuse(f"{site.path}[{position}]", message, f"{site.named}[{position}]")
