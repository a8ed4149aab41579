"""Searches side by side: their numbers at equal budgets, and their courses with those that differ by the seed together.

Trials are compared, not hours: how long one takes is a matter of the machine. Duplicates cost no trial.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dashboards.rows import CourseRow, TrialRow
from search.budget import HOUR
from search.driver import architecture_of, settings_of, space_of
from search.history import LOST, History
from search.summary import trial_rows
from space.hashes import space_hash

LOOKED_AT = 20  # trials of a search, to tell what it trains on
_OF_ONE_SEARCH = ("name", "seed", "data_folder", "tracking_uri", "patience")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The numbers of one search.

    Arguments:
        name: of it.
        group: what it has in common with those that differ from it by the seed alone.
        seed: of it.
        trials: how many ended.
        best: top-1 of its best trial, None where none is complete.
        best_at_equal: the same after as many trials as the shortest of the compared searches has.
        median_last_50: of its last trials.
        trials_to_level: how many it took to the least of the searches' bests; None where that is not known.
        avoided: how many duplicates it did not train.
        share_at_chance: of its measured trials, those that learnt nothing or diverged.
        hours: for how many it was driven.

    """

    name: str
    group: str
    seed: int
    trials: int
    best: float | None
    best_at_equal: float | None
    median_last_50: float | None
    trials_to_level: int | None
    avoided: int
    share_at_chance: float | None
    hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Some searches, compared.

    Arguments:
        searches: each of them.
        courses: of each group, as far as the shortest search has come.
        trials: which has so many.
        level: the least of the searches' bests; None where one has none.
        warnings: why the numbers may not mean the same, each a sentence.

    """

    searches: list[Compared]
    courses: list[CourseRow]
    trials: int
    level: float | None
    warnings: list[str]

    def plain(self) -> dict[str, Any]:
        """As JSON would have it."""
        return asdict(self)


def compare(histories: Sequence[History]) -> Comparison:
    """Compare searches."""
    rows = [trial_rows(history) for history in histories]
    equal = min(map(len, rows))
    bests = [own[-1].best if own else None for own in rows]
    known = [best for best in bests if best is not None]
    level = min(known) if len(known) == len(bests) else None
    groups = _groups(histories)
    searches = [
        _compared(history, own, group, equal, level)
        for history, own, group in zip(histories, rows, groups, strict=True)
    ]
    courses = [
        _course(group, position, [own[position] for own, its in zip(rows, groups, strict=True) if its == group])
        for group in dict.fromkeys(groups)
        for position in range(equal)
    ]
    warnings = _warnings(histories)
    return Comparison(searches=searches, courses=courses, trials=equal, level=level, warnings=warnings)


def _compared(history: History, rows: list[TrialRow], group: str, equal: int, level: float | None) -> Compared:
    settings = settings_of(history)
    last = rows[-1] if rows else None
    reached = (row.position for row in rows if level is not None and row.best is not None and row.best >= level)
    at_chance = sum(trial.end in LOST for trial in history.measured)
    return Compared(
        name=settings.name,
        group=group,
        seed=settings.seed,
        trials=len(rows),
        best=last.best if last else None,
        best_at_equal=rows[equal - 1].best if equal else None,
        median_last_50=last.median if last else None,
        trials_to_level=next(reached, None),
        avoided=history.avoided,
        share_at_chance=at_chance / len(history.measured) if history.measured else None,
        hours=history.driven_seconds(history.last_at) / HOUR,
    )


def _groups(histories: Sequence[History]) -> list[str]:
    """What to call each search's group: its own name where it is alone, else the first's with the number of seeds."""
    names = [settings_of(history).name for history in histories]
    kept = [
        {
            "space": space_hash(space_of(history)),
            **{key: value for key, value in settings_of(history).plain().items() if key not in _OF_ONE_SEARCH},
        }
        for history in histories
    ]
    groups = []
    for name, own in zip(names, kept, strict=True):
        members = [other for other, its in zip(names, kept, strict=True) if its == own]
        groups.append(f"{own['sampler']}: {members[0]} and {len(members) - 1} more" if len(members) > 1 else name)
    return groups


def _course(group: str, position: int, rows: Sequence[TrialRow]) -> CourseRow:
    return CourseRow(group, position + 1, _band([row.best for row in rows]), _band([row.median for row in rows]))


def _band(values: Sequence[float | None]) -> tuple[float, float, float] | None:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    if len(known) == 1:
        return known[0], known[0], known[0]
    low, middle, high = statistics.quantiles(known, n=4, method="inclusive")
    return low, middle, high


def _warnings(histories: Sequence[History]) -> list[str]:
    """Where the searches' top-1 do not mean the same."""
    data, epochs = {}, {}
    for history in histories:
        name, space = settings_of(history).name, space_of(history)
        fitting = (trial for trial in history.trials.values() if trial.parameters)
        trained = [architecture_of(space, trial).train for trial in itertools.islice(fitting, LOOKED_AT)]
        data[name] = _listed(each.data for each in trained)
        epochs[name] = _listed(each.epochs for each in trained)
    found = []
    for what, values in (("are on different images", data), ("train for different numbers of epochs", epochs)):
        known = {name: value for name, value in values.items() if value}
        if len(set(known.values())) > 1:
            told = ", ".join(f"{name} {value}" for name, value in known.items())
            found.append(f"These searches {what}, so their top-1 cannot be compared: {told}.")
    return found


def _listed(values: Iterable[object]) -> str:
    return " or ".join(sorted({str(value) for value in values}))
