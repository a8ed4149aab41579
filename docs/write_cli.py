"""Write docs/cli.md from the commands' own help, so that it cannot go stale; a test compares the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer.main

from search.cli.app import app

PAGE = Path(__file__).parent / "cli.md"
HEAD = """# The command line

Made by `make docs` from the commands' own help. Exit status: 0 done, 1 failed, 2 wrong usage,
130 stopped by Ctrl-C.
"""


def sections(command: Any, name: str) -> list[str]:
    """The help of a command and of those below it, as Markdown sections."""
    context = command.context_class(command, info_name=name, terminal_width=100, max_content_width=100)
    found = [f"\n## {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"]
    for child, below in getattr(command, "commands", {}).items():
        found += sections(below, f"{name} {child}")
    return found


def page() -> str:
    """The whole page."""
    return HEAD + "".join(sections(typer.main.get_command(app), "striate"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
