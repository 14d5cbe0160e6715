"""NDJSON of events to columns, by DuckDB's JSON reader: no loop over events."""

from __future__ import annotations

import atexit
import errno
import os
import tempfile
import threading
from typing import IO

import duckdb
import pyarrow as pa

from mlplugin.errors import MlpluginError
from mlplugin.store.columns import EVENTS
from mlplugin.store.port import StoreUnavailableError

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


class _Engine:
    """DuckDB, without a file of its own."""

    def __init__(self) -> None:
        self.connection = self._connected()

    def renew(self) -> None:
        """Begin anew, where DuckDB gave up."""
        self.connection = self._connected()

    def _connected(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(
            config={
                "threads": "1",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                # Under one path there is another body each time.
                "enable_external_file_cache": "false",
            }
        )


_ENGINE = _Engine()


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
        try:
            self._engine = _ENGINE.connection.cursor()
            self._lines = self._engine.sql(_READ % path)
        except BaseException:
            self._file.close()
            raise

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
_PARENTS: list[_Reader] = []
_LOCK = threading.Lock()


@atexit.register
def _end() -> None:
    while _WAITING:
        _WAITING.pop().close()


def _leave_to_parent() -> None:
    """In a process that was forked: the files of the readers are still the parent's, too."""
    _PARENTS.extend(_WAITING)
    _WAITING.clear()


os.register_at_fork(after_in_child=_leave_to_parent)


def parsed(body: bytes) -> pa.Table:
    """Read lines into the columns `EVENTS`, `answer_count` and `misfit`, unchecked.

    Raises:
        UnreadableError: if that is what they are not.
        StoreUnavailableError: if they cannot be read just now, whatever they are.
    """
    try:
        reader = _WAITING.pop()
    except IndexError:
        reader = _made()
    try:
        found = reader.read(body)
    except (duckdb.InvalidInputException, duckdb.ConversionException) as fault:
        _keep(reader)
        raise UnreadableError(str(fault)) from None
    except duckdb.Error as fault:
        reader.close()
        raise _trouble(fault) from fault
    except BaseException:
        reader.close()
        raise
    _keep(reader)
    return found


def _made() -> _Reader:
    try:
        return _Reader()
    except duckdb.Error as fault:
        raise _trouble(fault) from fault


def _keep(reader: _Reader) -> None:
    """Have a reader wait for the next body, if few do."""
    reader.rest()
    with _LOCK:
        if len(_WAITING) < _MOST_WAITING:
            _WAITING.append(reader)
            return
    reader.close()


def _trouble(fault: duckdb.Error) -> StoreUnavailableError:
    """Give the error for what is no fault of the body; it may be read when it comes again."""
    if isinstance(fault, duckdb.FatalException | duckdb.InternalException):  # DuckDB gave up
        with _LOCK:
            while _WAITING:
                _WAITING.pop().close()
            _ENGINE.renew()
    return StoreUnavailableError(f"batches cannot be read just now: {fault}")
