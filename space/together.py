"""Which nodes of a dataflow are computed as one: those that do the same to maps that are all there before.

An operation on many small maps at once takes less time than on a few at a time, as it waits less for its weights. So
what a convolution, a `Project` or the read-out does at several steps is done as one, on the maps of all these steps,
one after the other, as far as none of them waits for another. What follows one of these and works image by image goes
along. All else stays alone: a recurrence runs step by step, and a batch norm is of one step.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence

from space.dataflow import Function, Node, Project
from space.operations import Convolution, Linear, Normalisation, Pooling, Resizing


def together(
    nodes: Sequence[Node], reads: Mapping[int, tuple[int, ...]], whole: Sequence[bool]
) -> Iterator[tuple[int, ...]]:
    """Groups of nodes to compute as one, in an order in which each reads only earlier ones.

    Of the groups that could come next it is the first that nothing can still join, else the first: so where nothing
    runs in a circle each is as large as can be, and in a circle about as large as the number of steps around it.

    Arguments:
        nodes: the dataflow.
        reads: each node to compute, in an order in which each reads only earlier ones → those that it reads; of these
            some may be there already.
        whole: of each node, whether it has a map for each image, or one for all.

    """
    alike: dict[int, Hashable] = {}
    missing: dict[int, int] = {}
    readers: dict[int, list[int]] = {}
    for position, read in reads.items():
        alike[position] = _alike(position, nodes, read, whole, alike)
        awaited = {each for each in read if each in reads}
        missing[position] = len(awaited)
        for each in awaited:
            readers.setdefault(each, []).append(position)
    left = Counter(alike.values())
    ranks = {key: rank for rank, key in enumerate(left)}
    ready: dict[Hashable, list[int]] = {}
    complete: list[tuple[int, Hashable]] = []  # a heap
    found = [position for position, number in missing.items() if not number]
    while found or ready:
        for position in found:
            key = alike[position]
            ready.setdefault(key, []).append(position)
            if len(ready[key]) == left[key]:
                heapq.heappush(complete, (ranks[key], key))
        first = heapq.heappop(complete)[1] if complete else min(ready, key=ranks.__getitem__)
        group = tuple(sorted(ready.pop(first)))
        left[first] -= len(group)
        yield group
        found = []
        for position in (reader for each in group for reader in readers.get(each, ())):
            missing[position] -= 1
            if not missing[position]:
                found.append(position)


def _alike(
    position: int, nodes: Sequence[Node], read: tuple[int, ...], whole: Sequence[bool], alike: Mapping[int, Hashable]
) -> Hashable:
    """What is the same for all nodes that may be computed as one with this; its position if it stays alone."""
    node = nodes[position]
    match node.kind:
        case Convolution() | Project() | Linear() if read:
            own = node.step if isinstance(node.kind, Convolution) and node.kind.steps is not None else None
            return (
                node.owner,
                node.of_edge,
                node.name,
                node.kind,
                own,
                *((whole[each], nodes[each].shape) for each in read),
            )
        case Normalisation(groups=0):  # over the images of its step
            return position
        case Function() | Pooling() | Resizing() | Normalisation(affine_steps=None):
            before = alike.get(read[0], read[0]) if read else position
            return position if isinstance(before, int) else (before, node.kind)
        case _:
            return position
