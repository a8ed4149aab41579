"""What a search is told once, when it begins."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from search.samplers.sampler import Size

Scheduler: TypeAlias = Literal["none", "asha"]
CHANCE_AFTER = 2
PATIENCE_MINUTES = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """The settings of a search; they and the space decide every ask.

    Arguments:
        name: of the search, and of its folder.
        sampler: which sampler proposes.
        seed: decides every draw of the sampler and every trial's own seed.
        warm_up: each of the sampler's first candidates is the largest of so many draws; 1 ranks none.
        against: the size that a multi-objective sampler makes small.
        scheduler: who may stop a trial before its last epoch: nobody, or asynchronous successive halving.
        grace: epochs that every trial has before that.
        reduction: of the trials that reach a rung, the best 1/`reduction` go on.
        chance_after: epochs after which a trial that is still at chance level ends; None for never.
        patience: minutes without the end of an epoch after which a trial hangs.
        data_folder: where the data set's files lie, or None for where they usually do.
        tracking_uri: of the MLflow server that mirrors the search, or None for the store in the home folder.

    """

    name: str
    sampler: str
    seed: int
    warm_up: int = 1
    against: Size = "parameters"
    scheduler: Scheduler = "none"
    grace: int = 1
    reduction: int = 3
    chance_after: int | None = CHANCE_AFTER
    patience: float = PATIENCE_MINUTES
    data_folder: str | None = None
    tracking_uri: str | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON would have it."""
        return asdict(self)

    def derived_seed(self, purpose: str, number: int) -> int:
        """A seed in [0, 2³¹) for one purpose of one trial; the libraries that take it want no more bits."""
        digest = hashlib.sha256(f"{self.seed}:{purpose}:{number}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1
