"""`striate space lint`: warnings about a space that is right."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from search.cli.options import JsonOption, output
from space.lint import lint as lint_space
from space.parse import find, parse_space


def lint(
    file: Annotated[str, typer.Argument(help="File of a space or an architecture, or the name of a shipped one.")],
    json_: JsonOption = False,
) -> None:
    """Warn of what a space says but hardly means: edges that can never matter, decisions that change nothing.

    Example: striate space lint digits
    """
    warnings = lint_space(parse_space(*find(file)))
    if json_:
        plain = [
            {
                "file": each.mark.file,
                "line": each.mark.line,
                "column": each.mark.column,
                "path": each.path,
                "message": each.message,
            }
            for each in warnings
        ]
        output().print(json.dumps(plain, indent=2), markup=False)
        return
    for each in warnings:
        output().print(str(each), markup=False)
    told = {0: "no warning", 1: "one warning"}.get(len(warnings), f"{len(warnings)} warnings")
    output().print(f"{file}: {told}.")
