"""The normal form of a lowered graph: plain data that two graphs share only if they compute the same function.

What is taken away or put into one order, each exactly: everything that cannot influence the logits within the steps
(`space.reach`); operations that change nothing, such as an identity, a resize to the size that is there, or an ELU of
what is never negative; kernel taps that only ever lie on padding; the order of terms of a sum and of factors of a
product, sums of sums being one; names, for areas count by position among those that matter; the number of steps, where
nothing recurs and the image has passed.

The form is sound, not complete. It is a program of one step that, with its steps, says all of a function and of the
distribution of its initial weights. Equal forms mean that composing one graph's `parameters` with the inverse of the
other's is a bijection of live parameters under which outputs and gradients are equal up to the order of summation, and
initial weights are drawn from equal distributions. Live taps keep the fan of the declared kernel, so it is in the form.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from space.flow import Function, Image, Node, Part, Previous, Product, Sum
from space.graph import Graph
from space.graph_flow import Flow, flow_of
from space.operations import Convolution, LayerNorm, Linear, Pooling, Resizing, Scale
from space.reach import Times, live_parameters, times_of
from space.settling import settles_at

VERSION = 1
Plain: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NormalForm:
    """A form, as data that JSON can hold, and the canonical names of the graph's live parameters.

    A parameter of which only some taps live is in `parameters` as a whole; `space.reach` says no more of it either.
    """

    form: Plain
    parameters: dict[str, str]


def normal_form(graph: Graph) -> NormalForm:
    """The normal form of a graph, and graph's name → canonical name of each parameter that matters."""
    flow = flow_of(graph)
    return _Normalisation(graph, flow, times_of(flow, graph.steps)).normal_form()


class _Normalisation:
    """One normalisation of one graph.

    `same[n]` is the node whose value node n has, exactly, where n matters; `reads[n]` what it reads that is not zeros.
    """

    def __init__(self, graph: Graph, flow: Flow, times: Times) -> None:
        self.graph = graph
        self.flow = flow
        self.nodes = flow.nodes
        self.times = times
        self.reads = [times.reads(flow.nodes, node) if times.last[node] >= 0 else () for node in range(len(flow.nodes))]
        self.same = list(range(len(flow.nodes)))
        self.simplify()

    def simplify(self) -> None:
        """Find the nodes that only pass on what they read."""
        positive = self.never_negative()
        for position, node in enumerate(self.nodes):
            match node.kind:
                case Sum() if len(self.reads[position]) == 1:
                    passed = self.reads[position][0]
                case Function("elu" | "relu", 0.0, 1.0, 0.0) if positive[node.inputs[0]]:
                    passed = node.inputs[0]
                case _:
                    continue
            self.same[position] = self.same[passed]

    def never_negative(self) -> list[bool]:
        """Which nodes are never negative, and where they are 0, pass on no gradient: an ELU or ReLU changes nothing."""
        found = [False] * len(self.nodes)
        changed = True
        while changed:
            changed = False
            for position, node in enumerate(self.nodes):
                if not found[position] and _is_positive(node, self.reads[position], found):
                    found[position] = changed = True
        return found

    def normal_form(self) -> NormalForm:
        """Name what learns and what is carried to the next step, and write down what each is of the others."""
        met = self.reachable()
        terms = {position: self.terms(position) for position in met}
        names = self.names(met)
        written: dict[int, Any] = {}
        program: dict[str, Any] = {}
        parameters: dict[str, str] = {}
        later = []
        for position in met:
            node, read = self.nodes[position], terms[position]
            if isinstance(node.kind, Previous):  # what it reads stands after it
                written[position] = names[position]
                later.append(position)
                continue
            expression = [*_described(self.nodes, node, bool(read)), *_ordered(written[each] for each in read)]
            if position not in names:
                written[position] = expression
                continue
            program[names[position]] = expression
            written[position] = names[position]
            for each in live_parameters(node, weight=bool(read), live=True):
                parameters[each] = names[position] + _suffix(each, node, weight=bool(read))
        for position in later:
            program[names[position]] = ["previous", *(written[each] for each in terms[position])]
        delays = {position: int(isinstance(self.nodes[position].kind, Previous)) for position in met}
        settled = settles_at(terms, delays, self.flow.readout)
        rests = settled is not None and settled <= self.graph.steps - 1
        steps = "any" if rests else self.graph.steps
        return NormalForm({"version": VERSION, "steps": steps, "program": dict(sorted(program.items()))}, parameters)

    def reachable(self) -> list[int]:
        """The nodes that are left, in the order of the flow."""
        met = {self.flow.readout}
        waiting = [self.flow.readout]
        while waiting:
            new = [each for each in self.terms(waiting.pop()) if each not in met]
            met.update(new)
            waiting += new
        return sorted(met)

    def terms(self, position: int) -> list[int]:
        """What a node that is left reads, of those that are left; the terms of a sum in a sum are its own."""
        kind = self.nodes[position].kind
        found: list[int] = []
        waiting = list(self.reads[position])
        while waiting:
            read = self.same[waiting.pop()]
            if isinstance(kind, Sum) and isinstance(self.nodes[read].kind, Sum):
                waiting += self.reads[read]
            else:
                found.append(read)
        return found

    def names(self, met: list[int]) -> dict[int, str]:
        """The canonical names of nodes: the position of its area among those that are left, its part, its place there.

        What neither learns nor is carried has none: it is written out where it is read.
        """
        owners = (self.nodes[position].owner for position in met if not self.nodes[position].of_edge)
        rank = {owner: str(place) for place, owner in enumerate(sorted(set(owners)))}
        edges = self.edge_names(met, rank)
        seen: Counter[str] = Counter()
        names = {}
        for position in met:
            node = self.nodes[position]
            match node.kind:
                case Linear():
                    names[position] = node.name
                case Previous() | Convolution() | LayerNorm() | Scale():
                    stem = f"{edges[node.owner] if node.of_edge else rank[node.owner]}.{node.name}"
                    names[position] = f"{stem}.{seen[stem]}"
                    seen[stem] += 1
        return names

    def edge_names(self, met: list[int], rank: dict[int, str]) -> dict[int, str]:
        """Position of an edge → its ends and, among those that join the same two areas, its place by what it does."""
        does: dict[int, list[Any]] = {}
        for position in met:
            node = self.nodes[position]
            if node.of_edge:
                does.setdefault(node.owner, []).append(_described(self.nodes, node, bool(self.reads[position])))
        keys = {}
        for owner, operations in does.items():
            edge = self.graph.feedback[owner]
            keys[owner] = (f"{rank[edge.source]}>{rank[edge.target]}", json.dumps(operations), edge.port, owner)
        seen: Counter[str] = Counter()
        names = {}
        for owner in sorted(keys, key=keys.__getitem__):
            ends = keys[owner][0]
            names[owner] = f"{ends}.{seen[ends]}"
            seen[ends] += 1
        return names


