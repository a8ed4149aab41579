"""The command line `striate`; one file for each command."""

from search.cli.app import main

__all__ = ["main"]
