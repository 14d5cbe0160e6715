"""`mlplugin queries`: search the history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlplugin.cli.history import asked, filter_options, pages, place_options
from mlplugin.cli.output import Format, format_option, write_rows
from mlplugin.store.port import QUERY_COLUMNS

EXAMPLES = """\b
Examples:
  mlplugin queries --verdict malicious --since 24h
  mlplugin queries --verdict suspicious --verdict malicious --min-score 33
  mlplugin queries --qname '*.example.org' --client 192.0.2.0/24 --limit 10
  mlplugin queries --threat dga --format csv > dga.csv
"""
TABLE_COLUMNS = (
    "time", "client", "qname", "qtype", "rcode", "verdict", "threat", "score", "action", "reason",
)  # fmt: skip


@click.command(epilog=EXAMPLES)
@filter_options
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="The most rows; the newest come first.",
)
@place_options
@format_option
def queries(
    *,
    limit: int,
    service: str,
    data: Path | None,
    store: str | None,
    output_format: Format,
    **filters: Any,
) -> None:
    """Search the history, newest first.

    The running service is asked; if none runs, its store is read.
    """
    columns = TABLE_COLUMNS if output_format is Format.TABLE else QUERY_COLUMNS
    write_rows(pages(service, data, store, asked(filters), limit), columns, output_format)
