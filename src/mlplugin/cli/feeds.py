"""`mlplugin feeds`: public lists as labelled names."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from mlplugin.cli.output import Format, format_option, write_rows
from mlplugin.errors import UsageError
from mlplugin.feeds.fault import FeedError
from mlplugin.feeds.http import Limits
from mlplugin.feeds.table import Feed, added, chosen, public, read

LISTED = ("name", "kind", "threat", "usable", "interval", "licence", "url")
FETCHED_COLUMNS = ("name", "status", "names", "malformed", "addresses", "passed_over", "error")

EXAMPLES = """\b
Examples:
  mlplugin feeds list
  mlplugin feeds fetch --out names
  mlplugin feeds fetch --out names --only tranco --only urlhaus-hosts
  mlplugin feeds fetch --out names --add teaches=malware,format=hosts,url=list.txt
"""


@click.group(epilog=EXAMPLES)
def feeds() -> None:
    """Fetch public feeds and popularity lists as labelled names, which `mlplugin train` reads."""


@feeds.command(
    "list", epilog="Example: mlplugin feeds list --format csv", short_help="List the public feeds."
)
@format_option
def list_(*, output_format: Format) -> None:
    """List the public feeds: what each teaches, its licence, and where it is.

    `usable` says whether a model that ships may learn from it.
    """
    write_rows((_listed(feed) for feed in public().values()), LISTED, output_format)


def _listed(feed: Feed) -> dict[str, Any]:
    return {
        "name": feed.name,
        "kind": feed.side,
        "threat": feed.threat,
        "usable": feed.usable,
        "interval": feed.interval,
        "licence": feed.licence,
        "url": feed.url,
        "licence_url": feed.licence_url,
        "caveat": feed.caveat,
        "needs_key": bool(feed.secret),
    }


@feeds.command(epilog=EXAMPLES)
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of labelled names to write; it keeps copies of the feeds, too.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Only this feed; repeatable.")
@click.option(
    "--add",
    multiple=True,
    metavar="KEY=VALUE,...",
    help="A list of your own: teaches=malware,format=hosts,url=... ; repeatable.",
)
@click.option(
    "--table",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with lists of your own, a section each.",
)
@click.option(
    "--since",
    metavar="DAY",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Leave out malicious names that were first seen before.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    default=Limits.timeout,
    show_default=True,
    help="A server that is silent for so long is given up.",
)
@click.option(
    "--max-bytes",
    metavar="SIZE",
    default="256MiB",
    show_default=True,
    help="The most that one download may have; unpacked four times that.",
)
@format_option
def fetch(
    *,
    out: Path,
    only: tuple[str, ...],
    add: tuple[str, ...],
    table: Path | None,
    since: datetime | None,
    timeout: float,
    max_bytes: str,
    output_format: Format,
) -> None:
    """Fetch feeds and write them as labelled names.

    Without --only, every public feed whose key is there, and the lists of your own. A feed that
    cannot be fetched is named, and its older copy used if there is one; the others go on. The
    status is 3 if none could be fetched.
    """
    feeds = _feeds(only, add, table)
    from mlplugin.cli.fetching import watched  # noqa: PLC0415 - slow to import
    from mlplugin.config import size_in_bytes  # noqa: PLC0415
    from mlplugin.feeds import fetch as fetching  # noqa: PLC0415

    try:
        most = size_in_bytes(max_bytes)
    except ValueError as error:
        raise UsageError(f"--max-bytes: {error}") from error
    order = fetching.Order(
        out,
        feeds,
        Limits(timeout=timeout, most_bytes=most, most_unpacked=4 * most),
        since.date().isoformat() if since else "",
    )
    with watched(len(order.feeds)) as watcher:
        reports = fetching.fetch(order, watcher)
    write_rows((report.row() for report in reports), FETCHED_COLUMNS, output_format)
    if all(report.status not in {fetching.FETCHED, fetching.UNCHANGED} for report in reports):
        raise FeedError(f"no feed could be fetched; {out} holds what older copies say")


def _feeds(only: tuple[str, ...], add: tuple[str, ...], table: Path | None) -> list[Feed]:
    """The feeds to fetch: those that are named, or all, and those of the user's own."""
    known = dict(public())
    own = read(table, known) if table else {}
    known |= own
    for text in add:
        feed = added(text, known)
        if feed.name in own:
            raise UsageError(f"two lists are called {feed.name}: give one another with name=")
        own[feed.name] = feed
    known |= own
    names = [*only, *own] if only else list(known)
    return chosen(names, known)
