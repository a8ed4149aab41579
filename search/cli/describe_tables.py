"""What `striate describe` prints: the facts of `space.description` as tables that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from space.description import Facts

_ROOMY = 110  # columns from which a second space goes between those of a table
_PREFIXES = ("", " k", " M", " G", " T", " P")
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def print_facts(facts: Facts, console: Console) -> None:
    """Print all of them."""
    given = facts["input"]
    console.print(
        f"{facts['name']}: {given['channels']}×{given['size']}×{given['size']} pixels to {given['classes']} classes, "
        f"trained on {facts['data']}"
    )
    console.print(_time(facts["time"]))
    console.print()
    _print_table(console, "Areas", _AREAS, [_area(area) for area in facts["areas"]])
    _print_cells(console, facts["areas"])
    console.print()
    _print_edges(console, facts)
    console.print(_readout(facts["readout"]), soft_wrap=False)
    console.print()
    _print_costs(console, facts)


_AREAS = (
    "area",
    "reads",
    "cell at",
    "cell",
    "emits",
    ">parameters",
    ">multiply-\nadds a\nstep",
    "live\nsteps",
    ">com-\nputed",
)


def _area(area: Facts) -> tuple[str, ...]:
    return (
        area["name"],
        *(_shape(area[key]) for key in ("reads", "cell_at")),
        _kind(area["cell"]),
        _shape(area["emits"]),
        f"{area['parameters']:,}",
        _scaled(area["multiply_adds_per_step"]),
        _ranges(area["live_steps"]) or "none",
        str(len(area["computed_steps"])),
    )


def _print_cells(console: Console, areas: Sequence[Facts]) -> None:
    """What each cell sets, once for all areas that have the same one."""
    cells: dict[str, list[str]] = {}
    for area in areas:
        if said := ", ".join(_settings(area["cell"])):
            cells.setdefault(f"{_kind(area['cell'])}: {said}", []).append(area["name"])
    for said, names in cells.items():
        kind, _, rest = said.partition(": ")
        console.print(f"{kind} of {', '.join(names)}: {rest}", soft_wrap=False)


def _settings(cell: Facts) -> list[str]:
    """What a cell sets, such as `gates 3×3 separable`, in the words of the language."""
    said = []
    for key, value in cell.items():
        match value:
            case {"kernel": kernel, **rest}:
                said.append(f"{key} {kernel}×{kernel}" + (" separable" if rest.get("separable") else ""))
            case {"sources": _}:
                said.append(f"{key} {_gate(value)}")
            case {}:
                inner = ", ".join(_settings(value))
                said += [f"{key} ({inner})"] if inner else []
            case True:
                said.append(key)
            case "none" | "identity" | None:
                pass
            case _ if key != "type":
                said.append(f"{key} {value}")
    return said


def _gate(gate: Facts) -> str:
    """What a gate multiplies by, such as `1 − 1·sigmoid(self 3×3)`."""
    scale = -gate["offset"] if gate["scale"] == "none" else gate["scale"]
    function = f"{abs(scale):g}·{gate['function']}"
    return f"{gate['offset']:g} {'+' if scale >= 0 else '−'} {function}({' + '.join(_settings(gate['sources']))})"


def _print_edges(console: Console, facts: Facts) -> None:
    edges = [edge for edge in facts["edges"] if not (facts["chain"] and edge["kind"] == "forward")]
    if facts["chain"]:
        delay = 1 if facts["time"]["unroll"] == "biological" else 0
        when = "one step before" if delay else "at the same step"
        chain = f"Forward: a chain; the first area reads the image, each other the one before it, {when}"
        console.print(chain, soft_wrap=False)
    if not any(edge["kind"] in ("feedback", "skip") for edge in edges):
        console.print("No feedback edges and no skips")
    if edges:
        _print_edge_table(console, edges)
    for edge in facts["edges"]:
        if not edge["live_steps"]:
            console.print(f"{edge['name']} never matters: {_why_never(edge, facts['time']['steps'])}", soft_wrap=False)


def _why_never(edge: Facts, steps: int) -> str:
    if edge["delay"] >= steps:
        return f"its delay is {_steps(edge['delay'])}, of {_steps(steps)} in all"
    return "no answer depends on what it brings"


def _print_edge_table(console: Console, edges: Sequence[Facts]) -> None:
    limited = any(edge["active"] for edge in edges)
    headings = (
        "edge",
        "kind",
        "enters",
        ">delay",
        *(("active",) if limited else ()),
        "live\nsteps",
        "through",
        ">parameters",
    )
    rows = []
    for edge in edges:
        active = (_active(edge["active"]),) if limited else ()
        through = ", ".join(edge["via"])
        rows.append(
            (
                edge["name"],
                edge["kind"],
                edge["enters"],
                str(edge["delay"]),
                *active,
                _ranges(edge["live_steps"]) or "never",
                through,
                f"{edge['parameters']:,}",
            )
        )
    _print_table(console, "Edges", headings, rows)


def _active(steps: Sequence[int] | None) -> str:
    if steps is None:
        return "always"
    first, last = steps
    return _ranges(range(first, last + 1)) or "never"


def _print_costs(console: Console, facts: Facts) -> None:
    counted, alive = facts["declared"], facts["live"]
    rows = [
        ("parameters", *(f"{each['parameters']:,}" for each in (counted, alive))),
        ("multiply-adds, each image", *(_scaled(each["multiply_adds"]) for each in (counted, alive))),
        ("multiply-adds, once a batch", *(_scaled(each["batch_multiply_adds"]) for each in (counted, alive))),
        (
            f"memory, batch of {facts['batch_size']}",
            *(_bytes(each["memory_bytes"]) for each in (counted, alive)),
        ),
    ]
    _print_table(console, "Cost of training", ("", ">declared", ">live"), rows)


def _time(time: Facts) -> str:
    stimulus, steps = time["stimulus"], time["steps"]
    what = "one frame a step" if stimulus["frames"] else "the image"
    after = "nothing" if stimulus["after"] is None else f"{stimulus['after']:g} everywhere"
    always = stimulus["shown"] is None or stimulus["shown"] >= steps
    shown = "at every step" if always else f"for {_steps(stimulus['shown'])}, then {after}"
    return f"Time: {_steps(steps)}, {time['unroll']} unroll; {what} is shown {shown}"


def _readout(readout: Facts) -> str:
    of = "mean of each channel" if readout["pool"] == "mean" else "whole map"
    delay = f"{_steps(readout['delay'])} before" if readout["delay"] else "at the same step"
    at = f"{'steps' if len(readout['steps']) > 1 else 'step'} {_ranges(readout['steps'])}"
    decode = {
        "last": "",
        "mean": "; their mean is the answer",
        "sum": "; their sum is the answer",
        "max_confidence": "; the most confident is the answer",
        "threshold": f"; the first of probability {readout['threshold']} is the answer",
    }[readout["decode"]]
    loss = "; the loss is of every one" if readout["loss"] == "every" else ""
    text = f"Read-out: of the {of} of {readout['area']}, {delay}; answers at {at}{decode}{loss}"
    return f"{text}; {readout['parameters']:,} parameters"


def _steps(number: int) -> str:
    return "one step" if number == 1 else f"{number} steps"


def _print_table(console: Console, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table; columns whose heading begins with `>` are of numbers."""
    between = 2 if console.width >= _ROOMY else 1
    table = Table(title=title, title_justify="left", box=None, padding=(0, between, 0, 0), pad_edge=False)
    for heading in headings:
        right = heading.startswith(">")
        table.add_column(heading.removeprefix(">"), justify="right" if right else "left", vertical="top")
    for row in rows:
        table.add_row(*row)
    console.print(table, soft_wrap=False)


def _kind(cell: Facts) -> str:
    kind: str = cell["type"]
    return kind.replace("_", " ")


def _shape(shape: Sequence[int]) -> str:
    channels, height, width = shape
    assert height == width, "images are square, and so are all maps"
    return f"{channels}×{height}²"


def _ranges(steps: Iterable[int]) -> str:
    """Ascending steps, such as `3–9` or `0, 2–4`; nothing for none."""
    runs: list[list[int]] = []
    for step in steps:
        if runs and step == runs[-1][-1] + 1:
            runs[-1][1:] = [step]
        else:
            runs.append([step])
    return ", ".join("–".join(map(str, run)) for run in runs)


def _scaled(number: int) -> str:
    """A count in three digits, such as `12.3 M`."""
    power = min((len(str(number)) - 1) // 3, len(_PREFIXES) - 1)
    return f"{_digits(number / 1000**power)}{_PREFIXES[power]}"


def _bytes(number: int) -> str:
    """A number of bytes in three digits, such as `27.8 MiB`."""
    power = min(max(number.bit_length() - 1, 10) // 10, len(_UNITS))
    return f"{_digits(number / 1024**power)} {_UNITS[power - 1]}"


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
