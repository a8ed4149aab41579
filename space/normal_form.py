"""The normal form of a lowered graph: plain data that two graphs share only if they compute the same function.

It is the dataflow of the unrolled network (`space.unroll`), so far as an answer depends on it, with canonical names for
what learns. What is taken away or put into one order, each exactly: everything that cannot influence the logits within
the steps; operations that change nothing, such as an identity, a resize to the size that is there, or an ELU of what is
never negative; kernel taps that only ever lie on padding; the order of terms of a sum and of factors of a product, sums
of sums being one; names, for areas count by position among those that matter; steps at which nothing new happens.

The form is sound, not complete. Equal forms mean that composing one graph's `parameters` with the inverse of the
other's is a bijection of live parameters under which outputs and gradients are equal up to the order of summation, and
initial weights are drawn from equal distributions. Live taps keep the fan of the declared kernel, so it is in the form.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, TypeAlias

from space.dataflow import Arrival, Concatenation, Function, Image, Learnt, Node, Part, Product, Sum, Zeros
from space.nodes import EdgeNode, Graph
from space.operations import Convolution, Dropout, LayerNorm, Linear, Normalisation, Pooling, Resizing, Scale, is_pure
from space.reach import learning, live_parameters
from space.unroll import Unrolled, unroll
from space.wiring import IMAGE

VERSION = 2
Plain: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NormalForm:
    """A form, as data that JSON can hold, and the canonical names of the graph's live parameters.

    The form holds the digest of each answer; the digest of a node is of what it does and of the digests that it reads.
    A parameter of which only some taps live is in `parameters` as a whole; `space.reach` says no more of it either.
    """

    form: Plain
    parameters: dict[str, str]


def normal_form(graph: Graph) -> NormalForm:
    """The normal form of a graph, and graph's name → canonical name of each parameter that matters."""
    found = unroll(graph)
    live = [position for position, matters in enumerate(found.live()) if matters]
    learns = list(learning(found.nodes[position] for position in live))
    does = _Descriptions(found.nodes)
    stems = _names(graph, found, live, learns, does)
    digests = _digests(found, live, stems, does)
    parameters: dict[str, str] = {}
    for node in learns:
        for name in live_parameters(node):
            ending = name.removeprefix(_path(node)) if node.inputs else ".bias"
            parameters.setdefault(name, stems[_path(node)] + ending)
    decoding = graph.decoding
    several = [decoding.decode, decoding.threshold if decoding.decode == "threshold" else None, decoding.loss_of_every]
    answers = [digests[each] for each in found.answers]
    return NormalForm({"version": VERSION, "decoding": several, "answers": answers}, parameters)


def _path(node: Node) -> str:
    """What names what a node learns, at its step."""
    kind = node.kind
    assert isinstance(kind, Learnt)
    own = isinstance(kind, Convolution | Normalisation) and kind.steps is not None
    return f"{kind.path}.{node.step}" if own else kind.path


def _statistics(node: Node) -> str | None:
    """What names the running statistics of a batch norm at its step."""
    kind = node.kind
    if not isinstance(kind, Normalisation) or is_pure(kind):
        return None
    own = kind.path if kind.statistics_steps is None else f"{kind.path}.{node.step}"
    return f"statistics of {own}"


def _own_step(node: Node) -> int | None:
    """The step of a node where what it does may be of that step alone."""
    match node.kind:
        case Convolution(steps=None):
            return None
        case Convolution() | Normalisation() | Dropout():
            return node.step
        case _:
            return None


def _names(graph: Graph, found: Unrolled, live: list[int], learns: list[Node], does: _Descriptions) -> dict[str, str]:
    """Path of what learns → canonical name: the position of its area among those left, its part, its place there."""
    owners = sorted({found.nodes[position].owner for position in live if not found.nodes[position].of_edge})
    rank = {owner: str(place) for place, owner in enumerate(owners)}
    edges = _edge_names(graph, found, live, rank, does)
    seen: Counter[str] = Counter()
    names: dict[str, str] = {}
    for node in learns:
        for path in filter(None, (_path(node), _statistics(node))):
            if path in names:
                continue
            stem = node.name
            if not isinstance(node.kind, Linear):
                stem = f"{edges[node.owner] if node.of_edge else rank[node.owner]}.{node.name}"
            names[path] = stem if isinstance(node.kind, Linear) else f"{stem}.{seen[stem]}"
            seen[stem] += 1
    return names


def _edge_names(
    graph: Graph, found: Unrolled, live: list[int], rank: dict[int, str], does: _Descriptions
) -> dict[int, str]:
    """Position of an edge → its ends and, among those that join the same two areas, its place by what it does."""
    done: dict[int, list[str]] = {}
    for position in live:
        node = found.nodes[position]
        if node.of_edge and not isinstance(node.kind, Arrival):
            done.setdefault(node.owner, []).append(f"{node.step} {does.of(node)}")
    keys = {}
    for owner, operations in done.items():
        edge = graph.edges[owner]
        keys[owner] = (_ends(edge, rank), edge.port, f"{edge.wire.delay:03}", json.dumps(operations))
    seen: Counter[str] = Counter()
    names = {}
    for owner in sorted(keys, key=lambda each: (keys[each], each)):
        ends = keys[owner][0]
        names[owner] = f"{ends}.{seen[ends]}"
        seen[ends] += 1
    return names


