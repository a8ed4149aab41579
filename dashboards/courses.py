"""Searches side by side: how the best and the typical model moved, at equal numbers of trials."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from plotly import graph_objects as go
from plotly.colors import hex_to_rgb
from plotly.subplots import make_subplots

from dashboards import style
from dashboards.rows import CourseRow

NO_TRIAL: Final = "no finished trial yet"
BAND: Final = "Bands: quartiles over searches that differ by their seeds alone."

_HEADINGS: Final = ("Best top-1 so far", "Median top-1 of the last 50 trials")
_COLOURS: Final = (style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.ORANGE, style.INK, style.QUIET)
_OPACITY: Final = 0.18


@dataclass(frozen=True, slots=True)
class _Course:
    """One line with its band: x in ended trials, y in top-1 fractions, nan where there is a gap."""

    group: str
    x: list[int]
    low: list[float]
    middle: list[float]
    high: list[float]
    colour: str


def courses_png(rows: Sequence[CourseRow], title: str) -> Figure:
    """The best so far above and the running median below, as a matplotlib figure, 9 by 8 inches."""
    figure = style.blank_png(9, 8, title, BAND)
    panels = _panels(rows)
    if not rows:
        style.note_png(figure.add_subplot(), NO_TRIAL)
        return figure
    both = figure.subplots(2, 1, sharex=True)
    for axes, heading, courses, stays in zip(both, _HEADINGS, panels, (True, False), strict=True):
        step, drawstyle = ("post", "steps-post") if stays else (None, "default")
        axes.set_title(heading, loc="left", size=10, color=style.INK)
        style.dress_png(axes, grid="y")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        for course in courses:
            band = axes.fill_between(course.x, course.low, course.high, step=step, alpha=_OPACITY, linewidth=0)
            band.set_facecolor(course.colour)
            axes.plot(course.x, course.middle, label=course.group, color=course.colour, lw=1.6, drawstyle=drawstyle)
    style.trial_axis_png(figure.axes[1])
    figure.axes[0].legend(loc="lower right", frameon=False, fontsize=9)
    return figure


def courses_html(rows: Sequence[CourseRow], title: str) -> go.Figure:
    """The figure of `courses_png` as an interactive Plotly figure, as wide as its page and 820 pixels high."""
    if not rows:
        figure = go.Figure()
        style.dress_html(figure, height=340, title=title, subtitle=BAND)
        style.note_html(figure, NO_TRIAL)
        return figure
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.1, subplot_titles=_HEADINGS)
    style.dress_html(figure, height=820, title=title, subtitle=BAND)
    for row, courses in enumerate(_panels(rows), start=1):
        for course in courses:
            shared = {"x": course.x, "legendgroup": course.group, "name": course.group}
            shape = "hv" if row == 1 else "linear"
            edge = {"mode": "lines", "line": {"width": 0, "shape": shape}, "showlegend": False, "hoverinfo": "skip"}
            red, green, blue = hex_to_rgb(course.colour)
            fill = {"fill": "tonexty", "fillcolor": f"rgba({red},{green},{blue},{_OPACITY})"}
            figure.add_scatter(y=course.low, **shared, **edge, row=row, col=1)
            figure.add_scatter(y=course.high, **shared, **edge, **fill, row=row, col=1)
            line = {"color": course.colour, "width": 2, "shape": shape}
            hover = "after %{x} trials<br>%{y:.2%}<extra>%{fullData.name}</extra>"
            figure.add_scatter(
                y=course.middle,
                **shared,
                mode="lines",
                line=line,
                hovertemplate=hover,
                showlegend=row == 1,
                row=row,
                col=1,
            )
    figure.update_yaxes(tickformat=".2~%")
    figure.update_xaxes(title_text=style.TRIAL_AXIS, tickformat=",d", row=2, col=1)
    return figure


def _panels(rows: Sequence[CourseRow]) -> tuple[list[_Course], list[_Course]]:
    groups = list(dict.fromkeys(row.group for row in rows))
    colours = {group: _COLOURS[place % len(_COLOURS)] for place, group in enumerate(groups)}
    best: list[_Course] = []
    median: list[_Course] = []
    for group in groups:
        own = sorted((row for row in rows if row.group == group), key=lambda row: row.position)
        x = [row.position for row in own]
        for panel, bands in ((best, [row.best for row in own]), (median, [row.median for row in own])):
            low, middle, high = zip(*(band or (math.nan,) * 3 for band in bands), strict=True)
            panel.append(_Course(group, x, list(low), list(middle), list(high), colours[group]))
    return best, median
