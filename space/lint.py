"""Warnings: what a space may say, but hardly means.

Some are certain: read off the document, or off all candidates where these are few. The others rest on draws, whose
number they state.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator

from space.enumeration import enumerate_candidates
from space.errors import Mark, Problem, Problems, SpecificationError
from space.hashes import architecture_hash, training_settings
from space.lint_edges import lint_edges, step_options
from space.options import options
from space.reader import read
from space.space import Candidate, Space
from space.tree import Choice, Hole, Integers, Mapping, Node, Scalar, Sequence, Value, resolve

REJECTION_DRAWS = 400
MOST_CANDIDATES = 10_000
MOST_LOWERED = 500
NEARLY_NEVER, NEARLY_ALWAYS = 0.005, 0.99
MOST_EARLY = 0.5
TRIES = 20
HASHED_DRAWS = 200


def lint(space: Space) -> tuple[Problem, ...]:
    """All warnings about a space, in file order; none of them makes it wrong."""
    edges = list(lint_edges(space))
    idle = [
        each  # what an edge that never matters holds need not be told of too
        for each in _decisions_of_no_consequence(space)
        if not any(each.path.startswith(f"{edge.path}.") for edge in edges)
    ]
    found = [*_unused(space), *_shown(space), *_single_options(space), *edges, *_constraints(space), *idle]
    told: dict[tuple[Mark, str, str], Problem] = {}
    for each in sorted(found):
        told.setdefault((each.mark, each.path, each.message), each)
    return tuple(told.values())


def _unused(space: Space) -> Iterator[Problem]:
    """Templates and shared values that nothing uses, directly or through others."""
    root = read(space.text, space.file, Problems())
    if not isinstance(root, Mapping):
        return
    defined = {
        section: node.entries
        for section, key in (("templates", "use"), ("shared", "shared"))
        if isinstance(node := root.entries.get(section), Mapping)
    }
    used = {section: set[str]() for section in ("templates", "shared")}
    waiting: list[Node] = [node for key, node in root.entries.items() if key not in used]
    while waiting:
        for section, name in _uses(waiting.pop()):
            if name not in used[section] and name in defined.get(section, {}):
                used[section].add(name)
                waiting.append(defined[section][name])
    for section, entries in defined.items():
        node = root.entries[section]
        assert isinstance(node, Mapping)
        for name in entries.keys() - used[section]:
            rule = f"what stands in `{section}` is used somewhere, but {name!r} is not; use it or take it away"
            yield Problem(node.key_marks[name], f"{section}.{name}", rule)


def _shown(space: Space) -> Iterator[Problem]:
    """An image that is shown for more steps than there are."""
    time = space.tree.entries["time"]
    stimulus = time.entries.get("stimulus") if isinstance(time, Mapping) else None
    shown = stimulus.entries.get("shown") if isinstance(stimulus, Mapping) else None
    most = step_options(space)[-1]
    if isinstance(shown, Scalar) and isinstance(shown.value, int) and shown.value > most:
        rule = f"an image is shown for some of the steps, but with {most} it is at all of them"
        yield Problem(shown.mark, "time.stimulus.shown", f"{rule}; show it for fewer, or leave `shown` out")


def _uses(node: Node) -> Iterator[tuple[str, str]]:
    match node:
        case Mapping(entries):
            for key, section in (("use", "templates"), ("shared", "shared")):
                if isinstance(name := entries.get(key), Scalar):
                    yield section, str(name.value)
            for each in entries.values():
                yield from _uses(each)
        case Sequence(items):
            for item in items:
                yield from _uses(item)


def _single_options(space: Space) -> Iterator[Problem]:
    for hole in space.holes:
        match hole.domain:
            case Choice(labels=(only,)) | Integers(low=only, high=_) if _is_single(hole):
                rule = f"a hole leaves something open, but this one has one option, {only}"
                yield Problem(hole.mark, hole.path, f"{rule}; write {only} in its place, or add options")


def _is_single(hole: Hole) -> bool:
    match hole.domain:
        case Choice(labels=labels):
            return len(labels) == 1
        case Integers(low=low, high=high):
            return low == high
        case _:
            return False


def _constraints(space: Space) -> Iterator[Problem]:
    """Constraints that hardly any draw breaks, or hardly any meets."""
    if not space.constraints:
        return
    exact = _rejected(space)
    shares = exact or space.feasible_share(random.Random(0), REJECTION_DRAWS).rejected
    asked = "all candidates, by their prior," if exact else f"{REJECTION_DRAWS} draws"
    early = sum(shares[each.name] for each in space.constraints if each.stage != "built")
    for position, each in enumerate(space.constraints):
        rejected = shares[each.name]
        if each.stage == "built" and early > MOST_EARLY:
            continue  # it is asked only of draws that meet the earlier ones, which are too few to tell
        given = f"{each.name!r} rejects {rejected:.1%} of {asked}".rstrip(",")
        mark, path = each.condition.mark, f"constraints[{position}]"
        if rejected <= (0.0 if exact else NEARLY_NEVER):
            yield Problem(mark, path, f"a constraint rejects something, but {given}; tighten it or take it away")
        elif rejected >= NEARLY_ALWAYS:
            rule = f"a constraint lets something pass, but {given}"
            yield Problem(mark, path, f"{rule}; loosen it, or narrow the decisions that it speaks of")


def _rejected(space: Space) -> dict[str, float] | None:
    """The share of the prior that breaks each constraint, exactly; None where candidates are too many or continuous."""
    most = MOST_LOWERED if any(each.stage == "built" for each in space.constraints) else MOST_CANDIDATES
    if any(options(hole.domain) is None for hole in space.holes):
        return None
    candidates = list(itertools.islice(enumerate_candidates(space), most + 1))
    if len(candidates) > most:
        return None
    shares = dict.fromkeys((each.name for each in space.constraints), 0.0)
    for candidate in candidates:
        share = math.exp(space.log_prior(candidate))
        for name in space.broken(candidate):
            shares[name] += share
    return shares


def _decisions_of_no_consequence(space: Space) -> Iterator[Problem]:
    """Decisions of which another value, all else being equal, never gave another trial."""
    rng = random.Random(0)
    waiting = {hole.path: hole for hole in space.holes if not _is_single(hole)}
    tried = dict.fromkeys(waiting, 0)
    for _ in range(HASHED_DRAWS):
        if not waiting:
            return
        before = space.draw(rng)
        outcome = _outcome(space, before)
        if outcome is None:
            continue
        for path in [path for path in before if path in waiting]:
            after = _with_another(space, before, path, rng)
            other = outcome if after is None else _outcome(space, after)
            if after is None or other is None:
                continue
            tried[path] += 1
            if other != outcome:
                del waiting[path]
            elif tried[path] >= TRIES:
                hole = waiting.pop(path)
                rule = (
                    f"a decision changes what is computed or how it is trained, but in {TRIES} draws this one did not"
                )
                yield Problem(hole.mark, path, f"{rule}; take it away, or give it a `when`")


def _outcome(space: Space, candidate: Candidate) -> str | None:
    try:
        architecture, graph = space.fill(candidate)
    except SpecificationError:
        return None
    settings = training_settings(architecture.train)
    others = (architecture.train.data, architecture.train.seed)
    return json.dumps([architecture_hash(graph), settings, others])


def _with_another(space: Space, candidate: Candidate, path: str, rng: random.Random) -> Candidate | None:
    """The candidate with another value at a path; what that reaches anew is drawn."""

    def decide(hole: Hole) -> Value:
        if hole.path != path:
            kept = candidate.get(hole.path)
            return kept if kept is not None and hole.domain.holds(kept) else hole.domain.draw(rng)
        for _ in range(TRIES):
            drawn = hole.domain.draw(rng)
            if drawn != candidate[path]:
                return drawn
        return candidate[path]

    changed: Candidate = {}
    resolve(space.tree, decide, changed)
    return changed if changed[path] != candidate[path] else None
