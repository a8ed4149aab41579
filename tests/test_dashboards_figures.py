"""The figures show exactly the rows they are given, and say so where there is nothing to show."""

from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from dashboards import edges, progress
from dashboards.edges import edges_html, edges_png
from dashboards.labels import spread
from dashboards.progress import progress_html, progress_png
from dashboards.report import report_html
from dashboards.rows import EdgeEffectRow, EdgeShareRow, TrialRow

EDGES = [f"conv{source}>conv{target}" for source in range(7, 1, -1) for target in (source - 1, source - 2) if target][
    :10
]
TITLE = "convrnn-2018 <at> $5, evolution"
Search = tuple[list[TrialRow], list[EdgeShareRow], list[EdgeEffectRow]]


@pytest.fixture(scope="module")
def search() -> Search:
    """300 trials over ten edges whose planted worth runs from +5 to -4 points and which drift towards their worth."""
    random = np.random.default_rng(7)
    worth = np.linspace(0.05, -0.04, len(EDGES))
    present = random.random((300, len(EDGES))) < 0.4 + np.linspace(0, 8, 300)[:, None] * worth
    top1 = np.clip(0.35 + present @ worth + random.normal(0, 0.03, 300), 0.1, 1)
    ends = random.choice(["complete", "stopped", "chance", "diverged", "failed"], 300, p=[0.7, 0.2, 0.03, 0.04, 0.03])
    top1[ends == "stopped"] /= 2
    top1[(ends == "diverged") | (ends == "chance")] = 0.1
    top1[ends == "failed"] = np.nan
    trials, shares = [], []
    for number, end in enumerate(ends.tolist()):
        measured = top1[: number + 1][~np.isnan(top1[: number + 1])]
        window = measured[-50:]
        running = [float(f(window)) if len(window) else None for f in (np.mean, np.median)]
        if 100 <= number < 120:
            running[1] = None  # as where most were stopped
        complete = top1[: number + 1][ends[: number + 1] == "complete"]
        best = float(complete.max()) if len(complete) else None
        told = None if end == "failed" else float(top1[number])
        trials.append(TrialRow(number + 1, 1001 + number, end, told, best, *running))
        share = present[max(0, number - 99) : number + 1].mean(axis=0)
        shares += [EdgeShareRow(edge, number + 1, float(value)) for edge, value in zip(EDGES, share, strict=True)]
    effects = []
    for index, edge in enumerate(EDGES):
        halves = [top1[~np.isnan(top1) & (present[:, index] == having)] for having in (True, False)]
        with_edge, without = (float(np.median(half)) for half in halves)
        effects.append(EdgeEffectRow(edge, with_edge - without, len(halves[0]), len(halves[1])))
    return trials, shares, effects


def text_of(figure: Figure) -> str:
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return "\n".join(text.get_text() for text in texts)


def notes_of(figure: Any) -> str:
    layout = figure.layout
    return "\n".join([layout.title.text, layout.title.subtitle.text, *(note.text for note in layout.annotations)])


def drawn(axes: Axes) -> dict[str, list[tuple[float, float | None]]]:
    """Points of every labelled layer of `axes` by its label, without the count in it; gaps are None."""
    lines = {str(line.get_label()): np.asarray(line.get_xydata()) for line in axes.lines}
    dots = {str(dot.get_label()): np.asarray(dot.get_offsets()) for dot in axes.collections}
    return {label.split(" (")[0]: with_gaps(points) for label, points in (lines | dots).items()}


def with_gaps(points: Any) -> list[tuple[float, float | None]]:
    return [(x, None if np.isnan(y) else y) for x, y in points]


def expected_layers(trials: list[TrialRow]) -> dict[str, list[tuple[float, float | None]]]:
    ends: dict[str, list[tuple[float, float | None]]] = defaultdict(list)
    for row in trials:
        ends[row.end].append((row.position, row.top1 or 0.0))
    return ends | {
        "best so far": [(row.position, row.best) for row in trials],
        "mean of last 50": [(row.position, row.mean) for row in trials],
        "median of last 50": [(row.position, row.median) for row in trials],
    }


def test_every_layer_of_the_progress_png_is_its_rows(search: Search) -> None:
    figure = progress_png(search[0], TITLE)
    assert drawn(figure.axes[0]) == expected_layers(search[0])
    assert TITLE in text_of(figure)


