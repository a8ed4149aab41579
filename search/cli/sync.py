"""`striate sync`: MLflow brought up to date with a search."""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from search.cli.options import DEFAULT_HOME, HomeOption, SearchArgument, output
from search.driver import settings_of
from search.history import History
from search.home import Home
from search.mirror_process import lag, mirroring, note_behind
from search.record import Record, is_driven
from space.errors import StriateError


def sync(name: SearchArgument = None, home: HomeOption = DEFAULT_HOME) -> None:
    """Bring MLflow up to date with a search, where it was away or slow while the search ran.

    Example: striate sync digits-1
    """
    searches = Home(home)
    folder = searches.existing(name)
    settings = settings_of(History.read(folder))
    tracking_uri = settings.tracking_uri
    console = output()
    with mirroring(folder):
        from search.mirror import Mirror, unanswered  # takes seconds

        store = tracking_uri or searches.tracking_uri
        record = Record(folder)
        columns = TextColumn("events"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn()
        shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        try:
            with shown as progress:
                mirror = Mirror(record, store, None if tracking_uri else searches.artifacts)
                task = progress.add_task("", total=mirror.cursor + lag(folder), completed=mirror.cursor)
                for event in mirror.sync():
                    progress.update(task, completed=event)
                mirror.finish(killed=not is_driven(folder))
        except StriateError:
            raise
        except Exception as error:  # MLflow raises what the libraries below it raise
            note_behind(folder, error)
            raise StriateError(unanswered(store, error)) from None
        finally:
            record.close()
        note_behind(folder, None)
    console.print(f"MLflow has all {mirror.cursor:,} events of {settings.name}.")
