"""`mlplugin export`: the history as a file."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from mlplugin.cli.history import asked, columns, filter_options, place_options
from mlplugin.cli.output import FORMULA_STARTS, json_line
from mlplugin.errors import UsageError
from mlplugin.service.history import row_json
from mlplugin.store.port import QUERIES

EXAMPLES = """\b
Examples:
  mlplugin export --since 24h -o queries.parquet
  mlplugin export --verdict malicious --format csv > malicious.csv
  mlplugin export --domain example.org | jq .client
"""
FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
           ".parquet": "parquet"}  # fmt: skip
STDOUT = "-"

Write = Callable[[pa.RecordBatch], None]


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
    help="The form.  [default: by the file's ending, else jsonl]",
)
@place_options
def export(
    *, output: str, form: str | None, service: str, data: Path | None, **filters: Any
) -> None:
    """Write the history to a file or to stdout: CSV, JSON lines or Parquet.

    Oldest first; from the running service, or from its file if none runs.
    """
    wanted = asked(filters)
    form = form or FORMATS.get(Path(output).suffix.lower(), "jsonl")
    if form == "parquet" and output == STDOUT and sys.stdout.isatty():
        raise UsageError("Parquet is nothing for a terminal: name a file with -o")
    with columns(service, data, wanted) as (total, batches), _progress(total) as advance:
        first = next(batches, None)  # what is wrong with the source shows before there is a file
        chosen = batches if first is None else itertools.chain([first], batches)
        with _written(output) as stream, WRITERS[form](stream) as write:
            for batch in chosen:
                write(batch)
                advance(batch.num_rows)


@contextlib.contextmanager
def _written(output: str) -> Iterator[IO[bytes]]:
    """Give stdout, or a file that is there whole or not at all."""
    if output == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(output)
    partial = target.with_name(f".{target.name}.part")
    try:
        with partial.open("wb") as stream:
            yield stream
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _harmless(column: pa.Array) -> pa.Array:
    """Give a column so that no spreadsheet takes a text of it for a formula."""
    if column.type != pa.string():
        return column
    formula = pc.starts_with(column, FORMULA_STARTS[0])
    for start in FORMULA_STARTS[1:]:
        formula = pc.or_(formula, pc.starts_with(column, start))
    return pc.if_else(formula, pc.binary_join_element_wise("'", column, ""), column)


@contextlib.contextmanager
def _csv(stream: IO[bytes]) -> Iterator[Write]:
    place = QUERIES.names.index("answers")
    schema = QUERIES.set(place, pa.field("answers", pa.string()))
    with pyarrow.csv.CSVWriter(stream, schema) as writer:

        def write(batch: pa.RecordBatch) -> None:
            joined = pc.binary_join(batch.column(place), " ")
            flat = batch.set_column(place, schema.field(place), joined)
            writer.write_batch(
                pa.RecordBatch.from_arrays(
                    [_harmless(part) for part in flat.columns], schema=schema
                )
            )

        yield write


@contextlib.contextmanager
def _jsonl(stream: IO[bytes]) -> Iterator[Write]:
    def write(batch: pa.RecordBatch) -> None:
        lines = (json_line(row_json(row)) for row in batch.to_pylist())
        stream.write("".join(lines).encode())

    yield write


@contextlib.contextmanager
def _parquet(stream: IO[bytes]) -> Iterator[Write]:
    with pyarrow.parquet.ParquetWriter(stream, QUERIES, compression="zstd") as writer:
        yield writer.write_batch


WRITERS = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal and rows do not run over it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and rarely wanted
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("queries", total=total)
        yield lambda rows: progress.update(task, advance=rows)
