"""What a person sees while a search runs: trials done, best, running median, time left."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from search.budget import Budget
from search.history import History
from search.summary import TRIAL_WINDOW, latest_trial_row

LINES = 10  # where there is no terminal, about so many lines are printed in all
STARTING = "starting workers"


class ProgressDisplay:
    """A live bar on a terminal; elsewhere a line now and then."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.ended_before: int | None = None
        self.ended_shown = 0
        self.trains_since: float | None = None  # what comes before, as the start of Ray, comes once
        self.bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(STARTING, total=None)

    def __enter__(self) -> ProgressDisplay:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def update(self, history: History) -> None:
        """Show the state of the search after an event."""
        ended, total = history.ended_counted, Budget.of(history).max_trials
        if self.ended_before is None:
            self.ended_before = self.ended_shown = ended
            self._print(f"{ended}/{total} trials  {STARTING}")
        if self.trains_since is None and any(trial.running for trial in history.unfinished):
            self.trains_since = time.monotonic()
        said = self._said(history, ended, total)
        self.bar.update(self.task, completed=ended, total=total, description=said)
        if ended > self.ended_shown and (ended - self.ended_shown >= max(1, total // LINES) or ended == total):
            self._print(f"{ended}/{total} trials  {said}")
            self.ended_shown = ended
        if history.status == "interrupted":
            self.console.print("Interrupted; MLflow gets what it lacks, for which another Ctrl-C does not wait.")

    def _print(self, line: str) -> None:
        if not self.console.is_terminal:
            self.console.print(line, highlight=False)

    def _said(self, history: History, ended: int, total: int) -> str:
        row = latest_trial_row(history)
        if row is None:
            return STARTING if self.trains_since is None else "training"
        parts = []
        if history.best is not None and row.best is not None:
            parts.append(f"best top-1 {row.best:.3f} (trial {history.best.number})")
        if row.median is not None:
            parts.append(f"median of last {TRIAL_WINDOW} {row.median:.3f}")
        now_ended = ended - (self.ended_before or 0)
        if now_ended and ended < total and self.trains_since is not None:
            seconds = (time.monotonic() - self.trains_since) / now_ended * (total - ended)
            parts.append(f"{_duration(seconds)} left")
        return "  ".join(parts)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "under a minute"
    return f"about {minutes} min" if minutes < 120 else f"about {round(minutes / 60)} h"
