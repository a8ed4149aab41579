"""Every candidate of a space, one after another.

The order is that of counting: the decision that is met last in the file turns fastest, whole numbers from low to high,
options as they are written.
"""

from __future__ import annotations

from collections.abc import Iterator

from space.errors import Problems
from space.options import option, options
from space.space import Candidate, Space
from space.tree import Hole, Node, Value, resolve


def enumerate_candidates(space: Space) -> Iterator[Candidate]:
    """Yield every candidate once, before constraints; nothing is kept, so a large space may be begun.

    Raises:
        SpecificationError: at the call; a hole is continuous, so that its values cannot be told one by one.

    """
    problems = Problems()
    for hole in space.holes:
        if options(hole.domain) is None:
            rule = f"the candidates of a space are told one by one, but this hole is {hole.domain}"
            problems.add(hole.mark, hole.path, f"{rule}; give it a number, or a choice of some")
    problems.raise_if_any()
    return turns(space.tree)


def turns(tree: Node) -> Iterator[Candidate]:
    """Every way to decide a tree none of whose holes is continuous.

    Follows the decisions like the digits of a counter; `turned[i]` is the option that decision i stands at.
    """
    turned: list[int] = []
    while True:
        met: list[Hole] = []

        def decide(hole: Hole, met: list[Hole] = met) -> Value:
            if len(met) == len(turned):
                turned.append(0)
            met.append(hole)
            return option(hole.domain, turned[len(met) - 1])

        candidate: Candidate = {}
        resolve(tree, decide, candidate)
        yield candidate
        while turned and turned[-1] + 1 == options(met[len(turned) - 1].domain):
            turned.pop()
        if not turned:
            return
        turned[-1] += 1
