"""Which feedback edges the search came to prefer, and how much better the models that have them are.

After figure 4b of Nayebi et al. 2018. An edge wears one colour in both panels: blue where models with it are better,
vermilion where they are worse, grey near zero or where no difference can be computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from dashboards import style
from dashboards.labels import spread
from dashboards.rows import EdgeEffectRow, EdgeShareRow

# Short enough for the narrow pane in which the MLflow UI shows the page.
CAVEAT: Final = "Adaptive sampler: a difference is also that of what was chosen along with the edge."
NO_EDGE: Final = "no feedback edges in this space"
NO_TRIAL: Final = "too few trials yet"
NO_EFFECT: Final = "no difference yet: it takes trials with the edge and trials without it"

_SHARE_HEADING: Final = "Share of the last 100 models that have the edge"
_EFFECT_HEADING: Final = "Median top-1 with the edge minus median without it"
_EFFECT_TITLE: Final = "difference in percentage points"
_COUNT_HEADING: Final = "with / without"
# Height of a line of labels; the panels grow by it with every edge.
_ROW_INCHES: Final = 0.16
_ROW_PIXELS: Final = 17


@dataclass(frozen=True, slots=True)
class _ShareLine:
    """The course of one edge's share: ended trials, shares in [0, 1], and the height of its label in the same unit."""

    edge: str
    positions: list[int]
    shares: list[float]
    label: float
    colour: str


@dataclass(frozen=True, slots=True)
class _Panels:
    """All that either library draws: lines, bars from the worst edge to the best, and heights in units of text rows."""

    lines: list[_ShareLine]
    bars: list[EdgeEffectRow]
    colours: dict[str, str]
    top: float
    share_rows: float
    effect_rows: float


def edges_png(
    shares: Sequence[EdgeShareRow],
    effects: Sequence[EdgeEffectRow],
    title: str,
    adaptive: bool,
    *,
    has_edges: bool = True,
) -> Figure:
    """Shares above, differences below, as a matplotlib figure 9 inches wide and as high as its edges need.

    Arguments:
        shares: share of each edge over the search.
        effects: difference of each edge for which one can be computed.
        title: heading of the figure.
        adaptive: whether the sampler learnt from the trials; if so, a caveat stands below the title.
        has_edges: whether the space has any; without rows, it tells such a space from a search that has just begun.
    """
    if not shares and not effects:
        figure = style.blank_png(9, 3, title, "")
        style.note_png(figure.add_subplot(), NO_TRIAL if has_edges else NO_EDGE)
        return figure
    panels = _panels(shares, effects)
    heights = [_ROW_INCHES * panels.share_rows, _ROW_INCHES * panels.effect_rows]
    figure = style.blank_png(9, sum(heights) + style.HEADER_INCHES + 1.5, title, CAVEAT if adaptive else "")
    upper, lower = figure.subplots(2, 1, height_ratios=heights)
    _draw_shares(upper, panels)
    _draw_effects(lower, panels)
    return figure


def edges_html(
    shares: Sequence[EdgeShareRow],
    effects: Sequence[EdgeEffectRow],
    title: str,
    adaptive: bool,
    *,
    has_edges: bool = True,
) -> go.Figure:
    """The figure of `edges_png` as an interactive Plotly figure, as wide as its page."""
    if not shares and not effects:
        figure = go.Figure()
        style.dress_html(figure, height=340, title=title, subtitle="")
        style.note_html(figure, NO_TRIAL if has_edges else NO_EDGE)
        return figure
    panels = _panels(shares, effects)
    heights = [_ROW_PIXELS * panels.share_rows, _ROW_PIXELS * panels.effect_rows]
    between = 110
    plot = round(sum(heights)) + between
    figure = make_subplots(2, 1, row_heights=heights, vertical_spacing=between / plot)
    height = plot + style.HEADER_PIXELS + 80
    style.dress_html(figure, height=height, title=title, subtitle=CAVEAT if adaptive else "")
    figure.update_layout(margin={"r": 130, "t": style.HEADER_PIXELS + 20}, showlegend=False, bargap=0.35)
    _add_shares(figure, panels)
    _add_effects(figure, panels)
    return figure


