"""Hashes that say when two things are the same, each with the version of the rules by which it was made.

A hash is `s2:` and the SHA-256 of canonical JSON. The version goes up whenever the rules change what is equal, so that
hashes of two versions are never compared.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from space.convert import write
from space.forms import Record
from space.model import Architecture, Training
from space.nodes import Graph
from space.normal_form import normal_form
from space.space import Candidate, Space
from space.tree import Choice, Hole, Integers, Mapping, Node, Reals, Scalar, Sequence, When

VERSION = "s2"
_NOT_OF_A_TRIAL = ("data", "seed")


def space_hash(space: Space) -> str:
    """The hash of a space: of all decisions, their order and priors, what they decide and must meet; not of names."""
    tree = {key: node for key, node in space.tree.entries.items() if key != "name"}
    constraints = sorted(str(each.condition) for each in space.constraints)
    return _hash("space", [[[key, _plain(node)] for key, node in tree.items()], constraints])


def candidate_hash(candidate: Candidate) -> str:
    """The hash of a candidate: of its decisions, in whatever order."""
    return _hash("candidate", candidate)


def architecture_hash(graph: Graph) -> str:
    """The hash of what a graph computes: equal for graphs of equal normal form."""
    return _hash("architecture", normal_form(graph).form)


def trial_key(architecture: Architecture, graph: Graph, split: str, replicate: int) -> str:
    """The hash of a trial: two trials of one key measure the same thing and differ by chance alone.

    Arguments:
        architecture: how it is trained; its data set, but not its seed, is of the trial.
        graph: its lowering.
        split: the name of the images that are trained on and scored.
        replicate: which one it is of the trials that are meant to repeat each other.

    """
    trial = {
        "architecture": architecture_hash(graph),
        "training": training_settings(architecture.train),
        "data": [architecture.train.data, split],
        "replicate": replicate,
    }
    return _hash("trial", trial)


def training_settings(training: Training) -> dict[str, Any]:
    """All settings of training that change its outcome, defaults written out; zeros have no sign."""
    plain: dict[str, Any] = write(Record(Training), training)
    kept = {key: value for key, value in plain.items() if key not in _NOT_OF_A_TRIAL}
    return {key: value + 0.0 if isinstance(value, float) else value for key, value in kept.items()}


def _hash(kind: str, plain: object) -> str:
    text = json.dumps([kind, plain], sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return f"{VERSION}:{hashlib.sha256(text.encode()).hexdigest()}"


def _plain(node: Node) -> Any:
    """A tree as data in which different trees differ; marks, which say where it was written, are left out."""
    match node:
        case Scalar(value):
            return value
        case Sequence(items):
            return ["items", *map(_plain, items)]
        case Mapping(entries):
            return ["entries", *([key, _plain(each)] for key, each in entries.items())]
        case When(condition, body):
            return ["when", str(condition), _plain(body)]
        case Hole(path=path, domain=Choice(labels, branches, weights)):
            total = sum(weights)
            options = zip(labels, map(_plain, branches), weights, strict=True)
            return ["choice", path, *([label, branch, weight / total] for label, branch, weight in options)]
        case Hole(path=path, domain=Integers() | Reals() as domain):
            return [type(domain).__name__, path, repr(domain)]
