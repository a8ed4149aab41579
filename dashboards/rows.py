"""The rows that every figure is drawn from: plain data, made by whoever owns the record of the search."""

from dataclasses import dataclass
from typing import Final

ENDS: Final = ("complete", "stopped", "chance", "diverged", "failed")


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial of a search with the running statistics up to it; every top-1 is a fraction in [0, 1].

    After the dots and the lines of figure 3b of Nayebi et al. 2018.

    Attributes:
        position: how many trials had ended with this one, from 1; the figures' horizontal axis.
        number: the trial's own number, from 1 in the order of the asks.
        end: one of `ENDS`.
        top1: validation top-1 after the last epoch it was trained for; the chance level for one that diverged or learnt
            nothing, None for one that failed.
        best: best top-1 of the trials up to and including this one; None while there is none.
        mean: mean top-1 of the last 50 measured trials, this one included, without the stopped; None if there is none.
        median: median of the same trials with the stopped counted as below all others; None where it is one of those.
    """

    position: int
    number: int
    end: str
    top1: float | None
    best: float | None
    mean: float | None
    median: float | None

    def __post_init__(self) -> None:
        """Refuse a row that no layer of the figure would show."""
        if self.end not in ENDS:
            raise ValueError(f"trial {self.number}: end is one of {', '.join(ENDS)}, not {self.end!r}; leave it out")
        if (self.top1 is None) != (self.end == "failed"):
            raise ValueError(f"trial {self.number}: a failed trial has no top-1, any other has one, not {self.top1!r}")


@dataclass(frozen=True, slots=True)
class EdgeShareRow:
    """How many of the last 100 trials have a feedback edge, after the upper panel of figure 4b of Nayebi et al. 2018.

    Attributes:
        edge: the edge as its architecture file names it, `"conv3>conv1"`.
        position: how many trials had ended at the end of the window.
        share: share of the window's trials whose architecture has the edge, in [0, 1].
    """

    edge: str
    position: int
    share: float


@dataclass(frozen=True, slots=True)
class EdgeEffectRow:
    """What a feedback edge seems to be worth, after the lower panel of figure 4b of Nayebi et al. 2018.

    Attributes:
        edge: the edge as its architecture file names it, `"conv3>conv1"`.
        difference: median top-1 of the trials with the edge minus that of those without it, in [-1, 1].
        trials_with: number of trials behind the first median.
        trials_without: number of trials behind the second.
    """

    edge: str
    difference: float
    trials_with: int
    trials_without: int


@dataclass(frozen=True, slots=True)
class CourseRow:
    """How far like searches had come after so many ended trials.

    Attributes:
        group: what the searches have in common, in a few words.
        position: how many trials had ended in each.
        best: lower quartile, median and upper quartile, over the searches, of the best top-1 so far; None while one of
            them has none.
        median: the same of the median of the last 50.
    """

    group: str
    position: int
    best: tuple[float, float, float] | None
    median: tuple[float, float, float] | None
