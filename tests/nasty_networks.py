"""Small random architectures with everything that the language has for time, absence, weights and edges.

All maps have two channels wherever something is added or weights are shared, so that most of what is drawn fits
together; the rest is refused by the lowering, which is meant to happen.
"""

from __future__ import annotations

from hypothesis import strategies as st
from random_networks import SMOOTH, cells

from space import model
from space.cell_models import cell_ports

KERNELS = {"wide": 3, "even": 2}
activations = st.sampled_from(SMOOTH)
_delays = st.sampled_from((None, None, None, None, 0, 1, 1, 2, 3))


@st.composite
def convs(draw, cls=model.Conv, channels=2):
    """A convolution, now and then with the weights of others, which have another stride maybe."""
    stride = draw(st.sampled_from((1, 1, 1, 2)))
    weights = draw(st.sampled_from((None, None, None, *KERNELS)))
    if weights:
        return cls(kernel=KERNELS[weights], channels=2, stride=stride, weights=weights, untied=weights == "even")
    more = {} if cls is model.TransposedConv else {"separable": draw(st.booleans())}
    untied, bias = draw(st.sampled_from((False, False, False, True))), draw(st.booleans())
    return cls(kernel=draw(st.integers(1, 3)), channels=channels, stride=stride, bias=bias, untied=untied, **more)


@st.composite
def norms(draw):
    kind = draw(st.sampled_from(("batch", "batch", "group", "layer", "instance")))
    affine = draw(st.sampled_from(("shared", "step", "none")))
    statistics = draw(st.sampled_from(("shared", "step")))
    weights = draw(st.sampled_from((None, None, f"{kind}-{affine}-{statistics}")))
    groups = 2 if kind == "group" else 1
    return model.Norm(kind=kind, groups=groups, affine=affine, statistics=statistics, scale=0.5, weights=weights)


pools = st.one_of(
    *(st.builds(cls, kernel=st.integers(1, 2), stride=st.integers(1, 2)) for cls in (model.MaxPool, model.AvgPool))
)
dropouts = st.builds(model.Dropout, rate=st.sampled_from((0.0, 0.3)))


@st.composite
def sequences(draw, first, most=2):
    """Operations after one another; at most one dropout, so that its place tells it from others."""
    found = [] if first is None else [draw(first)]
    found += draw(st.lists(st.one_of(activations, norms(), activations), max_size=most))
    if draw(st.integers(0, 3)) == 0:
        found.insert(draw(st.integers(0, len(found))), draw(dropouts))
    if draw(st.integers(0, 3)) == 0:
        found.append(draw(pools))
    return tuple(found)


@st.composite
def vias(draw, fits=True, channels=None):
    """What an edge does, ending with the size and channels of what it enters if it shall fit."""
    first = st.one_of(convs(model.EdgeConv), convs(model.TransposedConv), activations)
    found = draw(sequences(draw(st.sampled_from((None, first))), most=1))
    if not fits:
        return found
    last = model.EdgeConv(
        kernel=draw(st.integers(1, 3)), channels=channels, bias=draw(st.booleans()), separable=draw(st.booleans())
    )
    resize = model.Resize(mode=draw(st.sampled_from(("bilinear", "nearest"))))
    after = draw(st.lists(st.one_of(activations, norms()), max_size=1))
    return (*(each for each in found), resize, last, *after)


@st.composite
def actives(draw, steps):
    if draw(st.integers(0, 2)):
        return model.Active()
    first = draw(st.integers(0, max(0, steps - 2)))
    return model.Active(first=first, last=draw(st.none() | st.integers(first, steps)))


@st.composite
def nasty_architectures(draw):
    """One to three areas, everything else as it comes."""
    steps = draw(st.integers(3, 6))
    count = draw(st.integers(1, 3))
    names = [f"A{rank}" for rank in range(count)]
    areas = [draw(nasty_areas(name)) for name in names]
    around = {
        "lateral": [(a, a) for a in range(count)],
        "feedback": [(a, b) for a in range(count) for b in range(a)],
        "skip": [(b, a) for a in range(count) for b in range(a - 1)],
    }
    forward = draw(st.none() | forward_edges(names, areas, steps))
    lists = {}
    for kind, pairs in around.items():
        lists[kind] = tuple(
            draw(edges(names[source], names[target], areas[target], steps))
            for source, target in pairs
            if draw(st.booleans()) and not (forward and kind == "skip")
        )
    shown = draw(st.none() | st.integers(1, steps))
    after = draw(st.sampled_from((None, 0.0, 0.7))) if shown else None
    stimulus = model.Stimulus(shown=shown, after=after, frames=draw(st.booleans()))
    return model.Architecture(
        striate=1,
        name="nasty",
        input=model.Input(channels=2, size=draw(st.integers(5, 7)), classes=3),
        time=model.Time(steps=steps, unroll=draw(st.sampled_from(("biological", "sweep"))), stimulus=stimulus),
        areas=tuple(areas),
        edges=model.Edges(forward=forward, **lists),
        readout=draw(readouts),
        train=model.Training(data="digits", learning_rate=0.1),
    )


readouts = st.builds(
    model.Readout,
    pool=st.sampled_from(("mean", "none")),
    decode=st.sampled_from(("last", "last", "mean", "sum", "max_confidence", "threshold")),
    threshold=st.sampled_from((0.4, 0.6)),
    loss=st.sampled_from(("answer", "every")),
    delay=st.sampled_from((None, None, 0, 1, 2)),
)


@st.composite
def nasty_areas(draw, name):
    absent = draw(st.sampled_from(("zeros", "zero_drive", "undefined", "undefined")))
    joins = model.Joins()
    if absent == "zeros":
        drive = draw(st.sampled_from(("sum", "multiply", "concat")))
        others = draw(st.sampled_from(("sum", "sum", "multiply", "concat")))
        joins = model.Joins(drive=drive, input=others, hidden=others, output=others)
    drive = draw(sequences(convs()))
    post = draw(sequences(None, most=1))
    return model.Area(name=name, drive=drive, cell=draw(cells), post=post, absent=absent, joins=joins)


@st.composite
def edges(draw, source, target, area, steps):
    """A feedback, lateral or skip edge."""
    enters = draw(st.sampled_from((*cell_ports(area.cell), "drive")))
    channels = 1 if enters != "drive" and getattr(area.joins, enters) == "concat" else None
    return model.FeedbackEdge(
        source=source,
        target=target,
        enters=enters,
        via=draw(vias(channels=channels)),
        delay=draw(_delays),
        active=draw(actives(steps)),
    )


@st.composite
def forward_edges(draw, names, areas, steps):
    """An explicit list: one or two edges into the drive of each area, maybe one into a port."""
    found = []
    for rank, (name, area) in enumerate(zip(names, areas, strict=True)):
        below = ["image", *names[:rank]]
        for number in range(draw(st.integers(1, 2))):
            via = draw(vias(fits=number > 0, channels=2))
            active = draw(actives(steps)) if area.joins.drive != "concat" else model.Active()
            delay = draw(_delays)
            source = draw(st.sampled_from(below))
            found.append(model.ForwardEdge(source=source, target=name, via=via, delay=delay, active=active))
        if draw(st.integers(0, 3)) == 0:
            enters = draw(st.sampled_from(cell_ports(area.cell)))
            via = draw(vias())
            source = draw(st.sampled_from(below))
            found.append(model.ForwardEdge(source=source, target=name, enters=enters, via=via))
    return tuple(found)
