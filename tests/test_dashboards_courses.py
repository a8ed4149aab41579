"""The figure of several searches shows the rows that it is given, with a gap where one says nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dashboards.courses import NO_TRIAL, courses_html, courses_png
from dashboards.rows import CourseRow

ROWS = [
    *(CourseRow("many", n, (0.1 * n, 0.1 * n + 0.02, 0.1 * n + 0.05), (0.2, 0.3, 0.4)) for n in range(1, 6)),
    *(
        CourseRow("one", n, (0.2, 0.2, 0.2) if n > 2 else None, None if n == 4 else (0.3, 0.3, 0.3))
        for n in range(1, 6)
    ),
]


def expected(group: str, field: str) -> list[tuple[int, float | None]]:
    rows = [row for row in ROWS if row.group == group]
    return [(row.position, band[1] if (band := getattr(row, field)) else None) for row in rows]


def with_gaps(x: Any, y: Any) -> list[tuple[int, float | None]]:
    return [(int(a), None if np.isnan(b) else float(b)) for a, b in zip(x, y, strict=True)]


@pytest.mark.parametrize("group", ["many", "one"])
def test_the_png_has_a_line_and_a_band_for_each_group(group: str) -> None:
    figure = courses_png(ROWS[::-1], "compared")
    for axes, field in zip(figure.axes, ("best", "median"), strict=True):
        (line,) = (each for each in axes.lines if each.get_label() == group)
        assert with_gaps(*np.asarray(line.get_xydata()).T) == expected(group, field)
        assert len(axes.collections) == 2
    band = figure.axes[0].collections[1].get_paths()[0].vertices  # of "many", which comes last
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((0.1, 0.55))


@pytest.mark.parametrize("group", ["many", "one"])
def test_the_html_has_the_same(group: str) -> None:
    figure = courses_html(ROWS, "compared")
    lines = [trace for trace in figure.data if trace.name == group and trace.line.width]
    assert [with_gaps(line.x, line.y) for line in lines] == [expected(group, "best"), expected(group, "median")]
    assert [trace.showlegend for trace in lines] == [True, False]


def test_without_rows_it_says_so() -> None:
    assert NO_TRIAL in [text.get_text() for text in courses_png([], "compared").axes[0].texts]
    assert NO_TRIAL in [note.text for note in courses_html([], "compared").layout.annotations]
