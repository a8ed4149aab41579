"""`striate space list`: what comes with the package."""

from __future__ import annotations

import json

from rich.table import Table

from search.cli.options import UNBOUND, JsonOption, output
from space.parse import LIBRARY
from space.shipped import shipped


def list_(json_: JsonOption = False) -> None:
    """List the shipped spaces and architectures, whose names stand for their files.

    Example: striate space list
    """
    rows = [
        (each.name, "space" if each.is_space else "architecture", each.title()) for each in shipped(LIBRARY).values()
    ]
    console = output()
    if json_:
        facts = [{"name": name, "kind": kind, "title": title} for name, kind, title in rows]
        console.print(json.dumps(facts, indent=2))
        return
    if not console.is_terminal:
        console.width = UNBOUND
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("kind")
    table.add_column("what it is")
    for row in rows:
        table.add_row(*row)
    console.print(table, soft_wrap=False)
