"""`mlplugin export`: the history as a file."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

from mlplugin.cli.history import asked, columns, filter_options, place_options
from mlplugin.cli.output import progress
from mlplugin.errors import MlpluginError, UsageError

EXAMPLES = """\b
Examples:
  mlplugin export --since 24h -o queries.parquet
  mlplugin export --verdict malicious --format csv > malicious.csv
  mlplugin export --domain example.org | jq .client
"""
FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
           ".parquet": "parquet"}  # fmt: skip
STDOUT = "-"


@click.command(epilog=EXAMPLES)
@filter_options
@click.option(
    "-o",
    "--output",
    default=STDOUT,
    metavar="FILE",
    help="Where to; its ending says the form.  [default: stdout]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    help="The form.  [default: what the file's ending says; jsonl without one]",
)
@place_options
def export(
    *,
    output: str,
    form: str | None,
    service: str,
    data: Path | None,
    store: str | None,
    **filters: Any,
) -> None:
    """Write the history to a file or to stdout: CSV, JSON lines or Parquet.

    Oldest first; from the running service, or from its store if none runs.
    """
    wanted = asked(filters)
    form = form or _form_of(output)
    if form == "parquet" and output == STDOUT and sys.stdout.isatty():
        raise UsageError("Parquet is nothing for a terminal: name a file with -o")
    from mlplugin.service.exporting import WRITERS  # noqa: PLC0415 - slow to import

    with (
        columns(service, data, store, wanted) as (total, batches),
        progress("queries", total) as advance,
    ):
        first = next(batches, None)  # what is wrong with the source shows before there is a file
        chosen = batches if first is None else itertools.chain([first], batches)
        with _written(output) as stream, WRITERS[form](stream) as write:
            for batch in chosen:
                write(batch)
                advance(batch.num_rows)


def _form_of(output: str) -> str:
    """Give the form that a file's ending says, JSON lines if it has none."""
    ending = Path(output).suffix.lower()
    if ending and ending not in FORMATS:
        raise UsageError(
            f"-o {output}: the ending {ending} says no form that there is: take one of "
            f"{', '.join(FORMATS)}, or say the form with --format"
        )
    return FORMATS.get(ending, "jsonl")


@contextlib.contextmanager
def _written(output: str) -> Iterator[IO[bytes]]:
    """Give stdout, or a file that is there whole or not at all."""
    if output == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(output)
    partial = target.with_name(f".{target.name}.part")
    if not target.parent.is_dir():
        raise MlpluginError(
            f"-o {output}: there is no directory {target.parent}; make it, or name another"
        )
    try:
        with partial.open("wb") as stream:
            yield stream
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