def _panels(shares: Sequence[EdgeShareRow], effects: Sequence[EdgeEffectRow]) -> _Panels:
    bars = sorted(effects, key=lambda row: (row.difference, row.edge))
    largest = max((abs(row.difference) for row in bars), default=0.0) or 1.0
    colours = {row.edge: _colour(row.difference / largest) for row in bars}
    courses: dict[str, list[EdgeShareRow]] = {}
    for row in sorted(shares, key=lambda row: row.position):
        courses.setdefault(row.edge, []).append(row)
    top = min(1.0, 1.08 * max((row.share for row in shares), default=1.0)) or 1.0
    rows = max(18.0, 1.05 * len(courses))
    labels = spread([course[-1].share for course in courses.values()], top / rows, 0.0, top)
    lines = [
        _ShareLine(
            edge,
            [row.position for row in course],
            [row.share for row in course],
            label,
            colours.get(edge, style.NEUTRAL),
        )
        for (edge, course), label in zip(courses.items(), labels, strict=True)
    ]
    # The strongest differences come last and so lie on top of the grey ones.
    size = {row.edge: abs(row.difference) for row in bars}
    lines.sort(key=lambda line: size.get(line.edge, 0.0))
    return _Panels(lines, bars, colours, top, rows, max(6.0, 1.3 * len(bars)))


def _colour(strength: float) -> str:
    # Not a matplotlib Colormap: it fills its table at first use, which two drawing threads could do at once.
    towards = to_rgb(style.BLUE if strength > 0 else style.VERMILION)
    mixed = zip(to_rgb(style.NEUTRAL), towards, strict=True)
    red, green, blue = (grey + abs(strength) * (hue - grey) for grey, hue in mixed)
    return to_hex((red, green, blue))


def _draw_shares(axes: Axes, panels: _Panels) -> None:
    axes.set_title(_SHARE_HEADING, loc="left", size=10, color=style.INK)
    if not panels.lines:
        style.note_png(axes, NO_TRIAL)
        return
    style.dress_png(axes, grid="y")
    axes.set(xlim=_positions_shown(panels.lines), ylim=(0, panels.top))
    style.trial_axis_png(axes)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    width = _line_width(panels)
    for line in panels.lines:
        # A single trial has no course yet: without a dot its line would be invisible.
        marker = "o" if len(line.positions) == 1 else "none"
        (drawn,) = axes.plot(line.positions, line.shares, label=line.edge, color=line.colour, lw=width, marker=marker)
        drawn.set_clip_on(False)
        axes.annotate(
            line.edge,
            xy=(1, line.shares[-1]),
            xycoords=axes.get_yaxis_transform(),
            xytext=(1.03, line.label),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            size=8,
            color=style.INK,
            parse_math=False,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": line.colour,
                "lw": 0.7,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 0,
            },
        )


def _draw_effects(axes: Axes, panels: _Panels) -> None:
    axes.set_title(_EFFECT_HEADING, loc="left", size=10, color=style.INK)
    if not panels.bars:
        style.note_png(axes, NO_EFFECT)
        return
    style.dress_png(axes, grid="x")
    rows = range(len(panels.bars))
    colours = [panels.colours[row.edge] for row in panels.bars]
    axes.barh(rows, [100 * row.difference for row in panels.bars], height=0.65, color=colours)
    axes.axvline(0, color=style.INK, lw=0.9)
    axes.set_yticks(rows, [row.edge for row in panels.bars], size=8, color=style.INK, parse_math=False)
    axes.set_ylim(-0.7, len(panels.bars) - 0.3)
    axes.set_xlabel(_EFFECT_TITLE, size=9, color=style.QUIET)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    beside = axes.get_yaxis_transform()
    for height, row in enumerate(panels.bars):
        axes.text(1.03, height, _counts(row), transform=beside, va="center", size=8, color=style.QUIET)
    axes.text(1.03, len(panels.bars), _COUNT_HEADING, transform=beside, va="center", size=8, color=style.QUIET)


