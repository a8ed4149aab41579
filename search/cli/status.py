"""`striate status`: what a search has done."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from rich.table import Table

from search.budget import Budget
from search.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SearchArgument, invocation, output
from search.driver import settings_of
from search.history import ENDS, History
from search.home import Home
from search.record import is_driven
from search.summary import edge_effect_rows, latest_trial_row


def status(name: SearchArgument = None, home: HomeOption = DEFAULT_HOME, json_: JsonOption = False) -> None:
    """Show how a search stands: its trials, the best, the running median, what each feedback edge is worth.

    Example: striate status digits-1
    """
    folder = Home(home).existing(name)
    facts = _facts(History.read(folder), driven=is_driven(folder))
    console = output()
    if json_:
        console.print(json.dumps(facts, indent=2))
        return
    table = Table(show_header=False, box=None, title=f"Search {facts['name']}", title_justify="left")
    for key in (
        "status",
        "sampler",
        "trials",
        "ended",
        *ENDS,
        "best_trial",
        "best_top1",
        "median_last_50",
        "mean_last_50",
    ):
        value = facts[key]
        shown = "–" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
        table.add_row(key.replace("_", " "), shown)
    console.print(table)
    if facts["status"] in ("killed", "interrupted"):
        console.print(f"Go on: {invocation()} launch --resume {facts['name']}")
    for reason, times in facts["failures"].items():
        console.print(f"Failed {times} times: {reason}")
    for trial in facts["running"]:
        console.print(f"Running: trial {trial['trial']}, {trial['epochs']} epochs done")
    if facts["edges"] and facts["sampler"] != "random":
        console.print("The sampler is adaptive: a difference is also that of what was chosen along with the edge.")
    if facts["edges"]:
        edges = Table(
            title="Feedback edges: median top-1 with the edge minus without it", title_justify="left", box=None
        )
        for heading in ("edge", "difference", "trials with", "without"):
            edges.add_column(heading, justify="left" if heading == "edge" else "right")
        for row in sorted(facts["edges"], key=lambda row: -row["difference"]):
            edges.add_row(row["edge"], f"{row['difference']:+.4f}", str(row["with"]), str(row["without"]))
        console.print(edges)


def _facts(history: History, *, driven: bool) -> dict[str, Any]:
    last = latest_trial_row(history)
    settings = settings_of(history)
    return {
        "name": settings.name,
        "status": "killed" if history.status == "running" and not driven else history.status,
        "sampler": settings.sampler,
        "trials": Budget.of(history).max_trials,
        "ended": history.ended_counted,
        **{end: history.count(end) for end in ENDS},
        "best_trial": history.best.number if history.best else None,
        "best_top1": last.best if last else None,
        "median_last_50": last.median if last else None,
        "mean_last_50": last.mean if last else None,
        "running": [
            {"trial": trial.number, "epochs": len(trial.reports)}
            for trial in history.unfinished
            if trial.running and driven
        ],
        "failures": dict(Counter(trial.reason for trial in history.ended if trial.end == "failed").most_common()),
        "edges": [
            {"edge": row.edge, "difference": row.difference, "with": row.trials_with, "without": row.trials_without}
            for row in edge_effect_rows(history, history.edges)
        ],
    }
