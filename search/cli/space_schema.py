"""`striate space schema`: the language as a JSON Schema."""

from __future__ import annotations

from search.cli.options import output
from space.schema import schema_text


def schema() -> None:
    """Print the JSON Schema of spaces and architectures, with which an editor completes and checks them.

    Example: striate space schema > space.schema.json
    """
    output().print(schema_text(), markup=False, end="")
