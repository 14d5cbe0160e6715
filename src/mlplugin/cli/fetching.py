"""How a fetch of feeds shows: what did not come, and a bar on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mlplugin.feeds.fetch import FAILED, KEPT, SKIPPED, Report, Watcher


class _Lines(Watcher):
    """Says on stderr what did not come."""

    def done(self, report: Report) -> None:
        """Name a feed that failed, or that has faulty rows."""
        name, tally = report.feed.name, report.tally
        if report.status == KEPT:
            say(f"{name}: {report.error}; the copy of {report.time[:10]} is used")
        elif report.status == FAILED:
            say(f"{name}: {report.error}")
        elif report.status == SKIPPED:
            say(f"{name}: left out, {report.error}")
        if tally.malformed:
            say(f"{name}: {tally.malformed:,} rows are malformed, such as {tally.examples[0]!r}")


def say(line: str) -> None:
    """One line on stderr."""
    click.echo(f"mlplugin: {' '.join(line.split())}", err=True)


@contextmanager
def watched(total: int) -> Iterator[Watcher]:
    """One that shows a progress bar if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and rarely wanted
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    columns = (
        TextColumn("feeds"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[megabytes]:.1f} MB"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("feeds", total=total, megabytes=0.0)

        class Bar(_Lines):
            """The lines, and a bar."""

            def came(self, count: int) -> None:
                """Show bytes."""
                shown = progress.tasks[0].fields["megabytes"]
                progress.update(task, megabytes=shown + count / 1e6)

            def done(self, report: Report) -> None:
                """Show a feed."""
                super().done(report)
                progress.advance(task)

        yield Bar()