def _add_shares(figure: go.Figure, panels: _Panels) -> None:
    _add_heading(figure, _SHARE_HEADING, "")
    if not panels.lines:
        style.note_html(figure, NO_TRIAL)
        return
    for line in panels.lines:
        figure.add_scatter(
            x=line.positions,
            y=line.shares,
            name=line.edge,
            mode="lines" if len(line.positions) > 1 else "markers",
            line={"color": line.colour, "width": 1.3 * _line_width(panels)},
            hovertemplate="after %{x} trials<br>%{y:.0%} of the models<extra>%{fullData.name}</extra>",
            cliponaxis=False,
            row=1,
            col=1,
        )
        end = {"x": 1, "xref": "x domain", "y": line.shares[-1], "yref": "y"}
        label = {"ax": 26, "axref": "pixel", "ay": line.label, "ayref": "y", "xanchor": "left"}
        leader = {"showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": line.colour}
        figure.add_annotation(text=line.edge, font={"size": 12}, **end, **label, **leader)
    figure.update_xaxes(
        range=_positions_shown(panels.lines), title_text=style.TRIAL_AXIS, tickformat=",d", row=1, col=1
    )
    figure.update_yaxes(range=(0, panels.top), tickformat=".2~%", row=1, col=1)


def _add_effects(figure: go.Figure, panels: _Panels) -> None:
    _add_heading(figure, _EFFECT_HEADING, "2")
    if not panels.bars:
        style.note_html(figure, NO_EFFECT, axis="2")
        return
    figure.add_bar(
        x=[100 * row.difference for row in panels.bars],
        y=[row.edge for row in panels.bars],
        orientation="h",
        marker_color=[panels.colours[row.edge] for row in panels.bars],
        customdata=[(row.trials_with, row.trials_without) for row in panels.bars],
        hovertemplate="%{x:+.2f} points<br>%{customdata[0]} trials with, %{customdata[1]} without<extra>%{y}</extra>",
        row=2,
        col=1,
    )
    beside = {"x": 1.0, "xref": "x2 domain", "xanchor": "left", "xshift": 26, "showarrow": False}
    for height, row in enumerate(panels.bars):
        figure.add_annotation(text=_counts(row), y=height, yref="y2", font_color=style.QUIET, **beside)
    figure.add_annotation(
        text=_COUNT_HEADING, y=1, yref="y2 domain", yanchor="bottom", font_color=style.QUIET, **beside
    )
    axis = {"title_text": _EFFECT_TITLE, "tickformat": "~g", "showline": False, "showgrid": True}
    figure.update_xaxes(**axis, zeroline=True, zerolinecolor=style.INK, row=2, col=1)
    figure.update_yaxes(range=(-0.7, len(panels.bars) - 0.3), showgrid=False, dtick=1, row=2, col=1)


def _add_heading(figure: go.Figure, text: str, axis: str) -> None:
    where = {"xref": "paper", "x": 0, "yref": "paper", "y": figure.layout[f"yaxis{axis}"].domain[1], "yshift": 12}
    figure.add_annotation(text=text, showarrow=False, xanchor="left", yanchor="bottom", font_size=14, **where)


def _positions_shown(lines: Sequence[_ShareLine]) -> tuple[int, int]:
    first, last = min(line.positions[0] for line in lines), max(line.positions[-1] for line in lines)
    # Ten trials at least, so that a young search is not drawn with fractions of a trial on its axis.
    return first, max(last, first + 10)


def _line_width(panels: _Panels) -> float:
    return 1.8 if len(panels.lines) <= 12 else 1.1


def _counts(row: EdgeEffectRow) -> str:
    return f"{row.trials_with:,} / {row.trials_without:,}"
