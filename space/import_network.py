"""The nodes and edges of an imported file as areas and edges of ours, in either dialect.

A node joins its inputs before its first convolution. Where they are put side by side, the convolution of them all is
the sum of one of each; so an edge beside the forward one enters the input of its cell through a convolution of its own.
Into the reciprocal gated cell such edges have a way of their own, which is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from space.errors import Problems
from space.forms import NAME_RULE, is_name
from space.import_body import Body
from space.import_cells import Memory, tensorflow_memory, torch_memory
from space.import_operations import Walk, tensorflow_steps, torch_steps
from space.import_readout import tensorflow_readout, torch_readout
from space.model import (
    IMAGE,
    Area,
    CellInput,
    Conv,
    EdgeConv,
    EdgeStep,
    FeedbackEdge,
    ForwardEdge,
    Joins,
    Resize,
    Step,
)
from space.tree import Scalar, Sequence, shown

_JOINS: dict[str | None, str] = {"concat": "concat", "add": "sum", "multiply": "multiply"}
_OF_FILE = ("seed", "nodes", "edges", "input_nodes", "output_node", "input_shape", "num_timesteps", "ff_order")


@dataclass(slots=True)
class _Place:
    """An area as far as it is read: the maps that it reads and emits, and how other edges can enter it."""

    rank: int
    join: str
    memory: Memory
    drive: list[Step]
    reads: tuple[int, int]
    emits: tuple[int, int]


@dataclass(slots=True)
class Network:
    """A file while it is read; after `read_nodes` its fields are the parts of an architecture.

    Arguments:
        root: the whole document.
        problems: collects what cannot be expressed.
        cell: which cell a memory with a `filter_size` is.
        replaced: the pool of a read-out to put in the place of the file's.

    """

    root: Body
    problems: Problems
    cell: str | None
    replaced: str | None
    areas: list[Area] = field(default_factory=list)
    forward: list[ForwardEdge] = field(default_factory=list)
    lateral: list[FeedbackEdge] = field(default_factory=list)
    feedback: list[FeedbackEdge] = field(default_factory=list)
    skip: list[FeedbackEdge] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    channels: int = 1
    size: int = 1
    classes: int = 2
    pool: str = "mean"
    steps: int | None = None

    def read_nodes(self) -> None:
        """Read the whole file."""
        root = self.root
        root.ignore(*_OF_FILE)
        root.done(*(key for key in ("nodes", "edges") if not root.has(key)))
        nodes = self._nodes()
        self.problems.raise_if_any()  # here and below: what follows from a mistake is not a mistake of its own
        edges = self._edges(nodes)
        self.problems.raise_if_any()
        output = self._output(nodes, edges)
        self.problems.raise_if_any()
        order = self._order(nodes, edges, output)
        self.problems.raise_if_any()
        torch = self._is_torch(nodes)
        self._image(nodes, order, torch)
        self.problems.raise_if_any()
        places: dict[str, _Place] = {}
        for rank, (name, before) in enumerate(order):
            reads = places[before].emits if before else (self.channels, self.size)
            places[name] = self._area(nodes[name], name, rank, reads, torch)
            self.forward.append(ForwardEdge(source=before or IMAGE, target=name))
        mains = {(before, name) for name, before in order}
        for (source, target), mark in edges.items():
            if target != output and (source, target) not in mains:
                self._beside(mark, source, target, places, torch)
        body = nodes[output]
        read_output = torch_readout if torch else tensorflow_readout
        self.pool, self.classes = read_output(body, self.replaced)

    def _nodes(self) -> dict[str, Body]:
        nodes: dict[str, Body] = {}
        for body in self.root.inners("nodes"):
            name = body.word("name")
            if name is None or not is_name(name) or name == IMAGE:
                body.refuse("name", f"{NAME_RULE}, but {shown(name)} was given; choose another")
            elif name in nodes:
                body.refuse("name", f"a name stands once, but {name!r} stands twice; rename one")
            else:
                body.path = name
                nodes[name] = body
        if not nodes:
            self.root.refuse("nodes", "a network has nodes, but there are none; list them")
        return nodes

    def _edges(self, nodes: dict[str, Body]) -> dict[tuple[str, str], Body]:
        edges: dict[tuple[str, str], Body] = {}
        for body in self.root.inners("edges"):
            ends = (body.word("from"), body.word("to"))
            body.done()
            for key, name in zip(("from", "to"), ends, strict=True):
                if name not in nodes:
                    body.refuse(key, f"an edge joins two nodes, but there is no node {name!r}; name one of the list")
            if ends[0] in nodes and ends[1] in nodes:
                edges[str(ends[0]), str(ends[1])] = body
        return edges

    def _is_torch(self, nodes: dict[str, Body]) -> bool:
        return any(body.has("recurrent_cell") or body.has("harbor_policy") for body in nodes.values())

    def _output(self, nodes: dict[str, Body], edges: dict[tuple[str, str], Body]) -> str:
        named = self.root.word("output_node")
        sinks = [name for name in nodes if not any(source == name for source, _ in edges)]
        if named is None and len(sinks) != 1:
            rule = "the read-out is the one node that sends nothing"
            given = f"{', '.join(sinks)} do" if sinks else "every node sends something"
            self.root.refuse("edges", f"{rule}, but {given}; leave one of them")
            return ""
        output = named or sinks[0]
        if output not in nodes:
            self.root.refuse("output_node", f"an output is a node, but {output!r} is none; name one of the list")
        sources = [source for source, target in edges if target == output]
        for (source, target), body in edges.items():
            if source == output:
                body.refuse("from", f"a read-out sends nothing, but {output} sends to {target}; take this edge away")
            elif target == output and source != sources[0]:
                rule = f"a read-out reads one area, but {output} reads {sources[0]} and {source}"
                body.refuse("to", f"{rule}; take this edge away")
        if not sources:
            self.root.refuse("edges", f"a read-out reads an area, but no edge enters {output}; add one")
        return output

    def _order(
        self, nodes: dict[str, Body], edges: dict[tuple[str, str], Body], output: str
    ) -> list[tuple[str, str | None]]:
        """The areas from the image up, each with the one that it reads first, or None for the image."""
        given = self.root.get("input_nodes")
        inputs = (
            {item.value for item in given.items if isinstance(item, Scalar)} if isinstance(given, Sequence) else set()
        )
        before: dict[str, str | None] = {}
        for name, body in nodes.items():
            source = body.word("shape_from")
            if name == output:
                continue
            if name in inputs or (given is None and body.has("shape")):
                before[name] = None
            elif source is None or (source, name) not in edges:
                rule = "a node has the shape of one that it reads, and the first one a shape of its own"
                body.refuse("shape_from", f"{rule}, but this says {shown(source)}; name a node with an edge to it")
            else:
                before[name] = source
        depths: dict[str, int] = {}
        for name in before:
            path = [name]
            while (source := before.get(path[-1])) is not None and source not in path:
                path.append(source)
            if source is not None:
                nodes[name].refuse("shape_from", f"shapes come from the image, but these go round {source}; break it")
            depths[name] = len(path)
        last = next((source for source, target in edges if target == output), None)
        names = list(before)
        names.sort(key=lambda name: (name == last, depths[name]))
        if last in before.values():
            rule = f"a read-out reads the highest area, but {output} reads {last}, which others have their shape from"
            nodes[output].refuse("", f"{rule}; let it read another")
        return [(name, before[name]) for name in names]

    def _image(self, nodes: dict[str, Body], order: list[tuple[str, str | None]], torch: bool) -> None:
        first = next((name for name, before in order if before is None), None)
        if first is None:
            self.root.refuse("nodes", "a network reads an image, but no node does; give one a `shape`")
            return
        body, key = (self.root, "input_shape") if torch else (nodes[first], "shape")
        node = body.get(key)
        items = node.items if isinstance(node, Sequence) else ()
        shape = [item.value for item in items if isinstance(item, Scalar)]
        sizes = [each for each in shape if type(each) is int and each > 0]
        if torch:
            sizes = [*sizes[1:], *sizes[:1]]
        if len(sizes) != 3 or sizes[0] != sizes[1]:
            order_ = "[channels, height, width]" if torch else "[height, width, channels]"
            given = "nothing" if node is None else shown(node)
            body.refuse(key, f"an image is square and has a shape {order_}, but {given} was given; give such a one")
        else:
            self.size, _, self.channels = sizes
        self.steps = self.root.whole("num_timesteps") if self.root.has("num_timesteps") else None

    def _area(self, body: Body, name: str, rank: int, reads: tuple[int, int], torch: bool) -> _Place:
        walk = Walk(reads[1], self.notes)
        body.ignore("shape", "dtype", "out_channels", "residual")
        if torch:
            harbor = body.inner("harbor_policy")
            harbor.only("name", "ResizeConcat", "Identity")
            harbor.only("interpolation", "bilinear")
            join = "concat"
            drive = torch_steps(body.inner("pre_memory"), walk)
            channels = _channels(drive, reads[0])
            memory = torch_memory(body.inner("recurrent_cell"), channels)
            post = torch_steps(body.inner("post_memory"), walk)
        else:
            for key in ("input_init", "state_init", "output_init"):
                if body.has(key):
                    body.inner(key).only("function", "zeros")
            join = self._harbor(body)
            drive = tensorflow_steps(body.inners("pre_memory"), walk)
            channels = _channels(drive, reads[0])
            memory = tensorflow_memory(body.inner("memory"), self.cell, channels, walk.size)
            post = tensorflow_steps(body.inners("post_memory"), walk)
        body.done()
        self.areas.append(Area(name=name, drive=(*drive, *memory.drive), cell=memory.cell, post=tuple(post)))
        return _Place(rank, join, memory, drive, reads, (_channels(post, channels), walk.size))

    def _harbor(self, body: Body) -> str:
        harbor = body.inner("harbor")
        harbor.ignore("kernel_init", "kernel_init_kwargs", "weight_decay", "name", "reuse")
        harbor.only("function", "harbor")
        harbor.only("preproc", None)
        harbor.only("spatial_op", "resize")
        join = harbor.among("channel_op", _JOINS, "concat")
        harbor.done()
        return join

    def _beside(self, edge: Body, source: str, target: str, places: dict[str, _Place], torch: bool) -> None:
        """An edge that is not the one that its target has its shape from."""
        one, other = places[source], places[target]
        resize: tuple[EdgeStep, ...] = ()
        if one.emits[1] != other.reads[1]:
            resize = (Resize(mode="bilinear"),)
            if not torch:
                self.notes.append(f"{source}>{target}: corners are aligned where a map is resized there, not here")
            elif one.emits[1] > other.reads[1]:
                self.notes.append(f"{source}>{target}: a map is smoothed before it is made smaller there, not here")
        if other.memory.port:
            self._join(one, other, source, target, other.memory.port, (*resize, *other.memory.via))
        elif other.join == "concat":
            conv = self._split(edge, target, other)
            if conv is not None:
                via = EdgeConv(kernel=conv.kernel, separable=conv.separable, bias=False)
                self._join(one, other, source, target, "input", (*resize, via))
        else:
            fit: tuple[EdgeStep, ...] = () if one.emits[0] == other.reads[0] else (EdgeConv(kernel=1),)
            area = self.areas[other.rank]
            self.areas[other.rank] = replace(area, joins=Joins(drive=other.join))
            self._join(one, other, source, target, "drive", (*resize, *fit))

    def _split(self, edge: Body, target: str, place: _Place) -> Conv | None:
        """The convolution of a node's joined inputs, once what follows it is left to the cell's input."""
        match place.drive:
            case [Conv(stride=1) as conv, *rest] if not place.memory.drive and _follows(rest):
                if rest:
                    area = self.areas[place.rank]
                    cell = replace(area.cell, input=CellInput(activation=str(rest[0])))
                    self.areas[place.rank] = replace(area, drive=(conv,), cell=cell)
                return conv
        rule = f"several inputs of {target} are put side by side before one convolution of stride 1"
        edge.refuse("to", f"{rule} and its activation, but its `pre_memory` has others; take this edge away")
        return None

    def _join(self, one: _Place, other: _Place, source: str, target: str, port: str, via: tuple[EdgeStep, ...]) -> None:
        if one.rank < other.rank and one.rank + 1 == other.rank:
            self.forward.append(ForwardEdge(source=source, target=target, enters=port, via=via))
            return
        kinds = {0: self.lateral, 1: self.feedback, -1: self.skip}
        kind = (one.rank > other.rank) - (one.rank < other.rank)
        kinds[kind].append(FeedbackEdge(source=source, target=target, enters=port, via=via))


def _follows(rest: list[Step]) -> bool:
    return not rest or (len(rest) == 1 and isinstance(rest[0], str))


def _channels(steps: list[Step], before: int) -> int:
    return next((step.channels for step in reversed(steps) if isinstance(step, Conv)), before)