def _is_positive(node: Node, reads: tuple[int, ...], found: list[bool]) -> bool:
    match node.kind:
        case Function("relu" | "sigmoid", _, 1.0, 0.0):
            return True
        case Function("elu", 0.0, 1.0, 0.0) | Pooling() | Resizing() | Previous():
            return all(found[each] for each in node.inputs)
        case Sum():
            return len(reads) == 1 and found[reads[0]]
        case _:
            return False


def _suffix(parameter: str, node: Node, *, weight: bool) -> str:
    """The end of a canonical name; a bias that is left alone is only that, whatever it was the bias of."""
    assert isinstance(node.kind, Convolution | LayerNorm | Scale | Linear)
    return parameter.removeprefix(node.kind.path) if weight else ".bias"


def _ordered(read: Iterable[Any]) -> list[Any]:
    """What a node reads, in an order of its own; no node tells its inputs apart by theirs."""
    found = list(read)
    return found if len(found) < 2 else sorted(found, key=json.dumps)


def _described(nodes: tuple[Node, ...], node: Node, reads: bool) -> list[Any]:
    """What a node does, as plain data: a word, then what decides it."""
    match node.kind:
        case Image(channels):
            return ["image", channels, *node.size]
        case Previous():
            return ["previous"]
        case Sum():
            return ["sum"]
        case Product():
            return ["product"]
        case Function(name, added, scale, offset):
            return ["function", name, added + 0.0, scale + 0.0, offset + 0.0]
        case Part(index, parts):
            return ["part", index, parts]
        case Convolution(outputs=outputs, bias=bias) as convolution:
            if not reads:
                assert bias, "zeros that nothing is added to are not read"
                return ["bias", outputs, *node.size]
            return _convolution(convolution, nodes[node.inputs[0]], node)
        case LayerNorm(channels=channels, groups=groups):
            return ["layer_norm", channels, groups] if reads else ["bias", channels, *node.size]
        case Scale(factors=factors):
            return ["scale", factors]
        case Pooling(kernel, stride):
            return ["max_pool", kernel, stride]
        case Resizing(mode):
            return ["resize", mode, *node.size]
        case Linear(pool=pool, inputs=inputs, outputs=outputs):
            return ["linear", "mean" if nodes[node.inputs[0]].size == (1, 1) else pool, inputs, outputs]


def _convolution(convolution: Convolution, read: Node, node: Node) -> list[Any]:
    taps = [
        [live.start - before, live.stop - before]
        for size in read.size
        for live, before in [live_taps(size, convolution.kernel, convolution.stride)]
    ]
    stride = convolution.stride if node.size != (1, 1) else "any"
    kind = "separable" if convolution.separable else "convolution"
    channels = [convolution.inputs, convolution.outputs]
    return [kind, channels, taps, stride, list(node.size), convolution.bias, [convolution.role, convolution.kernel]]


def live_taps(size: int, kernel: int, stride: int) -> tuple[range, int]:
    """The taps of a same-padded kernel that lie on the map for some output, along one axis, and the padding before it.

    With stride 1 these are at most 2·size − 1; for an even kernel one more after the centre than before it.
    """
    outputs = -(-size // stride)
    padding = max((outputs - 1) * stride + kernel - size, 0)
    before = padding // 2
    first = max(0, before - (outputs - 1) * stride)
    return range(first, min(kernel, size + before)), before
