"""When a search has had enough."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from search.history import History

HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a search may spend; once it has, no trial is begun, and those under way end as they would.

    Arguments:
        max_trials: how many trials, duplicates and replicates not counted.
        max_hours: for how many hours it is driven, over all of its starts.
        max_cost: how many hours its workers train, all of them together.
        target: a validation top-1 that is good enough.

    """

    max_trials: int
    max_hours: float | None = None
    max_cost: float | None = None
    target: float | None = None

    @classmethod
    def of(cls, history: History) -> Budget:
        """The budget that a search was last given."""
        return cls(**history.started.get("budget", history.created["budget"]))

    def changed(self, **given: Any) -> Budget:
        """The same, but for what is given."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def plain(self) -> dict[str, Any]:
        """As JSON would have it."""
        return asdict(self)

    def spent(self, history: History, now: float) -> str | None:
        """Which part of the budget is spent, in words; None where there is some left of all.

        Arguments:
            history: of the search.
            now: seconds since 1970.

        """
        best = history.best.objective if history.best else None
        if self.target is not None and best is not None and best >= self.target:
            return f"the target of {self.target:g} is reached"
        if history.counted >= self.max_trials:
            return f"all {self.max_trials:,} trials are asked"
        if self.max_hours is not None and history.driven_seconds(now) >= self.max_hours * HOUR:
            return f"{self.max_hours:g} hours are over"
        if self.max_cost is not None and history.trained_seconds >= self.max_cost * HOUR:
            return f"{self.max_cost:g} worker-hours are spent"
        return None
