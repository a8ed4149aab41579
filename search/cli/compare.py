"""`striate compare`: searches side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from search.cli.options import DEFAULT_HOME, UNBOUND, HomeOption, JsonOption, output
from search.comparison import Comparison, compare
from search.export import write_text
from search.history import History
from search.home import Home
from space.errors import StriateError, UsageError

FIGURES = (".png", ".html")


def compare_(
    names: Annotated[list[str], typer.Argument(help="Names of searches.")],
    out: Annotated[list[Path] | None, typer.Option(help="File for a figure, .png or .html; may be repeated.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_: JsonOption = False,
) -> None:
    """Compare searches at equal numbers of trials; those that differ by their seeds alone are taken together.

    Example: striate compare digits-1 digits-2 --out compared.png
    """
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise UsageError(f"two different searches or more are compared, but {', '.join(names)} was given; name others")
    for file in out or ():
        if file.suffix not in FIGURES:
            raise UsageError(f"a figure is a .png or an .html file, but {file} was given; give it such a name")
    searches = Home(home)
    comparison = compare([History.read(searches.existing(name)) for name in names])
    console = output()
    if json_:
        console.print(json.dumps(comparison.plain(), indent=2))
    else:
        for warning in comparison.warnings:
            console.print(f"Warning: {warning}")
        if not console.is_terminal:
            console.width = UNBOUND
        console.print(_table(comparison, is_narrow=console.is_terminal))
    for file in out or ():
        _draw(comparison, " · ".join(names), file)
        if not json_:
            console.print(f"Figure written to {file}")


def _table(comparison: Comparison, *, is_narrow: bool) -> Table:
    """A row for each search; where there is little room headings and names are broken, and numbers never."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    for column in ("search", "group"):
        table.add_column(column, overflow="fold")
    level = "it" if comparison.level is None else f"{comparison.level:.4f}"
    of_equal = f"best\nof {comparison.trials:,}"
    numbers = ("seed", "trials", "best", of_equal, "median\nof last\n50", f"trials\nto\n{level}")
    for column in (*numbers, "dupli-\ncates", "chance", "hours"):
        heading = column if is_narrow else column.replace("-\n", "").replace("\n", " ")
        table.add_column(heading, justify="right", no_wrap=True)
    for each in comparison.searches:
        table.add_row(
            each.name,
            each.group,
            str(each.seed),
            f"{each.trials:,}",
            *("–" if value is None else f"{value:.4f}" for value in (each.best, each.best_at_equal)),
            "–" if each.median_last_50 is None else f"{each.median_last_50:.4f}",
            "–" if each.trials_to_level is None else f"{each.trials_to_level:,}",
            f"{each.avoided:,}",
            "–" if each.share_at_chance is None else f"{each.share_at_chance:.0%}",
            f"{each.hours:.2f}",
        )
    return table


def _draw(comparison: Comparison, title: str, file: Path) -> None:
    from dashboards.courses import courses_html, courses_png  # takes a second

    if file.suffix == ".html":
        html = courses_html(comparison.courses, title).to_html(include_plotlyjs=True, config={"displaylogo": False})
        write_text(file, html)
        return
    try:
        courses_png(comparison.courses, title).savefig(file)
    except OSError as error:
        raise StriateError(f"{file} cannot be written: {error.strerror}; give another place") from None