def test_every_trace_of_the_progress_html_is_its_rows(search: Search) -> None:
    figure = progress_html(search[0], TITLE)
    traces = {trace.name.split(" (")[0]: with_gaps(zip(trace.x, trace.y, strict=True)) for trace in figure.data}
    assert traces == expected_layers(search[0])
    assert {trace.name: trace.line.shape for trace in figure.data if trace.mode == "lines"}["best so far"] == "hv"


def test_every_end_is_in_the_legend_with_its_count(search: Search) -> None:
    counts = Counter(row.end for row in search[0])
    assert len(counts) == 5
    legend = progress_png(search[0], TITLE).axes[0].get_legend()
    assert legend is not None
    shown = [text.get_text() for text in legend.get_texts()]
    assert {f"{end} ({count})" for end, count in counts.items()} <= set(shown)
    assert {f"{end} ({count})" for end, count in counts.items()} <= {
        trace.name for trace in progress_html(search[0], TITLE).data
    }


def test_every_measured_trial_lies_inside_the_axes(search: Search) -> None:
    top1 = [row.top1 for row in search[0] if row.top1 is not None]
    low, high = progress_png(search[0], TITLE).axes[0].get_ylim()
    assert low < min(top1) and max(top1) < high
    assert progress_html(search[0], TITLE).layout.yaxis.range == (low, high)


def test_the_subtitle_names_the_first_trial_that_reached_the_best(search: Search) -> None:
    best = max((row for row in search[0] if row.end == "complete"), key=lambda row: row.top1 or 0.0)
    later = TrialRow(301, 1301, "complete", best.top1, best.top1, 0.3, 0.3)
    assert f"trial {best.number:,} with a top-1 of {best.top1:.2%}" in text_of(progress_png([*search[0], later], TITLE))


def test_each_edge_has_the_line_of_its_shares_in_both(search: Search) -> None:
    expected: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in search[1]:
        expected[row.edge].append((row.position, row.share))
    backwards = search[1][::-1]
    assert drawn(edges_png(backwards, search[2], TITLE, False).axes[0]) == expected
    lines = [trace for trace in edges_html(backwards, search[2], TITLE, False).data if trace.type == "scatter"]
    assert {line.name: list(zip(line.x, line.y, strict=True)) for line in lines} == expected


def test_bars_are_sorted_percentage_points_beside_their_counts(search: Search) -> None:
    ascending = sorted(search[2], key=lambda row: row.difference)
    points = [100 * row.difference for row in ascending]
    counts = [f"{row.trials_with} / {row.trials_without}" for row in ascending]

    lower = edges_png(search[1], search[2], TITLE, False).axes[1]
    assert [bar.get_width() for bar in lower.patches] == points  # type: ignore[attr-defined]
    assert [label.get_text() for label in lower.get_yticklabels()] == [row.edge for row in ascending]
    assert [text.get_text() for text in lower.texts][:-1] == counts

    figure = edges_html(search[1], search[2], TITLE, False)
    (bars,) = (trace for trace in figure.data if trace.type == "bar")
    assert (list(bars.x), list(bars.y)) == (points, [row.edge for row in ascending])
    assert [note.text for note in figure.layout.annotations if note.yref == "y2"] == counts


def test_an_edge_has_one_colour_and_a_better_edge_a_bluer_one(search: Search) -> None:
    figure = edges_html(search[1], search[2], TITLE, False)
    (bars,) = (trace for trace in figure.data if trace.type == "bar")
    of_bars = dict(zip(bars.y, bars.marker.color, strict=True))
    assert {trace.name: trace.line.color for trace in figure.data if trace.type == "scatter"} == of_bars
    blue = [int(colour[5:], 16) - int(colour[1:3], 16) for colour in bars.marker.color]
    assert blue == sorted(blue) and blue[0] < 0 < blue[-1]


@pytest.mark.parametrize("adaptive", [True, False])
def test_the_caveat_stands_only_under_an_adaptive_search(search: Search, adaptive: bool) -> None:
    assert (edges.CAVEAT in text_of(edges_png(search[1], search[2], TITLE, adaptive))) is adaptive
    assert (edges.CAVEAT in notes_of(edges_html(search[1], search[2], TITLE, adaptive))) is adaptive


