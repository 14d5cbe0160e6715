"""One DuckDB file: opened with faults put into words, read by many threads, written by one."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb

from mlplugin.errors import StoreError
from mlplugin.store import schema
from mlplugin.store.duckdb_append import Appending
from mlplugin.store.port import StoreUnavailableError

# DuckDB writes what the log holds into the file when the log is this large. A larger one is
# cheaper per event (fewer row groups are written twice) and makes a start after a crash slower.
CHECKPOINT_BYTES = 64 << 20

# Below this nothing is taken any more, so that a checkpoint still finds the space it needs.
RESERVE_BYTES = 64 << 20
RESERVE_SHARE = 0.05

# The store is a guest beside a name server: half of the cores, but two where there are two, since
# nobody waits for long sums then; a quarter of the memory.
LEAST_THREADS, MOST_THREADS = 2, 4
LEAST_MEMORY, MOST_MEMORY = 256 << 20, 4 << 30


def _memory_limit() -> int:
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(max(whole // 4, LEAST_MEMORY), MOST_MEMORY)


SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "threads": min(max((os.cpu_count() or 1) // 2, LEAST_THREADS), MOST_THREADS),
    "memory_limit": f"{_memory_limit()}B",
    "checkpoint_threshold": f"{CHECKPOINT_BYTES}B",
}


class DuckDBFile:
    """A DuckDB file with the tables of `schema`, open until `close`.

    Raises StoreError, in one line that says what to do, where it cannot be opened: locked,
    damaged, newer than this program, not to be written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        self._state = threading.Condition()
        self._readers: set[duckdb.DuckDBPyConnection] = set()
        self._reopening = False
        self._quiet: int | None = None  # the thread that has the file without other readers
        self._writing = threading.Lock()
        self._appending: Appending | None = None
        self._root: duckdb.DuckDBPyConnection | None = self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        if not self._read_only:
            _make_directory(self.path.parent)
        connection = None
        try:
            connection = duckdb.connect(self.path, read_only=self._read_only, config=SETTINGS)
            # It would go to standard output, between the lines of the log.
            connection.execute("SET enable_progress_bar = false")
            if self._read_only:
                _check_version(connection)
            else:
                schema.migrate(connection)
        except (duckdb.Error, StoreError) as fault:
            if connection is not None:
                connection.close()
            raise _opening_fault(self.path, fault) from None
        return connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection of one's own, in a transaction: one moment, whatever is written."""
        with self._state:
            self._state.wait_for(self._may_read)
            cursor = self._connection().cursor()
            self._readers.add(cursor)
        try:
            cursor.begin()
            yield cursor
        except duckdb.Error as fault:
            if isinstance(fault, duckdb.FatalException):
                self._let_go(cursor)
                self._reopen()
            raise _working_fault(self.path, fault) from None
        finally:
            self._let_go(cursor)

    def _let_go(self, cursor: duckdb.DuckDBPyConnection) -> None:
        with self._state:
            if cursor in self._readers:
                self._readers.remove(cursor)
                with contextlib.suppress(duckdb.Error):
                    cursor.close()
                self._state.notify_all()

    @contextlib.contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the one connection that writes, in a transaction that is committed at the end.

        Raises StoreUnavailableError where nothing was written, for want of space mostly.
        """
        with self._writing:
            self._require_space()
            connection = self._connection()
            with self._transaction(connection):
                yield connection

    @contextlib.contextmanager
    def appending(self) -> Iterator[Appending]:
        """The same with the connection for batches; who has one of the two waits for the other."""
        with self._writing:
            self._require_space()
            root = self._connection()
            if self._appending is None:
                self._appending = self._made_ready(root)
            appending = self._appending
            with self._transaction(appending.connection):
                yield appending

    def _made_ready(self, root: duckdb.DuckDBPyConnection) -> Appending:
        try:
            return Appending(root.cursor())
        except duckdb.Error as fault:
            if isinstance(fault, duckdb.FatalException):
                self._reopen()
            raise _working_fault(self.path, fault) from None

    @contextlib.contextmanager
    def _transaction(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        try:
            connection.begin()
            yield
            connection.commit()
        except duckdb.Error as fault:
            self._undo(connection, fatal=isinstance(fault, duckdb.FatalException))
            raise _working_fault(self.path, fault) from None
        except BaseException:
            self._undo(connection, fatal=False)
            raise

    def _may_read(self) -> bool:
        return not self._reopening and self._quiet in (None, threading.get_ident())

    @contextlib.contextmanager
    def quiet(self, patience: float) -> Iterator[bool]:
        """Hold new readers of other threads off until the end; True if none is left at work.

        `patience` is how long those at work are waited for, in seconds.
        """
        with self._state:
            self._state.wait_for(lambda: self._quiet is None)
            self._quiet = threading.get_ident()
            alone = self._state.wait_for(lambda: not self._readers, timeout=patience)
            if not alone:
                self._quiet = None
                self._state.notify_all()
        try:
            yield alone
        finally:
            if alone:
                with self._state:
                    self._quiet = None
                    self._state.notify_all()

    def checkpoint(self) -> bool:
        """Write the log into the file and free what was deleted; False if it has to wait.

        While a reader is at work DuckDB writes the log but frees nothing, and says nothing of it;
        a later checkpoint then finds nothing to do. So none is made before the readers are gone:
        call it within `quiet`.
        """
        with self._writing:
            if self._readers:
                return False
            try:
                self._connection().execute("CHECKPOINT")
            except duckdb.FatalException as fault:
                self._reopen()
                raise _working_fault(self.path, fault) from None
            except duckdb.TransactionException:
                return False
            except duckdb.Error as fault:
                raise _working_fault(self.path, fault) from None
            return True

    def _undo(self, connection: duckdb.DuckDBPyConnection, *, fatal: bool) -> None:
        if not fatal:
            try:
                connection.rollback()
            except duckdb.FatalException:
                fatal = True
            except duckdb.Error:
                pass  # a commit that failed has rolled back already
        if fatal:
            self._reopen()

    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._root is None:
            self._reopen()
        if self._root is None:
            raise StoreUnavailableError(f"{self.path} is closed")
        return self._root

    def _reopen(self) -> None:
        """Open the file anew after a fault that made DuckDB give up on it.

        DuckDB keeps one instance a file as long as any connection is there, so that readers
        are interrupted and waited for.
        """
        with self._state:
            if self._reopening:
                return
            self._reopening = True
            for reader in self._readers:
                reader.interrupt()
            self._state.wait_for(lambda: not self._readers, timeout=10)
            self._close()
            try:
                self._root = self._open()
            except StoreError as fault:
                raise StoreUnavailableError(str(fault)) from None
            finally:
                self._reopening = False
                self._state.notify_all()

    def _close(self) -> None:
        """Close what writes; DuckDB keeps the file as long as one connection is there."""
        if self._appending is not None:
            self._appending.close()
            self._appending = None
        if self._root is not None:
            with contextlib.suppress(duckdb.Error):
                self._root.close()
            self._root = None

    def _require_space(self) -> None:
        """Refuse before the disk is full, where DuckDB would only find out half way."""
        try:
            disk = os.statvfs(self.path.parent)
        except OSError as fault:
            raise StoreUnavailableError(f"{self.path.parent}: {fault.strerror}") from None
        free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        if free < min(RESERVE_BYTES, int(whole * RESERVE_SHARE)):
            raise StoreUnavailableError(
                f"the disk of {self.path.parent} is full ({free >> 20} MiB left): make space there"
            )

    def close(self) -> None:
        """Write the log into the file and close it."""
        with self._writing, self._state:
            for reader in self._readers:
                reader.interrupt()
            self._state.wait_for(lambda: not self._readers, timeout=10)
            self._close()


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(
            f"the data directory {directory} cannot be made ({fault.strerror}): "
            "choose one with --data"
        ) from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StoreError(
            f"the data directory {directory} cannot be written: make it writable for this user, "
            "or choose one with --data"
        )


def _check_version(connection: duckdb.DuckDBPyConnection) -> None:
    version = schema.version_of(connection)
    if version != schema.VERSION:
        raise StoreError(
            f"its tables are of version {version}, this mlplugin knows {schema.VERSION}: "
            "start `mlplugin serve` once, or upgrade mlplugin"
        )


DAMAGED = r"not a valid DuckDB|[Cc]orrupt|enough bytes|[Ss]eriali|checksum|INTERNAL"
# What DuckDB says on opening, and what we make of it: {path}, {said} are filled in.
OPENING_FAULTS = (
    (
        r"set lock.*?\(PID (?P<holder>\d+)\)|set lock",
        "{path} is in use{holder}: stop that service, or choose another directory with --data",
    ),
    (
        r"version number (?P<version>\d+)|newer version",
        "{path} was written by a newer DuckDB{version} than {ours}, which is here: "
        "upgrade mlplugin, or choose another directory with --data",
    ),
    (DAMAGED, "{path} is damaged ({said}): move it away and start anew, or put back a copy"),
    (
        r"Permission denied|Read-only file system",
        "{path} cannot be written: make it writable for this user, "
        "or choose another directory with --data",
    ),
    (
        r"No such file|does not exist",
        "there is no history at {path}: start `mlplugin up`, or name the place with --data",
    ),
    (r"", "{path} cannot be opened ({said}): choose another directory with --data"),
)


def _opening_fault(path: Path, fault: Exception) -> StoreError:
    """Say in one line why the file cannot be opened and what to do."""
    text = str(fault)
    if isinstance(fault, StoreError):
        return StoreError(f"{path}: {text}")
    match, template = next(
        (match, template)
        for pattern, template in OPENING_FAULTS
        if (match := re.search(pattern, text, re.DOTALL))
    )
    found = match.groupdict()
    holder, version = found.get("holder"), found.get("version")
    return StoreError(
        template.format(
            path=path,
            said=_first_line(text),
            holder=f" by process {holder}" if holder else "",
            version=f" (storage version {version})" if version else "",
            ours=duckdb.__version__,
        )
    )


def _working_fault(path: Path, fault: duckdb.Error) -> StoreError:
    text = _first_line(str(fault))
    if re.search(DAMAGED, text):
        return _opening_fault(path, fault)
    if isinstance(fault, duckdb.InterruptException):
        return StoreUnavailableError("the store is being opened anew: try again")
    if re.search(r"No space left|File too large|[Dd]isk quota|max_temp_directory_size", text):
        return StoreUnavailableError(f"the disk of {path.parent} is full: make space there")
    return StoreUnavailableError(f"{path}: {text}")


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else "no reason given"
    return re.sub(r"^[A-Za-z ]*Error: ", "", line)[:200]
