"""The trials of a search as a table: one row for each, every decision a column of its own."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, TypeAlias

from search.history import History, Trial
from space.errors import StriateError

Row: TypeAlias = dict[str, Any]

PROXY = "proxy."
DECISION = "decision."


def trial_table(history: History) -> list[Row]:
    """Every trial that was asked, in the order of the asks, with the same columns for all.

    What is not known of one is None: a decision that its candidate does not have, the top-1 of one that reported none.
    """
    rows = [_row(trial) for trial in history.trials.values()]
    columns: dict[str, None] = {}
    for row in rows:
        columns |= dict.fromkeys(row)
    return [{column: row.get(column) for column in columns} for row in rows]


def _row(trial: Trial) -> Row:
    last = trial.reports[max(trial.reports)] if trial.reports else {}
    known = {
        "trial": trial.number,
        "end": trial.end or ("running" if trial.running else "unfinished"),
        "top1": last.get("top1"),
        "objective": trial.objective,
        "epochs": len(trial.reports),
        "seconds": sum(report["seconds"] for report in trial.reports.values()),
        "parameters": trial.parameters,
        "multiply_adds": trial.multiply_adds,
        "memory": trial.memory,
        "sampler": trial.sampler,
        "seed": trial.seed,
        "edges": ", ".join(trial.edges),
        "attempts": trial.attempt,
        "begun_at": trial.begun_at or None,
        "ended_at": trial.ended_at or None,
        "duplicate_of": trial.duplicate_of,
        "replicate_of": trial.replicate_of,
        "failure": trial.kind or None,
        "reason": trial.reason or None,
        "trial_key": trial.key,
        "log_prior": trial.log_prior,
        "log_propensity": trial.log_propensity,
    }
    proxies = {f"{PROXY}{name}": value for name, value in trial.proxies.items()}
    return known | proxies | {f"{DECISION}{path}": value for path, value in trial.candidate.items()}


def write_csv(rows: list[Row], file: Path) -> None:
    """Write rows of the same columns as comma-separated values; what is None is empty.

    Raises:
        StriateError: the file cannot be written.

    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        file.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise _unwritable(file, error) from None


def write_parquet(rows: list[Row], file: Path) -> None:
    """Write rows of the same columns as a Parquet file; a column of both numbers and words becomes one of words.

    Raises:
        StriateError: the file cannot be written.

    """
    import pyarrow
    from pyarrow import parquet

    columns = {column: _of_one_type([row[column] for row in rows]) for column in (rows[0] if rows else {})}
    try:
        parquet.write_table(pyarrow.table(columns), file)
    except OSError as error:
        raise _unwritable(file, error) from None


def _of_one_type(values: list[Any]) -> list[Any]:
    types = {type(value) for value in values if value is not None}
    if len(types) <= 1:
        return values
    as_one = float if types == {int, float} else str
    return [None if value is None else as_one(value) for value in values]


def _unwritable(file: Path, error: OSError) -> StriateError:
    return StriateError(f"{file} cannot be written: {error.strerror or error}; give another place")