def test_an_edge_without_an_effect_keeps_its_share(search: Search) -> None:
    one_less = [row for row in search[2] if row.edge != EDGES[0]]
    upper, lower = edges_png(search[1], one_less, TITLE, False).axes
    assert EDGES[0] in drawn(upper)
    assert EDGES[0] not in [label.get_text() for label in lower.get_yticklabels()]
    assert edges.NO_EFFECT in text_of(edges_png(search[1], [], TITLE, False))
    assert edges.NO_EFFECT in notes_of(edges_html(search[1], [], TITLE, False))


@pytest.mark.parametrize(("has_edges", "note"), [(False, edges.NO_EDGE), (True, edges.NO_TRIAL)])
def test_without_rows_the_edges_say_why(has_edges: bool, note: str) -> None:
    assert note in text_of(edges_png([], [], TITLE, True, has_edges=has_edges))
    figure = edges_html([], [], TITLE, True, has_edges=has_edges)
    assert note in notes_of(figure) and not figure.data


@pytest.mark.parametrize(
    ("trials", "note"),
    [([], progress.NO_TRIAL), ([TrialRow(1, 1, "failed", None, None, None, None)], progress.NONE_MEASURED)],
)
def test_without_a_measured_trial_the_progress_says_why(trials: list[TrialRow], note: str) -> None:
    assert note in text_of(progress_png(trials, TITLE))
    assert note in notes_of(progress_html(trials, TITLE))


def test_forty_edges_after_one_trial_keep_their_labels_apart() -> None:
    shares = [EdgeShareRow(f"conv{index + 2}>conv1", 0, index % 2) for index in range(40)]
    figure = edges_png(shares, [], TITLE, True)
    figure.savefig(BytesIO(), format="png")
    # An annotation's own extent would include its leader.
    boxes = sorted((Text.get_window_extent(text) for text in figure.axes[0].texts), key=lambda box: box.y0)
    assert len(boxes) == 40
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))


def test_spread_moves_only_what_would_overlap() -> None:
    assert spread([0.5, 0.0, 0.9], 0.1, 0.0, 1.0) == pytest.approx([0.5, 0.0, 0.9])
    assert spread([0.5, 0.5], 0.1, 0.0, 1.0) == pytest.approx([0.45, 0.55])
    assert spread([1.0, 0.0, 0.98], 0.1, 0.0, 1.0) == pytest.approx([1.0, 0.0, 0.9])
    assert spread([], 0.1, 0.0, 1.0) == []


def test_figures_drawn_in_threads_equal_those_drawn_alone(search: Search) -> None:
    def pixels(_: int) -> bytes:
        image = BytesIO()
        edges_png(search[1], search[2], TITLE, True).savefig(image, format="png", metadata={"Software": None})
        return image.getvalue()

    alone = pixels(0)
    with ThreadPoolExecutor(4) as threads:
        assert all(image == alone for image in threads.map(pixels, range(4)))


@pytest.mark.parametrize(("end", "top1"), [("duplicate", 0.3), ("complete", None), ("failed", 0.1)])
def test_a_row_that_no_layer_would_show_is_refused(end: str, top1: float | None) -> None:
    with pytest.raises(ValueError, match="trial 3: "):
        TrialRow(3, 3, end, top1, None, None, None)


class _Page(HTMLParser):
    """What a page loads, and its text outside scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.words = ""
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [(tag, value) for name, value in attrs if name in ("src", "href")]
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data
        else:
            self.words += data


def test_the_report_holds_both_figures_and_one_library_and_loads_nothing(search: Search) -> None:
    report = report_html(*search, title=TITLE, adaptive=True)
    page = _Page(report)
    assert page.loaded == []
    assert sum("plotly.js v" in script for script in page.scripts) == 1
    drawings = [script for script in page.scripts if "Plotly.newPlot(" in script and "plotly.js v" not in script]
    assert len(drawings) == 2
    assert "validation top-1" in drawings[0]
    assert "Feedback edges" in drawings[1] and edges.CAVEAT in drawings[1].replace("\\u0027", "'")
    assert '"showSendToCloud": false' in drawings[0] and '"showSendToCloud": false' in drawings[1]
    assert page.words.strip() == TITLE
    assert report == report_html(*search, title=TITLE, adaptive=True)


def test_a_title_cannot_leave_its_place() -> None:
    title = "</script></title><script src='http://example.org/x.js'></script>$progress"
    page = _Page(report_html([], [], [], title=title, adaptive=False))
    assert page.loaded == []
    assert page.words.strip() == title
    assert sum(progress.NO_TRIAL in script for script in page.scripts) == 1
    assert sum(edges.NO_TRIAL in script for script in page.scripts) == 1
