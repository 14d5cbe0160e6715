"""`mlplugin store`: look after the store."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import platformdirs

from mlplugin.cli.output import progress
from mlplugin.cli.stores import opened
from mlplugin.errors import RefusedError, StoreError, UsageError
from mlplugin.service.times import parse_when
from mlplugin.store import Store, embedded_at, is_cluster
from mlplugin.store.port import Filter, StoreBusyError

if TYPE_CHECKING:
    from mlplugin.store.elastic import ElasticStore

EXAMPLES = """\b
Examples:
  mlplugin store check --store https://mlplugin@search.example.org:9200
  mlplugin store copy duckdb:///var/lib/mlplugin https://search.example.org:9200
  mlplugin store prune --before 30d
"""


# A service that ended in the middle of the job holds it for two minutes more.
BUSY_SECONDS, BUSY_PAUSE = 150.0, 1.0


def _place_options(command: Callable[..., object]) -> Callable[..., object]:
    command = click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="The data directory.  [default: the user's data folder]",
    )(command)
    return click.option(
        "--store", metavar="URL", help="The store, where it is not the embedded one."
    )(command)


def _data(data: Path | None) -> Path:
    return data or platformdirs.user_data_path("mlplugin", appauthor=False)


@contextlib.contextmanager
def _open(
    url: str | None, data: Path | None, *, read_only: bool = False, new: bool = False
) -> Iterator[Store]:
    """Open a store; the embedded one is made only where `new` says so, or it is there already."""
    if not new:
        _require_file(embedded_at(url, _data(data)))
    store = opened(url, _data(data), read_only=read_only)
    try:
        if cluster := _cluster(store):
            cluster.connect()  # opening alone would wait for a cluster that is away
        yield store
    finally:
        store.close()


def _require_file(directory: Path | None) -> None:
    from mlplugin.store.duckdb_store import FILE  # noqa: PLC0415 - slow to import

    if directory is not None and not os.path.exists(directory / FILE):  # noqa: PTH110 - no error
        raise StoreError(f"there is no history at {directory / FILE}: name the place where it is")


def _cluster(store: Store) -> ElasticStore | None:
    """Give a store as a cluster, None where it is the embedded one."""
    from mlplugin.store.elastic import ElasticStore  # noqa: PLC0415 - slow to import

    return store if isinstance(store, ElasticStore) else None


@click.group(epilog=EXAMPLES)
def store() -> None:
    """Look after the store: the embedded one, or a cluster."""


@store.command(
    epilog="Example: mlplugin store check --store https://search.example.org:9200",
    short_help="See whether a store is as it should be.",
)
@_place_options
@click.option("--role", is_flag=True, help="Only print the role that mlplugin needs, to paste.")
def check(*, store: str | None, data: Path | None, role: bool) -> int:
    """See what the store is, whether it is as it should be, and how far behind it is.

    One line a part; the exit status is 1 if there is a fault. A cluster's role is printed where
    rights are missing, and with --role.
    """
    with _open(store, data, read_only=True) as found:
        cluster = _cluster(found)
        if cluster is None:
            if role:
                raise UsageError("the embedded store knows no roles: name a cluster with --store")
            size, stats = found.size(), found.stats(Filter())
            click.echo(f"ok     store: embedded, {size.rows:,} events, {size.bytes:,} bytes")
            click.echo(f"ok     newest: {stats.last or 'no event yet'}")
            return 0
        from mlplugin.store.elastic import inspection  # noqa: PLC0415 - slow to import

        if role:
            click.echo(inspection.role(cluster))
            return 0
        faults = 0
        for part in inspection.inspect(cluster, _data(data)):
            faults += part.fault
            click.echo(f"{'FAULT' if part.fault else 'ok   '}  {part.name}: {part.says}")
        return 1 if faults else 0


@store.command(
    epilog="Example: mlplugin store migrate --store https://search.example.org:9200",
    short_help="Bring what is kept to the form of now.",
)
@_place_options
def migrate(*, store: str | None, data: Path | None) -> None:
    """Bring templates and indices, or the embedded file, to the version of this program.

    The service does the same when it starts; with this it can be done before, with more rights.
    """
    with _open(store, data) as found:
        cluster = _cluster(found)
        done = cluster.prepared if cluster else []
        for line in done:
            click.echo(line)
        if not done:
            click.echo("everything is of this version")


@store.command(
    epilog="Example: mlplugin store copy duckdb:///var/lib/mlplugin https://search.example.org:9200",
    short_help="Copy a history into another store.",
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(*, source: str, target: str) -> None:
    """Copy history, counters, decisions and their record from one store into another.

    Each is a URL: duckdb:///DIRECTORY, or that of a cluster. What is there already is left as
    it is, so that a copy that was broken off goes on when it is called again. At the end every
    event is looked for and compared; the exit status is 1 if one is missing or different.
    """
    if is_cluster(source) and is_cluster(target):
        raise UsageError(
            "two clusters would be sent one set of credentials: copy into duckdb:///DIRECTORY "
            "and from there, or use the clusters' own snapshots"
        )
    if source == target:
        raise UsageError("that is one store twice")
    from mlplugin.store.transfer import copy as copy_store  # noqa: PLC0415 - slow to import

    with _open(source, None, read_only=True) as one, _open(target, None, new=True) as two:
        total = one.stats(Filter()).queries
        with progress("events", 2 * total) as advance:
            done = copy_store(one, two, advance)
    refused = f", {done.refused:,} refused" if done.refused else ""
    click.echo(
        f"{done.events:,} events: {done.stored:,} written, "
        f"{done.events - done.stored - done.refused:,} were there{refused}; "
        f"{done.decisions:,} decisions and entries of their record written"
    )
    if done.later:
        click.echo(
            f"{done.later:,} events came into {source} meanwhile: copy again to take them along",
            err=True,
        )
    if done.missing or done.different:
        raise RefusedError(
            f"{done.missing:,} events are not in {target}, {done.different:,} are there with "
            "other values: it refused them, its retention took them away, or it knew their "
            "sequences before"
        )


@store.command(
    epilog="Example: mlplugin store prune --before 30d --data /var/lib/mlplugin",
    short_help="Take old events away now.",
)
@_place_options
@click.option(
    "--before", metavar="TIME", help="What is older than a time, or than a span such as 30d."
)
@click.option(
    "--to-bytes", metavar="SIZE", help="The oldest, until the history takes no more than this."
)
def prune(
    *, store: str | None, data: Path | None, before: str | None, to_bytes: str | None
) -> None:
    """Take old events away now; a cluster gives up whole days (UTC) only.

    Sensors' counts, decisions and their record stay.
    """
    if before is None and to_bytes is None:
        raise UsageError("say what is to go: --before 30d, or --to-bytes 10GB")
    moment: datetime | None = None if before is None else parse_when(before)
    from mlplugin.config import size_in_bytes  # noqa: PLC0415 - slow to import

    try:
        most = None if to_bytes is None else size_in_bytes(to_bytes)
    except ValueError as fault:
        raise UsageError(f"--to-bytes: {fault}") from None
    with _open(store, data) as found:
        taken = sum(_steps(found, moment, most))
        left = found.size()
    click.echo(f"{taken:,} events taken away, {left.rows:,} left in {left.bytes:,} bytes")


def _steps(store: Store, before: datetime | None, most: int | None) -> Iterator[int]:
    """Trim step by step; wait for another service that does so just now."""
    end, told = time.monotonic() + BUSY_SECONDS, False
    while True:
        try:
            step = store.trim(before, most)
        except StoreBusyError as fault:
            if time.monotonic() >= end:
                raise
            if not told:
                click.echo(f"{fault}: waiting for it", err=True)
                told = True
            time.sleep(BUSY_PAUSE)
            continue
        if not step:
            return
        yield step
