"""`mlplugin coredns`: the bundled CoreDNS as it is; and the progress of building it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlplugin.bundled.binary import find_binary
from mlplugin.bundled.build import Progress as Step
from mlplugin.bundled.build import Report
from mlplugin.bundled.child import inherited

if TYPE_CHECKING:
    from rich.progress import TaskID

PLAIN_SECONDS = 5.0


def coredns_binary(*, full: bool = False) -> Path:
    """Give the CoreDNS to run, built now with progress on stderr if need be."""
    with _progress() as report:
        return find_binary(report, full=full)


@contextmanager
def _progress() -> Iterator[Report]:
    """A progress bar on a terminal, else a plain line now and then; nothing if nothing is built."""
    if sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _plain_lines()


@contextmanager
def _bar() -> Iterator[Report]:
    from rich.console import Console  # noqa: PLC0415 - slow to import, and rarely wanted
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("CoreDNS: {task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[item]}"),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    tasks: dict[str, TaskID] = {}

    def report(progress: Step) -> None:
        if not tasks:
            bar.start()
        if progress.step not in tasks:
            tasks[progress.step] = bar.add_task(progress.step, total=None, count="", item="")
        whole = f" of {progress.total}" if progress.total else ""
        bar.update(
            tasks[progress.step],
            completed=progress.done,
            total=progress.total,
            count=f"{progress.done}{whole}",
            item=progress.item[-48:],
        )

    try:
        yield report
    finally:
        if tasks:
            bar.stop()


def _plain_lines() -> Report:
    last: tuple[str, float] = ("", 0.0)

    def report(progress: Step) -> None:
        nonlocal last
        step, when = last
        now = time.monotonic()
        over = progress.total is not None and progress.done == progress.total
        if progress.step == step and now - when < PLAIN_SECONDS and not over:
            return
        last = (progress.step, now)
        whole = f" of {progress.total}" if progress.total else ""
        count = f": {progress.done}{whole}" if progress.done or whole else ""
        click.echo(f"CoreDNS is built, once: {progress.step}{count}", err=True)

    return report


EXAMPLES = """\b
Examples:
  mlplugin coredns -- -conf Corefile
  mlplugin coredns -- -plugins
"""


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=EXAMPLES,
)
@click.option("--full", is_flag=True, help="Take the build with every plugin of CoreDNS.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- [ARGS]...")
def coredns(*, full: bool, arguments: tuple[str, ...]) -> None:
    """Run the bundled CoreDNS, as it is, with ARGS.

    In a clone it is compiled on first use and kept in the cache; MLPLUGIN_COREDNS names
    another binary, MLPLUGIN_COREDNS_FULL=1 asks for every plugin of CoreDNS.
    """
    binary = coredns_binary(full=full)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(binary, [str(binary), *arguments], inherited())  # noqa: S606 - to become that program is the point
