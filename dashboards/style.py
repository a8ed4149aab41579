"""The one look of all figures: palette, fonts, and a blank figure of either library that wears them.

The hues are those of Okabe and Ito (2008, "Color Universal Design"), which stay apart for colour-blind readers.
Nothing here sets a default of matplotlib or Plotly: figures are drawn in background threads of other programs.
"""

from html import escape
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from plotly import graph_objects as go

BLUE: Final = "#0072B2"
GREEN: Final = "#009E73"
VERMILION: Final = "#D55E00"
ORANGE: Final = "#E69F00"
PURPLE: Final = "#CC79A7"
DOT: Final = "#86A9C4"
INK: Final = "#222222"
QUIET: Final = "#666666"
NEUTRAL: Final = "#A3A3A3"
RULE: Final = "#E6E6E6"

FONTS: Final = "DejaVu Sans, Verdana, Arial, sans-serif"
# The header holds title and subtitle; in inches for PNG and in pixels for HTML, it stays the same at any height.
HEADER_INCHES: Final = 0.72
HEADER_PIXELS: Final = 130
TRIAL_AXIS: Final = "trials, in the order in which they ended"

_AXIS: Final = {
    "gridcolor": RULE,
    "linecolor": NEUTRAL,
    "zeroline": False,
    "automargin": True,
    "title": {"font": {"size": 13, "color": QUIET}, "standoff": 10},
    "tickfont": {"size": 12, "color": QUIET},
}
_TEMPLATE: Final = go.layout.Template(
    layout={
        "font": {"family": FONTS, "size": 12, "color": INK},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "white", "font": {"family": FONTS, "color": INK}},
        "title": {"x": 0, "xref": "container", "xanchor": "left", "pad": {"l": 14}, "font": {"size": 19}},
        "xaxis": {**_AXIS, "showgrid": False, "showline": True},
        "yaxis": _AXIS,
    }
)


def blank_png(width: float, height: float, title: str, subtitle: str) -> Figure:
    """An empty matplotlib figure with its header, `width` by `height` inches, to which axes are added."""
    figure = Figure(figsize=(width, height), dpi=150, facecolor="white")
    figure.set_layout_engine("constrained", rect=(0.01, 0.01, 0.98, 0.98 - HEADER_INCHES / height), hspace=0.06)
    # `parse_math` is off because a search's name may hold a dollar sign.
    figure.text(0.015, 1 - 0.14 / height, title, va="top", size=14, weight="bold", color=INK, parse_math=False)
    figure.text(0.015, 1 - 0.46 / height, subtitle, va="top", size=9, color=QUIET, parse_math=False)
    return figure


def dress_png(axes: Axes, *, grid: str) -> None:
    """Take the box off `axes` and leave faint grid lines along one axis, `"x"` or `"y"`."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(NEUTRAL)
    axes.grid(axis="x" if grid == "x" else "y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=QUIET, labelsize=9, length=0)


def trial_axis_png(axes: Axes) -> None:
    """Let the x axis of `axes` count trials: whole, round numbers."""
    axes.set_xlabel(TRIAL_AXIS, size=9, color=QUIET)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def note_png(axes: Axes, text: str) -> None:
    """Say in the middle of otherwise empty `axes` why there is nothing to see."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", size=12, color=QUIET)
    axes.set_axis_off()


def dress_html(figure: go.Figure, *, height: int, title: str, subtitle: str) -> None:
    """Give a Plotly figure the template and the header; `height` in pixels, header included."""
    text = {"text": f"<b>{escape(title, quote=False)}</b>", "y": 1 - 30 / height, "yanchor": "top"}
    caption = {"text": escape(subtitle, quote=False), "font": {"size": 13, "color": QUIET}}
    margin = {"l": 70, "r": 40, "t": HEADER_PIXELS, "b": 60}
    figure.update_layout(template=_TEMPLATE, height=height, margin=margin, title={**text, "subtitle": caption})


def note_html(figure: go.Figure, text: str, *, axis: str = "") -> None:
    """Say in the middle of an empty Plotly figure, or of its panel with axes `axis`, why there is nothing to see."""
    figure.layout[f"xaxis{axis}"].visible = figure.layout[f"yaxis{axis}"].visible = False
    # In paper coordinates, because Plotly drops axes that no trace uses, and with them what stands on them.
    low, high = figure.layout[f"yaxis{axis}"].domain or (0, 1)
    where = {"xref": "paper", "x": 0.5, "yref": "paper", "y": (low + high) / 2}
    figure.add_annotation(text=text, showarrow=False, font={"size": 16, "color": QUIET}, **where)
