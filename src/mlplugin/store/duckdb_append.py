"""The connection that appends batches to the embedded store, made ready once.

What a batch costs before it has any event is mostly DuckDB's reading and planning of the same few
statements again. So this connection leaves out the optimizer, which finds nothing in them, reads
each of them once, and has one table that always gives the batch of the moment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from mlplugin.errors import StoreError
from mlplugin.store.columns import EVENTS

# A positional join gives its rows one after the other, so that they are inserted by one thread.
# By itself a table is inserted by several, who collect rows apart and copy them together at the
# end: of some thousand rows that is a third of the processor time of the insert.
INSERT = """
    INSERT INTO events
    SELECT make_timestamp(time), ?, sequence, client, transport, qname,
        length(registered_domain), qtype, rcode, nullif(answers, ''), duration, verdict, threat,
        coalesce(score, 0), source, model, coalesce(action, 'observe'), reason,
        shadow_verdict, CASE WHEN shadow_verdict IS NOT NULL THEN coalesce(shadow_score, 0) END,
        shadow_model
    FROM batch POSITIONAL JOIN (SELECT 1)
"""


class _Batch:
    """A table for DuckDB (Arrow's PyCapsule interface) that is another one each time."""

    def __init__(self) -> None:
        self.events: pa.Table = EVENTS.empty_table()

    def __arrow_c_schema__(self) -> object:
        return EVENTS.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.events.__arrow_c_stream__(requested_schema)


class Appending:
    """A connection for short statements that are always the same, and for batches."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Take a connection, which is in no transaction."""
        self.connection = connection
        connection.execute("PRAGMA disable_optimizer")
        self._batch = _Batch()
        connection.register("batch", self._batch)
        self._read: dict[str, duckdb.Statement] = {}

    def execute(self, text: str, parameters: Sequence[Any]) -> duckdb.DuckDBPyConnection:
        """Run a statement; there are few different ones, so that each stays read."""
        statement = self._read.get(text)
        if statement is None:
            (statement,) = self.connection.extract_statements(text)
            self._read[text] = statement
        return self.connection.execute(statement, parameters)

    def insert(self, sensor: int, events: pa.Table) -> None:
        """Insert events (`EVENTS`), at least one; within a transaction of the connection."""
        # DuckDB has planned for these columns and would take any others for them.
        if events.schema.names != EVENTS.names or events.schema.types != EVENTS.types:
            events = events.select(EVENTS.names).cast(EVENTS)
        self._batch.events = events
        try:
            done = self.execute(INSERT, [sensor]).fetchone()
        finally:
            self._batch.events = EVENTS.empty_table()
        if done != (events.num_rows,):
            raise StoreError(f"{events.num_rows} events were to be inserted, and {done} were")

    def close(self) -> None:
        """Let go of the connection."""
        with contextlib.suppress(duckdb.Error):
            self.connection.close()
