"""The history in the forms of files: Arrow, CSV, JSON lines, Parquet; written as it is read."""

from __future__ import annotations

import contextlib
import functools
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from mlplugin.service.history import row_json
from mlplugin.service.spreadsheet import FORMULA_STARTS
from mlplugin.store.columns import QUERIES

Write = Callable[[pa.RecordBatch], None]

# So many rows at once: what somebody waits for comes in pieces, however large the batches are.
ROWS_AT_ONCE = 20_000
MEDIA_TYPES = {
    "arrow": "application/vnd.apache.arrow.stream",
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


@contextlib.contextmanager
def _arrow(stream: IO[bytes], schema: pa.Schema = QUERIES) -> Iterator[Write]:
    with pa.ipc.new_stream(stream, schema) as writer:
        yield writer.write_batch


@contextlib.contextmanager
def _csv(stream: IO[bytes]) -> Iterator[Write]:
    import pyarrow.csv  # noqa: PLC0415 - here and below: the start of the service need not wait

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
        rows = (row_json(row) for row in batch.to_pylist())
        lines = (json.dumps(row, separators=(",", ":"), default=str) + "\n" for row in rows)
        stream.write("".join(lines).encode())

    yield write


@contextlib.contextmanager
def _parquet(stream: IO[bytes]) -> Iterator[Write]:
    import pyarrow.parquet  # noqa: PLC0415

    with pyarrow.parquet.ParquetWriter(stream, QUERIES, compression="zstd") as writer:
        yield writer.write_batch


WRITERS = {"arrow": _arrow, "csv": _csv, "jsonl": _jsonl, "parquet": _parquet}


def _harmless(column: pa.Array) -> pa.Array:
    """Give a column so that no spreadsheet takes a text of it for a formula."""
    if column.type != pa.string():
        return column
    formula = pc.starts_with(column, FORMULA_STARTS[0])
    for start in FORMULA_STARTS[1:]:
        formula = pc.or_(formula, pc.starts_with(column, start))
    return pc.if_else(formula, pc.binary_join_element_wise("'", column, ""), column)


class _Pieces(io.RawIOBase):
    """A stream whose bytes are taken away as they come; it cannot go back."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]  # any buffer
        self._pieces.append(piece)
        self._written += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        """Give what was written since."""
        found = b"".join(self._pieces)
        self._pieces.clear()
        return found


def streamed(form: str, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Give a file of that form in pieces, as its rows come."""
    return _in_pieces(WRITERS[form], batches)


def streamed_columns(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[bytes]:
    """Give columns of any schema in pieces, as they come (Arrow IPC stream)."""
    return _in_pieces(functools.partial(_arrow, schema=schema), batches)


def _in_pieces(
    writer: Callable[[IO[bytes]], AbstractContextManager[Write]], batches: Iterable[pa.RecordBatch]
) -> Iterator[bytes]:
    sink = _Pieces()
    with writer(sink) as write:  # type: ignore[arg-type]  # as far as writers need one
        for batch in batches:
            for start in range(0, batch.num_rows, ROWS_AT_ONCE):
                write(batch.slice(start, ROWS_AT_ONCE))
                if piece := sink.take():
                    yield piece
    yield sink.take()
