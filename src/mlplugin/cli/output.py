"""Rows as a table, JSON lines or CSV, the same for every command."""

from __future__ import annotations

import contextlib
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain, islice
from typing import Any, TextIO, TypeVar

import click

from mlplugin.cli.terminal import Layout, room_of, width_of
from mlplugin.service.spreadsheet import harmless

Row = Mapping[str, Any]
Command = TypeVar("Command", bound=Callable[..., Any])

# A table sizes its columns by so many rows; those behind them get the same widths. On a terminal it
# is as wide as that (`terminal`); elsewhere every cell is whole.
TABLE_ROWS = 1000


class Format(StrEnum):
    """The forms in which rows come out."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


def format_option(command: Command) -> Command:
    """Add ``--format`` to a command, which gets it as ``output_format: Format``."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice([form.value for form in Format]),
        callback=lambda _ctx, _param, value: Format(value) if value else default_format(),
        help="How rows come out.  [default: table on a terminal, jsonl in a pipe]",
    )(command)


def default_format() -> Format:
    """Give the form that fits where stdout goes."""
    return Format.TABLE if sys.stdout.isatty() else Format.JSONL


def write_rows(
    rows: Iterable[Row], columns: Sequence[str], form: Format, stream: TextIO | None = None
) -> int:
    """Write rows as they come and give their number.

    Args:
        rows: each with any of the columns; JSON lines carry also what is no column.
        columns: those of a table and of CSV, in order.
        stream: stdout if None.
    """
    out = stream or sys.stdout
    if form is Format.JSONL:
        return _jsonl(rows, out)
    if form is Format.CSV:
        return _csv(rows, columns, out)
    return _table(rows, columns, out)


def json_line(row: Row) -> str:
    """Give a row as one line of JSON, with its end."""
    return json.dumps(row, separators=(",", ":"), default=str) + "\n"


def _jsonl(rows: Iterable[Row], out: TextIO) -> int:
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the last number is the result
        out.write(json_line(row))
    return count


def _csv(rows: Iterable[Row], columns: Sequence[str], out: TextIO) -> int:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the last number is the result
        writer.writerow([harmless(_plain(row.get(name))) for name in columns])
    return count


def _table(rows: Iterable[Row], columns: Sequence[str], out: TextIO) -> int:
    source = iter(rows)
    first = [_cells(row, columns) for row in islice(source, TABLE_ROWS)]
    widths = [max(map(room_of, column)) for column in zip(columns, *first, strict=True)]
    layout = Layout.of(widths, width_of(out))
    count = -1  # the first line is none of the rows
    for cells in chain([list(columns)], first, (_cells(row, columns) for row in source)):
        out.writelines(f"{line}\n" for line in layout.rows(cells))
        count += 1
    return count


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    """Give a row's cells; what could steer a terminal is shown escaped."""
    texts = (_plain(row.get(name)) for name in columns)
    return ["".join(char if char.isprintable() else repr(char)[1:-1] for char in t) for t in texts]


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, separators=(",", ":"), default=str)
    return str(value)


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal; it moves on by what it is called with."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and rarely wanted
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda rows: shown.update(task, advance=rows)
