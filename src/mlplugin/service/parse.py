"""NDJSON of events to columns, by DuckDB's JSON reader: no loop over events."""

from __future__ import annotations

import atexit
import errno
import os
import tempfile
from typing import IO

import duckdb
import pyarrow as pa

from mlplugin.errors import MlpluginError
from mlplugin.store.columns import EVENTS

_TYPES = {pa.int64(): "BIGINT", pa.string(): "VARCHAR", pa.float64(): "DOUBLE"}
_COLUMNS = ", ".join(
    f"{field.name}: '{'VARCHAR[]' if field.name == 'answers' else _TYPES[field.type]}'"
    for field in EVENTS
)
_SELECTED = ", ".join(
    "array_to_string(answers, ' ') AS answers" if name == "answers" else name
    for name in EVENTS.names
)
# What is cheaper to say here than on columns: how many answers, and a domain that is not the
# name's end.
_READ = f"""
    SELECT {_SELECTED}, len(answers) AS answer_count,
        NOT (registered_domain = qname OR suffix(qname, '.' || registered_domain)) AS misfit
    FROM read_json('%s', format = 'newline_delimited', columns = {{{_COLUMNS}}},
        compression = 'uncompressed', maximum_object_size = 1048576)
"""  # noqa: S608 - only our own text
# So many readers wait for the next batches, each with so many bytes of memory at most.
_MOST_WAITING = 4
_MOST_KEPT = 4 << 20

_ENGINE = duckdb.connect(
    config={
        "threads": "1",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        # Under one path there is another body each time.
        "enable_external_file_cache": "false",
    }
)


class UnreadableError(MlpluginError):
    """It is no NDJSON of events; the text is the reader's."""


class _Reader:
    """A file for bodies, in memory where the system can, and the query that reads it.

    To make one takes as long as to read a thousand events with it.
    """

    def __init__(self) -> None:
        self._file: IO[bytes]
        if hasattr(os, "memfd_create"):
            number = os.memfd_create("batch")
            self._file = os.fdopen(number, "wb", buffering=0)
            path = f"/proc/self/fd/{number}"
        else:
            self._file = tempfile.NamedTemporaryFile(buffering=0)  # noqa: SIM115
            path = self._file.name
        self._engine = _ENGINE.cursor()
        self._lines = self._engine.sql(_READ % path)

    def read(self, body: bytes) -> pa.Table:
        """Read a body."""
        self._file.seek(0)
        if self._file.write(body) != len(body):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._file.truncate()  # behind this body; the memory of a longer one is used again
        return self._lines.to_arrow_table()  # a relation is read anew each time

    def rest(self) -> None:
        """Keep little memory until the next body."""
        if self._file.tell() > _MOST_KEPT:
            self._file.truncate(0)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.close()
        self._file.close()


_WAITING: list[_Reader] = []


@atexit.register
def _end() -> None:
    while _WAITING:
        _WAITING.pop().close()


def parsed(body: bytes) -> pa.Table:
    """Read lines into the columns `EVENTS`, `answer_count` and `misfit`, unchecked.

    Raises UnreadableError.
    """
    try:
        reader = _WAITING.pop()
    except IndexError:
        reader = _Reader()
    try:
        return reader.read(body)
    except duckdb.Error as fault:
        raise UnreadableError(str(fault)) from None
    finally:
        if len(_WAITING) < _MOST_WAITING:
            reader.rest()
            _WAITING.append(reader)
        else:
            reader.close()
