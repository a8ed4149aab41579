"""Architectures out of the JSON files of the public packages for temporal networks.

Two dialects are read: that of neuroailab's `tnn` and `convrnns` (functions of TensorFlow, by name), and that of
PyTorchTNN (classes, by name). A node is an area; the one that sends nothing is the read-out. What such files leave to a
program (the steps, the unroll, which cell) is asked for, or is what the packages do by default.

Initial values, weight decay and the optimiser are not read.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass

from space.errors import Mark, Problem, Problems, SpecificationError
from space.import_body import Body
from space.import_network import Network
from space.model import IMAGE, Architecture, Edges, ForwardEdge, Input, Readout, Time, Training
from space.parse import parse_architecture, to_yaml
from space.reader import read
from space.tree import Mapping

_WHAT_IT_IS = "a network is a JSON object with `nodes` and `edges`"
_TABS = str.maketrans("\t", " ")  # which JSON may be indented with, and YAML may not


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the files leave to a program.

    Arguments:
        steps: how many; if not given, those of the file, or as many as an image takes to the read-out.
        unroll: of the time.
        cell: which cell a memory with a `filter_size` is.
        readout: a pool, to put a read-out of ours in the place of the file's.
        data: what it is trained on.

    """

    steps: int | None = None
    unroll: str = "biological"
    cell: str | None = None
    readout: str | None = None
    data: str = "imagenet"


def import_json(text: str, file: str, name: str, wishes: Wishes) -> str:
    """The YAML text of an architecture; its first lines say what the file did not.

    Raises:
        SpecificationError: with all that cannot be expressed, and where it stands.

    """
    problems = Problems()
    network = Network(_document(text, file, problems), problems, wishes.cell, wishes.readout)
    network.read_nodes()
    problems.raise_if_any()
    steps = wishes.steps or network.steps or len(network.areas) + 1
    architecture = Architecture(
        striate=1,
        name=name,
        input=Input(channels=network.channels, size=network.size, classes=network.classes),
        time=Time(steps=steps, unroll=wishes.unroll),
        areas=tuple(network.areas),
        edges=Edges(
            forward=None if _is_chain(network) else tuple(network.forward),
            lateral=tuple(network.lateral),
            feedback=tuple(network.feedback),
            skip=tuple(network.skip),
        ),
        readout=Readout(pool=network.pool),
        train=Training(data=wishes.data, learning_rate=0.01),
    )
    written = to_yaml(architecture, _comment(file, network.notes))
    try:
        parse_architecture(written, file)
    except SpecificationError as error:
        top = Mark(file, 1, 1)
        found = [Problem(top, each.path, each.message) for each in error.problems]
        raise SpecificationError(found) from None
    return written


def _is_chain(network: Network) -> bool:
    names = [IMAGE, *(area.name for area in network.areas)]
    chain = (ForwardEdge(source=one, target=other) for one, other in itertools.pairwise(names))
    return network.forward == list(chain)


def _document(text: str, file: str, problems: Problems) -> Body:
    try:
        json.loads(text, parse_int=str)  # the syntax alone: Python makes no number of thousands of digits
    except json.JSONDecodeError as error:
        problems.add(
            Mark(file, error.lineno, error.colno), "", f"{_WHAT_IT_IS}, but this is not JSON: {error.msg}; mend it"
        )
    except RecursionError:
        problems.add(Mark(file, 1, 1), "", "this JSON nests too deep; flatten it")
    problems.raise_if_any()
    root = read(text.translate(_TABS), file, problems)
    if root is not None and not isinstance(root, Mapping):
        problems.add(root.mark, "", f"{_WHAT_IT_IS}, but this is something else; give such a file")
    problems.raise_if_any()
    assert isinstance(root, Mapping)
    return Body(root, "", problems)


def _comment(file: str, notes: Sequence[str]) -> str:
    lines = [f"Imported from {file}, which says nothing of training: `train` is a default, to be set."]
    return "\n".join([*lines, *notes])
