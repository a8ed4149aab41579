"""The lowering of the operations that follow one another in an area or on an edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from space.cell_site import Refuse
from space.model import AvgPool, Conv, Dropout, EdgeConv, EdgeStep, MaxPool, Norm, Resize, Step, TransposedConv
from space.operations import (
    Activation,
    Convolution,
    Normalisation,
    Operation,
    Parameters,
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
        path: in the document, for errors.
        name: what its operations learn is named after.
        steps: the steps at which it is evaluated and matters.
        dark: those of them at which no image has reached what it reads.
        role: of its convolutions.
        wanted: the shape that it should arrive with, where there is one.

    """

    path: str
    name: str
    steps: tuple[int, ...]
    dark: tuple[int, ...]
    role: str
    wanted: Shape | None = None


@dataclass(slots=True)
class Sequences:
    """Lowers sequences, and holds together what shares weights.

    Arguments:
        refuse: takes a path and what is wrong there.
        tensors: path of weights → what they were first used as.
        roles: path of weights → the role of that use, which decides their initial values.

    """

    refuse: Refuse
    tensors: dict[str, Parameters] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)

    def lower(self, steps: Sequence[Step | EdgeStep], shape: Shape, site: Site) -> tuple[tuple[Operation, ...], Shape]:
        """The operations of a sequence that reads a map of a shape, and the shape of what it gives."""
        operations: list[Operation] = []
        for position, step in enumerate(steps):
            here = f"{site.path}[{position}]"
            operation = self._operation(step, shape, site, here, position)
            operations.append(operation)
            shape = given(operation, shape)
        return tuple(operations), shape

    def _operation(self, step: Step | EdgeStep, shape: Shape, site: Site, here: str, position: int) -> Operation:
        channels, height, _ = shape
        match step:
            case str():
                return Activation(step)
            case MaxPool(kernel=kernel, stride=stride) | AvgPool(kernel=kernel, stride=stride):
                if max(kernel, stride) > height:
                    rule = f"a pool's kernel and stride fit its map of {height}×{height}"
                    rule = f"{rule}, but {kernel} and {stride} were given; make them smaller, or pool less before it"
                    self.refuse(here, rule)
                return Pooling(kernel, stride, mean=isinstance(step, AvgPool))
            case Resize(mode=mode):
                return Resizing(mode, site.wanted[1] if site.wanted else height)
            case Dropout(rate=rate):
                return DropoutOperation(rate)
            case Norm():
                return self._norm(step, channels, site, here, position)
            case Conv() | EdgeConv() | TransposedConv():
                return self._convolution(step, channels, site, here, position)

    def _convolution(
        self, step: Conv | EdgeConv | TransposedConv, inputs: int, site: Site, here: str, position: int
    ) -> Convolution:
        outputs = step.channels
        if outputs is None:
            outputs = site.wanted[0] if site.wanted else inputs
        if step.untied and not site.steps:
            rule = "untied weights are of the steps at which they are read, but at none would this one matter"
            self.refuse(here, f"{rule}; give the network more steps, or take it away")
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
        self._tie(found.path, found.parameters_at(0), found.steps is None, here)
        return found

    def _norm(self, step: Norm, channels: int, site: Site, here: str, position: int) -> Normalisation:
        groups = {"batch": 0, "group": step.groups, "layer": 1, "instance": channels}[step.kind]
        if groups and channels % groups:
            rule = f"groups part the {channels} channels of a map evenly, but {groups} were given"
            self.refuse(here, f"{rule}; give a number that divides {channels}")
        if step.kind == "batch" and site.dark:
            rule = "a batch norm compares images, but at step"
            rule = f"{rule} {site.dark[0]} none has reached what it reads, which is the same for all of them"
            self.refuse(here, f"{rule}; make the area `absent: undefined`, or use another norm")
        own = site.steps if step.affine == "step" else None
        kept = site.steps if step.kind == "batch" and step.statistics == "step" else None
        path = self._path(step.weights, site, position)
        found = Normalisation(path, channels, groups, step.affine != "none", step.scale, own, kept)
        shared = {**found.parameters_at(0), f"{path}: {step.kind} norm": (groups,)}
        self._tie(path, shared, own is None, here)
        return found

    def _path(self, weights: str | None, site: Site, position: int) -> str:
        return f"weights.{weights}" if weights else f"{site.name}.{position}"

    def _tie(self, path: str, parameters: Parameters, tied: bool, here: str) -> None:
        """Refuse what has the weights of another operation but not its shapes, or ties them otherwise."""
        meant = {**parameters, "tied": (int(tied),)}
        first = self.tensors.setdefault(path, meant)
        if first != meant:
            name = path.removeprefix("weights.")
            rule = f"what shares weights has kernels, channels and ties alike, but {name!r} was first used for"
            self.refuse(here, f"{rule} {_shapes(first)}, and here for {_shapes(meant)}; give one of them another name")


def _shapes(parameters: Parameters) -> str:
    texts = ["×".join(map(str, shape)) for name, shape in parameters.items() if name != "tied"]
    return f"{' and '.join(texts)} ({'tied' if parameters['tied'] == (1,) else 'untied'})"
