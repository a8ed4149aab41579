"""What a search is told once, when it begins."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """The settings of a search; they and the space decide every ask.

    Arguments:
        name: of the search, and of its folder.
        sampler: which sampler proposes.
        seed: decides every draw of the sampler and every trial's own seed.
        data_folder: where the data set's files lie, or None for where they usually do.
        tracking_uri: of the MLflow server that mirrors the search, or None for the store in the home folder.

    """

    name: str
    sampler: str
    seed: int
    data_folder: str | None = None
    tracking_uri: str | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON would have it."""
        return asdict(self)

    def derived_seed(self, purpose: str, number: int) -> int:
        """A seed in [0, 2³¹) for one purpose of one trial; the libraries that take it want no more bits."""
        digest = hashlib.sha256(f"{self.seed}:{purpose}:{number}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1
