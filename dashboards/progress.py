"""The course of a search: a dot for every model, and how the typical and the best model move.

After figure 3b of Nayebi et al. 2018; unlike there, trials that were stopped, learnt nothing, diverged or failed are
shown too. Where most of the last trials were stopped the median is not known, and its line has a gap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.ticker import PercentFormatter
from plotly import graph_objects as go

from dashboards import style
from dashboards.rows import TrialRow

NO_TRIAL: Final = "no finished trial yet"
NONE_MEASURED: Final = "no trial was measured: all of them failed"

_Y_TITLE: Final = "validation top-1"


@dataclass(frozen=True, slots=True)
class _Layer:
    """One set of marks: x in ended trials, y in top-1 fractions or nan where a line has a gap, `size` in points."""

    name: str
    trials: list[int]
    x: list[int]
    y: list[float]
    colour: str
    size: float


@dataclass(frozen=True, slots=True)
class _Layers:
    """All that either library draws, from back to front; `failed` has no top-1: its y is the foot of the plot."""

    complete: _Layer
    stopped: _Layer
    chance: _Layer
    diverged: _Layer
    failed: _Layer
    median: _Layer
    mean: _Layer
    best: _Layer

    @property
    def measured(self) -> list[float]:
        """Top-1 of every trial that has one."""
        return self.complete.y + self.stopped.y + self.chance.y + self.diverged.y


def progress_png(trials: Sequence[TrialRow], title: str) -> Figure:
    """Top-1 over the ended trials as a matplotlib figure, 9 by 5.4 inches; its layers are labelled as in its legend."""
    layers = _layers(trials)
    figure = style.blank_png(9, 5.4, title, _subtitle(trials))
    axes = figure.add_subplot()
    if not layers.measured:
        style.note_png(axes, _note(trials))
        return figure
    style.dress_png(axes, grid="y")
    axes.set(xlim=_positions_shown(trials), ylim=_top1_shown(layers.measured))
    axes.set_ylabel(_Y_TITLE, size=9, color=style.QUIET)
    style.trial_axis_png(axes)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    foot = axes.get_xaxis_transform()
    for layer, marker, stroke, place in (
        (layers.complete, MarkerStyle("o"), 0.0, axes.transData),
        (layers.stopped, MarkerStyle("v"), 0.0, axes.transData),
        (layers.chance, MarkerStyle("+"), 1.1, axes.transData),
        (layers.diverged, MarkerStyle("x"), 1.1, axes.transData),
        (layers.failed, MarkerStyle("|"), 1.1, foot),
    ):
        if layer.x:
            drawn = axes.scatter(layer.x, layer.y, s=layer.size**2, marker=marker, linewidths=stroke, transform=place)
            drawn.set(color=layer.colour, label=layer.name)
    for layer, drawstyle in ((layers.median, "default"), (layers.mean, "default"), (layers.best, "steps-post")):
        axes.plot(layer.x, layer.y, label=layer.name, color=layer.colour, lw=layer.size, drawstyle=drawstyle)
    # Matplotlib's default spacing would make the legend wider than the plot below it, and so would a longer line.
    columns = 6 if len(axes.get_legend_handles_labels()[0]) <= 6 else 4
    tight = {"columnspacing": 1.3, "handlelength": 1.3, "handletextpad": 0.5}
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1), ncols=columns, frameon=False, fontsize=9, **tight)
    return figure


def progress_html(trials: Sequence[TrialRow], title: str) -> go.Figure:
    """Top-1 over the ended trials as an interactive Plotly figure, as wide as its page and 560 pixels high."""
    layers = _layers(trials)
    figure = go.Figure()
    style.dress_html(figure, height=560, title=title, subtitle=_subtitle(trials))
    if not layers.measured:
        style.note_html(figure, _note(trials))
        return figure
    for layer, symbol, stroke, axis in (
        (layers.complete, "circle", 0.0, "y"),
        (layers.stopped, "triangle-down", 0.0, "y"),
        (layers.chance, "cross-thin", 1.6, "y"),
        (layers.diverged, "x-thin", 1.6, "y"),
        (layers.failed, "line-ns", 1.6, "y2"),
    ):
        if layer.x:
            line = {"width": stroke, "color": layer.colour}
            marker = {"symbol": symbol, "size": 1.4 * layer.size, "color": layer.colour, "line": line}
            top1 = "" if axis == "y2" else "<br>top-1 %{y:.2%}"
            figure.add_scatter(
                x=layer.x,
                y=layer.y,
                name=layer.name,
                mode="markers",
                marker=marker,
                yaxis=axis,
                customdata=layer.trials,
                hovertemplate=f"trial %{{customdata}}{top1}<extra>{layer.name}</extra>",
            )
    for layer, shape in ((layers.median, "linear"), (layers.mean, "linear"), (layers.best, "hv")):
        line = {"color": layer.colour, "width": 1.2 * layer.size, "shape": shape}
        hover = f"after %{{x}} trials<br>%{{y:.2%}}<extra>{layer.name}</extra>"
        figure.add_scatter(x=layer.x, y=layer.y, name=layer.name, mode="lines", line=line, hovertemplate=hover)
    figure.update_layout(
        xaxis={"title_text": style.TRIAL_AXIS, "range": _positions_shown(trials), "tickformat": ",d"},
        yaxis={"title_text": _Y_TITLE, "range": _top1_shown(layers.measured), "tickformat": ".2~%"},
        # An axis of its own keeps the ticks of failed trials at the foot of the plot when the reader zooms.
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "font": {"size": 12}},
    )
    return figure


def _layers(trials: Sequence[TrialRow]) -> _Layers:
    # Thousands of dots at full size would hide the lines' course in a solid band.
    dot = 4.6 if len(trials) <= 500 else 3.2 if len(trials) <= 2000 else 2.2
    return _Layers(
        complete=_dots(trials, "complete", style.DOT, dot),
        stopped=_dots(trials, "stopped", style.PURPLE, dot),
        chance=_dots(trials, "chance", style.ORANGE, 4.6),
        diverged=_dots(trials, "diverged", style.VERMILION, 4.6),
        failed=_dots(trials, "failed", style.QUIET, 10.0),
        median=_line("median of last 50", trials, [row.median for row in trials], style.GREEN, 1.2),
        mean=_line("mean of last 50", trials, [row.mean for row in trials], style.BLUE, 2.6),
        best=_line("best so far", trials, [row.best for row in trials], style.INK, 1.4),
    )


def _dots(trials: Sequence[TrialRow], end: str, colour: str, size: float) -> _Layer:
    rows = [row for row in trials if row.end == end]
    numbers, positions = [row.number for row in rows], [row.position for row in rows]
    return _Layer(f"{end} ({len(rows):,})", numbers, positions, [row.top1 or 0.0 for row in rows], colour, size)


def _line(name: str, trials: Sequence[TrialRow], values: Sequence[float | None], colour: str, size: float) -> _Layer:
    positions = [row.position for row in trials]
    return _Layer(name, [], positions, [math.nan if value is None else value for value in values], colour, size)


def _subtitle(trials: Sequence[TrialRow]) -> str:
    if not trials:
        return ""
    reached = [row for row in trials if row.end == "complete" and row.top1 == row.best]
    count = f"{len(trials):,} trial" + ("" if len(trials) == 1 else "s")
    if not reached:
        return count
    best = max(reached, key=lambda row: (row.best or 0.0, -row.position))
    return f"{count}; the best model is trial {best.number:,} with a top-1 of {best.best:.2%}"


def _note(trials: Sequence[TrialRow]) -> str:
    return NONE_MEASURED if trials else NO_TRIAL


def _positions_shown(trials: Sequence[TrialRow]) -> tuple[float, float]:
    # Ten trials at least, so that a young search is not drawn with fractions of a trial on its axis.
    first, last = min(row.position for row in trials), max(row.position for row in trials)
    last = max(last, first + 10)
    pad = 0.015 * (last - first)
    return first - pad, last + pad


def _top1_shown(measured: Sequence[float]) -> tuple[float, float]:
    low, high = min(measured), max(measured)
    pad = max(0.05 * (high - low), 0.01)
    return low - 1.5 * pad, high + pad
