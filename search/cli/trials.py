"""`striate trials`: the trials of a search, one by one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from search.cli.options import DEFAULT_HOME, UNBOUND, HomeOption, JsonOption, SearchArgument, output
from search.history import ENDS, History
from search.home import Home
from search.trial_table import Row, trial_table, write_csv, write_parquet
from space.errors import UsageError, did_you_mean

COLUMNS = ("trial", "end", "top1", "epochs", "parameters", "multiply_adds", "sampler", "seconds", "edges")
STATES = (*ENDS, "running", "unfinished")


def trials(
    name: SearchArgument = None,
    end: Annotated[str | None, typer.Option(help=f"Only those that ended so: {', '.join(STATES)}.")] = None,
    edge: Annotated[str | None, typer.Option(help="Only those that have this feedback edge.")] = None,
    sampler: Annotated[str | None, typer.Option(help="Only those that it proposed.")] = None,
    best: Annotated[int | None, typer.Option(min=1, help="Only so many complete ones, the best first.")] = None,
    sort: Annotated[str, typer.Option(help="Column to sort by.")] = "trial",
    descending: Annotated[bool, typer.Option("--descending", help="The largest first.")] = False,
    csv: Annotated[Path | None, typer.Option(help="File to write them to, with every decision, as CSV.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="File to write them to as Parquet.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_: JsonOption = False,
) -> None:
    """List a search's trials; as JSON or in a file, each with all its decisions and what is known of it.

    Example: striate trials digits-1 --best 10
    """
    history = History.read(Home(home).existing(name))
    rows = trial_table(history)
    columns = list(rows[0]) if rows else list(COLUMNS)
    _refuse_unknown("an end", end, STATES)
    _refuse_unknown("a feedback edge of a trial", edge, history.edges)
    _refuse_unknown("the proposer of a trial", sampler, sorted({trial.sampler for trial in history.trials.values()}))
    _refuse_unknown("a column", sort, columns)
    chosen = [
        row
        for row in rows
        if (end is None or row["end"] == end)
        and (edge is None or edge in history.trials[row["trial"]].edges)
        and (sampler is None or row["sampler"] == sampler)
    ]
    if best is not None:
        complete = [row for row in chosen if row["end"] == "complete"]
        chosen = sorted(complete, key=lambda row: -row["objective"])[:best]
    if best is None or sort != "trial":
        chosen = _sorted(chosen, sort, descending=descending)
    console = output()
    for file, write in ((csv, write_csv), (parquet, write_parquet)):
        if file is not None:
            write(chosen, file)
            console.print(f"{len(chosen):,} trials written to {file}")
    if json_:
        console.print(json.dumps(chosen, indent=2))
    elif csv is None and parquet is None:
        if not console.is_terminal:
            console.width = UNBOUND
        shown = COLUMNS if sort in COLUMNS else (*COLUMNS, sort)
        console.print(_table(chosen, shown))


def _refuse_unknown(what: str, given: str | None, known: Iterable[str]) -> None:
    if given is not None and given not in (names := list(known)):
        raise UsageError(f"{given!r} is not {what} here; {did_you_mean(given, names)}")


def _sorted(rows: list[Row], column: str, *, descending: bool) -> list[Row]:
    """Sorted, with what is not known at the end either way; words after numbers."""
    known = [row for row in rows if row[column] is not None]
    unknown = [row for row in rows if row[column] is None]
    known.sort(key=lambda row: (isinstance(row[column], str), row[column]), reverse=descending)
    return known + unknown


def _table(rows: list[Row], columns: tuple[str, ...]) -> Table:
    table = Table(box=None)
    for column in columns:
        justify: Literal["left", "right"] = "left" if column in ("end", "sampler", "edges") else "right"
        table.add_column(column.replace("_", " "), justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*(_shown(column, row[column]) for column in columns))
    return table


def _shown(column: str, value: Any) -> str:
    if value is None:
        return "–"
    if column in ("top1", "objective"):
        return f"{value:.4f}"
    if column == "seconds":
        return f"{value:.1f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
