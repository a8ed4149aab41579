"""The whole search on one page that works without a network, years later."""

from collections.abc import Sequence
from html import escape
from string import Template
from typing import Final

from plotly import graph_objects as go
from plotly import io

from dashboards.edges import edges_html
from dashboards.progress import progress_html
from dashboards.rows import EdgeEffectRow, EdgeShareRow, TrialRow

# The scroll bar is there from the start: appearing later it would make the page narrower than the figures drawn on it.
_PAGE: Final = Template("""<!DOCTYPE html>
<html lang="en" style="overflow-y: scroll">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>$title</title></head>
<body style="margin: 16px auto; max-width: 1200px">
$progress
$edges
</body>
</html>
""")


def report_html(
    trials: Sequence[TrialRow],
    shares: Sequence[EdgeShareRow],
    effects: Sequence[EdgeEffectRow],
    *,
    title: str,
    adaptive: bool,
    has_edges: bool = True,
) -> str:
    """One self-contained HTML page with both interactive figures; plotly.js (about 5 MB) is inside it, once.

    Arguments:
        trials: every finished trial, in record order.
        shares: share of each edge over the search.
        effects: difference of each edge for which one can be computed.
        title: heading of the page and of its first figure, usually the search's name.
        adaptive: whether the sampler learnt from the trials; if so, a caveat stands above the differences.
        has_edges: whether the space has feedback edges at all.
    """
    progress = progress_html(trials, title)
    edges = edges_html(shares, effects, "Feedback edges", adaptive, has_edges=has_edges)
    return _PAGE.substitute(
        title=escape(title),
        progress=_fragment(progress, "progress", with_library=True),
        edges=_fragment(edges, "edges", with_library=False),
    )


def _fragment(figure: go.Figure, name: str, *, with_library: bool) -> str:
    # Off is what leads out of the page: the logo, which is a link, and the button that shares the figure on a server.
    config = {"displaylogo": False, "showSendToCloud": False, "responsive": True}
    html = io.to_html(
        figure,
        config=config,
        include_plotlyjs=with_library,
        full_html=False,
        default_height=f"{figure.layout.height}px",
        div_id=name,  # a name of Plotly's own would make each drawing of equal rows another page
    )
    return str(html)
