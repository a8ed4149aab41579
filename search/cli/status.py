"""`striate status`: what a search has done."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from search.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SearchArgument, invocation, output
from search.history import ENDS
from search.home import Home
from search.standing import standing


def status(name: SearchArgument = None, home: HomeOption = DEFAULT_HOME, json_: JsonOption = False) -> None:
    """Show how a search stands: its trials, the best, the running median, what each feedback edge is worth.

    Example: striate status digits-1
    """
    facts = standing(Home(home).existing(name), time.time())
    console = output()
    if json_:
        console.print(json.dumps(facts, indent=2))
        return
    table = Table(show_header=False, box=None, title=f"Search {facts['name']}", title_justify="left")
    for key, value in _rows(facts):
        table.add_row(key, value)
    console.print(table)
    where = "" if home == DEFAULT_HOME else f" --home {shlex.quote(str(home))}"
    for line in _lines(facts, f"{facts['name']}{where}"):
        console.print(line)
    if facts["edges"]:
        console.print(_edges(facts["edges"]))


def _rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "status", facts["status"] + (f": {facts['why']}" if facts["why"] else "")
    yield "sampler", facts["sampler"]
    yield "trials", f"{facts['ended']:,} of {facts['trials']:,} ended"
    for end in ENDS:
        if facts[end]:
            yield f"  {end}", f"{facts[end]:,}"
    if facts["duplicates_avoided"]:
        yield "duplicates avoided", f"{facts['duplicates_avoided']:,}"
    if facts["best_trial"] is not None:
        yield "best", f"{facts['best_top1']:.4f} (trial {facts['best_trial']})"
    if again := facts["best_replicates"]:
        deviation = "" if again["sd"] is None else f" ± {again['sd']:.4f}"
        yield "  replicated", f"{again['mean']:.4f}{deviation} (mean and deviation of {again['replicates']})"
    for key in ("median_last_50", "mean_last_50"):
        yield key.replace("_", " "), "–" if facts[key] is None else f"{facts[key]:.4f}"
    if facts["share_at_chance_last_50"]:
        yield "at chance, of last 50", f"{facts['share_at_chance_last_50']:.0%}"
    if facts["trials_per_hour"] is not None:
        yield "trials per hour", f"{facts['trials_per_hour']:,.0f}"
    spent, budget = facts["spent"], facts["budget"]
    yield "hours", f"{spent['hours']:.2f}{_of(budget['max_hours'])}"
    yield "worker-hours", f"{spent['worker_hours']:.2f}{_of(budget['max_cost'])}"
    if budget["target"] is not None:
        yield "target", f"{budget['target']:.4f}"


def _of(most: float | None) -> str:
    return "" if most is None else f" of {most:g}"


def _lines(facts: dict[str, Any], name: str) -> Iterator[str]:
    striate = invocation()
    if facts["status"] in ("created", "killed", "interrupted", "failed") and not facts["driven"]:
        yield f"Go on: {striate} launch --resume {name}"
    for failure in facts["failures"]:
        times = "once" if failure["times"] == 1 else f"{failure['times']:,} times"
        yield f"Failed {times} ({failure['kind']}), most often: {failure['reason']}"
    if any(failure["kind"] != "unfit" for failure in facts["failures"]):
        yield f"Try them again: {striate} retry --failed {name}"
    for trial in facts["running"]:
        attempt = "" if trial["attempt"] == 1 else f", attempt {trial['attempt']}"
        yield f"Running: trial {trial['trial']}{attempt}, {trial['epochs']} epochs done"
    mirror = facts["mirror"]
    if mirror["events_behind"] and (mirror["why"] or not mirror["at_work"]):
        why = f" ({mirror['why']})" if mirror["why"] else ""
        yield f"MLflow is {mirror['events_behind']:,} events behind{why}: {striate} sync {name}"
    if facts["edges"] and facts["sampler"] != "random":
        yield "The sampler is adaptive: a difference is also that of what was chosen along with the edge."


def _edges(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Feedback edges: median top-1 with the edge minus without it", title_justify="left", box=None)
    for heading in ("edge", "difference", "trials with", "without"):
        table.add_column(heading, justify="left" if heading == "edge" else "right")
    for row in sorted(rows, key=lambda row: -row["difference"]):
        table.add_row(row["edge"], f"{row['difference']:+.4f}", str(row["with"]), str(row["without"]))
    return table