def _ends(edge: EdgeNode, rank: dict[int, str]) -> str:
    return f"{'image' if edge.source == IMAGE else rank.get(edge.source, '')}>{rank.get(edge.target, '')}"


def _digests(found: Unrolled, live: list[int], stems: dict[str, str], does: _Descriptions) -> dict[int, str]:
    """The digest of each node that matters; a sum takes in the terms of the sums that it reads."""
    nodes = found.nodes
    digests: dict[int, str] = {}
    terms: dict[int, list[str]] = {}
    texts: dict[tuple[object, ...], str] = {}
    for position in live:
        node = nodes[position]
        match node.kind:
            case Arrival():
                digests[position] = digests[node.inputs[0]]
                if node.inputs[0] in terms:
                    terms[position] = terms[node.inputs[0]]
                continue
            case Sum():
                read = [term for each in node.inputs for term in terms.get(each, (digests[each],))]
                terms[position] = read = sorted(read)
            case Product():
                read = sorted(digests[each] for each in node.inputs)
            case _:
                read = [digests[each] for each in node.inputs]
        key = does.key(node)
        if (text := texts.get(key)) is None:
            named = stems[_path(node)] if isinstance(node.kind, Learnt) else ""
            named += f" {stems[kept]}" if (kept := _statistics(node)) else ""
            text = texts[key] = f"{does.of(node)} {named}"
        text = f"{text} {' '.join(read)}"
        digests[position] = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return digests


class _Descriptions:
    """What nodes do, as texts: one for all nodes of one kind and the same shapes."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.nodes = nodes
        self.known: dict[tuple[object, ...], str] = {}

    def key(self, node: Node) -> tuple[object, ...]:
        """What decides the text of a node."""
        read = self.nodes[node.inputs[0]].shape if node.inputs else None
        return id(node.kind), _own_step(node), node.shape, read

    def of(self, node: Node) -> str:
        """The text of a node."""
        key = self.key(node)
        if key not in self.known:
            self.known[key] = json.dumps(_does(self.nodes, node))
        return self.known[key]


def _does(nodes: tuple[Node, ...], node: Node) -> list[Any]:
    """What a node does, as plain data: a word, then what decides it."""
    kind, size = node.kind, node.shape[1:]
    match kind:
        case Zeros():
            return ["zeros", *node.shape]
        case Image(frame, value):
            return ["image", *node.shape, frame, value]
        case Sum() | Product() | Concatenation():
            return [type(kind).__name__]
        case Function(name, added, scale, offset):
            return ["function", name, added + 0.0, scale + 0.0, offset + 0.0]
        case Part(index, parts):
            return ["part", index, parts]
        case Convolution() | LayerNorm() | Normalisation() if not node.inputs:
            return ["bias", *node.shape]
        case Convolution():
            return _convolution(kind, nodes[node.inputs[0]].shape, size)
        case LayerNorm(channels=channels, groups=groups):
            return ["norm", channels, groups, 1.0, True]
        case Normalisation(channels=channels, groups=groups, scale=scale, affine=affine):
            # Batch norms are told apart by step and place: merged or not, their running statistics differ.
            own = [] if groups else [node.step, kind.statistics_steps is not None]
            return ["norm", channels, groups, scale + 0.0, affine, *own]
        case Dropout(rate):
            return ["dropout", rate, node.step, node.of_edge, node.owner]
        case Scale(factors=factors):
            return ["scale", factors]
        case Pooling(kernel, stride, mean):
            return ["avg_pool" if mean else "max_pool", kernel, stride]
        case Resizing(mode):
            return ["resize", mode, *size]
        case Linear(pool=pool, inputs=inputs, outputs=outputs):
            is_pixel = bool(node.inputs) and nodes[node.inputs[0]].shape[1:] == (1, 1)
            return ["linear", "mean" if is_pixel else pool, inputs, outputs]
    raise AssertionError(f"{kind} is passed through or never read")


def _convolution(convolution: Convolution, read: tuple[int, ...], size: tuple[int, ...]) -> list[Any]:
    kind = "transposed" if convolution.transposed else "separable" if convolution.separable else "convolution"
    taps = [] if convolution.transposed else [_taps(each, convolution) for each in read[1:]]
    stride: int | str = convolution.stride if size != (1, 1) else "any"
    channels = [convolution.inputs, convolution.outputs]
    return [kind, channels, taps, stride, list(size), convolution.bias, [convolution.role, convolution.kernel]]


def _taps(size: int, convolution: Convolution) -> list[int]:
    live, before = live_taps(size, convolution.kernel, convolution.stride)
    return [live.start - before, live.stop - before]


def live_taps(size: int, kernel: int, stride: int) -> tuple[range, int]:
    """The taps of a same-padded kernel that lie on the map for some output, along one axis, and the padding before it.

    With stride 1 these are at most 2·size − 1; for an even kernel one more after the centre than before it.
    """
    outputs = -(-size // stride)
    padding = max((outputs - 1) * stride + kernel - size, 0)
    before = padding // 2
    first = max(0, before - (outputs - 1) * stride)
    return range(first, min(kernel, size + before)), before
