"""What the sums of a searched cell add up: what enters each state, and what each gate reads.

The lowering, the dataflow and the network (`cells/searched.py`, which has the equation) all read these tables.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TypeAlias

from space.cell_models import (
    HiddenAdmitGate,
    HiddenAdmitSources,
    KeepGate,
    KeepSources,
    Link,
    OutputAdmitGate,
    OutputAdmitSources,
    Searched,
    SearchedHidden,
    SearchedOutput,
)


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a sum.

    Arguments:
        name: of its operation.
        point: what it reads: `x` the drive, `r` what the area reads, `c` or `h` the state that the step before left.
        link: its convolution; without one it is the point itself, or where the channels differ a 1×1 convolution of it.

    """

    name: str
    point: str
    link: Link | None


Gate: TypeAlias = KeepGate | HiddenAdmitGate | OutputAdmitGate
Sums: TypeAlias = dict[str, tuple[Term, ...]]


def searched_sums(cell: Searched) -> Sums:
    """Name → terms: `u_c` and `u_h` are what enters the states, before feedback; the others are of the gates."""
    return {**(hidden_sums(cell.hidden) if cell.hidden else {}), **output_sums(cell.output)}


@functools.lru_cache(maxsize=256)  # each step of a cell reads it
def hidden_sums(hidden: SearchedHidden) -> Sums:
    """The sums of the hidden state."""
    entering = _linked("hidden_from", {"input": (hidden.from_input, "x"), "residual": (hidden.from_residual, "r")})
    return {"u_c": entering, **_gate("hidden_keep", hidden.keep, "c"), **_gate("hidden_admit", hidden.admit, "c")}


@functools.lru_cache(maxsize=256)
def output_sums(output: SearchedOutput) -> Sums:
    """The sums of the output state."""
    entering = [Term("output_from_input", "x", output.from_input)]
    entering += _linked("output_from", {"hidden": (output.from_hidden, "c")})
    if output.bypass:
        entering.append(Term("output_bypass", "r", None))
    sums = {**_gate("output_keep", output.keep, "h"), **_gate("output_admit", output.admit, "h")}
    return {"u_h": tuple(entering), **sums}


def _gate(name: str, gate: Gate | None, state: str) -> Sums:
    if gate is None:
        return {}
    first: dict[str, tuple[Link | None, str]]
    match gate.sources:
        case KeepSources(own=own):
            first = {"self": (own, state)}
        case HiddenAdmitSources(output=output):
            first = {"output": (output, "h")}
        case OutputAdmitSources(hidden=hidden):
            first = {"hidden": (hidden, "c")}
    read = {**first, "input": (gate.sources.input, "x"), "residual": (gate.sources.residual, "r")}
    return {name: _linked(name, read)}


def _linked(name: str, read: dict[str, tuple[Link | None, str]]) -> tuple[Term, ...]:
    return tuple(Term(f"{name}_{key}", point, link) for key, (link, point) in read.items() if link)
