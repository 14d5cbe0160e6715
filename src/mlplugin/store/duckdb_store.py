"""The embedded store: one DuckDB file, one machine."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from mlplugin.store import duckdb_decisions, duckdb_past, duckdb_sensors, duckdb_sums, duckdb_top
from mlplugin.store.columns import QUERIES
from mlplugin.store.duckdb_file import DuckDBFile
from mlplugin.store.duckdb_query import (
    EXPORTED,
    FROM,
    PLACES,
    SELECTED,
    Condition,
    naive,
    place_of,
    rows,
    sorting,
)
from mlplugin.store.duckdb_rows import Chosen
from mlplugin.store.duckdb_upkeep import Upkeep
from mlplugin.store.port import (
    QUERY_COLUMNS,
    Appended,
    Change,
    Counters,
    Filter,
    Network,
    Order,
    Override,
    Page,
    Position,
    Sensor,
    Size,
    StoreBusyError,
)
from mlplugin.store.sequences import Intervals
from mlplugin.store.sums import Bin, Count, Portrait, Slice, Stats, Summary, Suspect

FILE = "history.duckdb"

# A step of retention: short enough that ingestion does not notice.
STEP_ROWS = 500_000
# A row group of DuckDB; space is freed in such pieces.
ROW_GROUP = 122_880
EXPORT_ROWS = 50_000
# How long retention waits for readers (seconds), new ones and writers held off meanwhile; it
# doubles each time that there was always one.
PATIENCE, MOST_PATIENCE = 0.25, 8.0


class DuckDBStore:
    """The port's methods on a DuckDB file, `history.duckdb` in the data directory.

    Any number of threads may use it; one writes at a time.
    """

    # The file is one process's.
    shared = False

    def __init__(self, data: Path, *, read_only: bool = False) -> None:
        """Open it, and make it if it is not there. Raises StoreError."""
        self._file = DuckDBFile(data / FILE, read_only=read_only)
        self._lock = threading.RLock()
        self._sensors: dict[str, int] = {}
        self._stored: dict[str, Intervals] = {}
        self._patience = PATIENCE
        with self._file.reading() as connection:
            found = connection.execute("SELECT name, id FROM sensors").fetchall()
            self._sensors = dict(found)
        self._upkeep = Upkeep(self._file, self._lock)

    # Events

    def append(self, sensor: str, events: pa.Table, counters: Counters | None = None) -> Appended:
        """Store those events that are new, and the counters if newer, all or nothing."""
        with self._lock:
            growth = None
            if events.num_rows:
                stored = self._intervals(sensor)
                growth = stored.growth(events["sequence"].to_numpy())
            if growth is None and counters is None:
                return Appended(0, events.num_rows)
            if growth is not None and growth.rows is not None:
                new = events.take(pa.array(growth.rows))
            else:
                new = events
            number = self._sensors.get(sensor)
            try:
                with self._file.appending() as appending:
                    connection = appending.connection
                    if number is None:
                        number = _add_sensor(connection, sensor, len(self._sensors))
                    if growth is not None:
                        appending.insert(number, new)
                        self._upkeep.added(connection, new["time"].to_numpy())
                        duckdb_sensors.keep_growth(appending, number, stored, growth)
                    if counters is not None:
                        duckdb_sensors.keep_counters(appending, number, counters)
            except BaseException:
                self._stored.pop(sensor, None)  # whatever came of it, the file knows
                raise
            self._sensors[sensor] = number
            if growth is None:
                return Appended(0, events.num_rows)
            stored.grow(growth)
            self._upkeep.appended(new.num_rows)
            return Appended(new.num_rows, events.num_rows - new.num_rows)

    def _intervals(self, sensor: str) -> Intervals:
        """What is stored of a sensor, read once."""
        found = self._stored.get(sensor)
        if found is None:
            found = Intervals.empty()
            if sensor in self._sensors:
                with self._file.reading() as connection:
                    columns = connection.execute(
                        "SELECT first, last FROM sequences WHERE sensor = ? ORDER BY first",
                        [self._sensors[sensor]],
                    ).fetchnumpy()
                first, last = (np.asarray(columns[name], np.int64) for name in ("first", "last"))
                found = Intervals(first, last)
            self._stored[sensor] = found
        return found

    # The history

    def search(
        self,
        wanted: Filter,
        limit: int,
        after: Position | None = None,
        order: Order = Order.NEWEST,
    ) -> Page:
        """Give a page of at most `limit` rows."""
        with self._file.reading() as connection:
            chosen = Chosen(connection, wanted)
            total, condition = chosen.count, chosen.condition()
            if after is not None:
                condition.behind(after, self._sensors.get(after.sensor, -1), order)
            found = connection.execute(
                f"SELECT {SELECTED} FROM (SELECT e.* FROM events e WHERE {condition} "  # noqa: S608
                f"{sorting(order)} LIMIT {limit + 1}) e JOIN sensors s ON s.id = e.sensor "
                f"{sorting(order, 'e.')}",
                condition.parameters,
            ).fetchall()
        page = rows(QUERY_COLUMNS, found[:limit])
        return Page(page, total, place_of(page[-1], order) if len(found) > limit else None)

    def columns(self, wanted: Filter) -> Iterator[pa.RecordBatch]:
        """Give all rows, oldest first, in batches of the schema `QUERIES`.

        Each batch is read in a transaction of its own: whoever takes them may take their time.
        What is newer than the newest row at the beginning is left out.
        """
        with self._file.reading() as connection:
            condition = Condition(connection, wanted)
            places = connection.execute(
                PLACES.format(condition=condition), [*condition.parameters, EXPORT_ROWS]
            ).fetchall()
        behind = None
        for last in places:
            part = condition.upto(last, behind)
            with self._file.reading() as connection:
                found = connection.sql(
                    f"SELECT {EXPORTED} {FROM} WHERE {part} ORDER BY e.time, e.sensor, sequence",
                    params=part.parameters,
                ).to_arrow_table()
            yield from found.cast(QUERIES).to_batches(EXPORT_ROWS)
            behind = last

    def stats(self, wanted: Filter) -> Stats:
        """Count."""
        with self._file.reading() as connection:
            return duckdb_sums.stats(Chosen(connection, wanted))

    def top(self, wanted: Filter, column: str, limit: int) -> list[Count]:
        """Give the most frequent values of a column."""
        with self._file.reading() as connection:
            return duckdb_sums.top_of(Chosen(connection, wanted), column, limit)

    def summary(self, wanted: Filter, columns: Sequence[str], limit: int) -> Summary:
        """Give `stats` and `top` of several columns."""
        with self._file.reading() as connection:
            return duckdb_sums.summary(Chosen(connection, wanted), columns, limit)

    def span(self) -> tuple[datetime, datetime] | None:
        """Give the times of the first and the last query."""
        with self._file.reading() as connection:
            return duckdb_sums.span(connection)

    def timeline(self, wanted: Filter, step: int, by: str | None) -> list[Slice]:
        """Count by steps of time and by a column."""
        with self._file.reading() as connection:
            return duckdb_sums.timeline(Chosen(connection, wanted), step, by)

    def scores(self, wanted: Filter) -> list[Bin]:
        """Count by score."""
        with self._file.reading() as connection:
            return duckdb_sums.scores(Chosen(connection, wanted))

    def suspects(self, wanted: Filter, limit: int) -> list[Suspect]:
        """Give the registered domains with the most flagged queries, then with the most of all."""
        with self._file.reading() as connection:
            return duckdb_sums.suspects(Chosen(connection, wanted), limit)

    def portrait(self, wanted: Filter, limit: int, flagged: int) -> Portrait:
        """Give what the filter's client, one, asked for, and what of it others did, too."""
        with self._file.reading() as connection:
            return duckdb_sums.portrait(Chosen(connection, wanted), limit, flagged)

    def similar(self, wanted: Filter, domain: str, label: str, limit: int) -> dict[str, int]:
        """Give registered domains that may look like one, and how often each was asked for."""
        with self._file.reading() as connection:
            return duckdb_top.similar(Chosen(connection, wanted), domain, label, limit)

    def names(self, wanted: Filter) -> Iterator[pa.RecordBatch]:
        """Give every name once; each part of them is read in a transaction of its own."""
        with self._file.reading() as connection:
            parts = duckdb_past.parts(connection, wanted)
        for part in range(parts):
            with self._file.reading() as connection:
                found = duckdb_past.names(connection, wanted, part, parts)
            yield from found

    def askers(self, wanted: Filter, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Give who asked for some names."""
        with self._file.reading() as connection:
            found = duckdb_past.askers(connection, wanted, names)
        yield from found

    def sensors(self) -> list[Sensor]:
        """Give every sensor that ever sent something, by name."""
        with self._file.reading() as connection:
            return duckdb_sensors.sensors(connection)

    def runs(self) -> list[tuple[str, Counters]]:
        """Give the newest counters of every run of every sensor."""
        with self._file.reading() as connection:
            return duckdb_sensors.runs(connection)

    # Decisions

    def overrides(self) -> list[Override]:
        """Give every decision, by name."""
        with self._file.reading() as connection:
            return duckdb_decisions.overrides(connection)

    def put_override(self, override: Override, who: str) -> None:
        """Take a decision in place of the one on the same name and client, and record it."""
        with self._lock, self._file.writing() as connection:
            duckdb_decisions.put(connection, override, who)

    def delete_override(self, name: str, client: Network | None, change: Change) -> bool:
        """Take a decision back and record it; False if there is none."""
        with self._lock, self._file.writing() as connection:
            return duckdb_decisions.delete(connection, name, client, change)

    def drop_expired(self, before: datetime, at: datetime, who: str) -> int:
        """Delete the decisions that expired before a time, and record each; how many."""
        if not any(o.expires is not None and o.expires < before for o in self.overrides()):
            return 0
        with self._lock, self._file.writing() as connection:
            return duckdb_decisions.drop_expired(connection, before, at, who)

    def take_over(self, overrides: list[Override], changes: list[Change]) -> int:
        """Take decisions and entries of the record from another store; how many."""
        with self._lock, self._file.writing() as connection:
            return duckdb_decisions.take_over(connection, overrides, changes)

    def changes(self, limit: int) -> list[Change]:
        """Give the latest entries of the record of decisions, newest first."""
        with self._file.reading() as connection:
            return duckdb_decisions.changes(connection, limit)

    # Upkeep

    def begin(self) -> None:
        """Sum up what is there and what comes, by and by."""
        self._upkeep.begin()

    def trim(self, before: datetime | None, most_bytes: int | None) -> int:
        """Take away one small step of what is too old or too much; events taken, 0 if none.

        Raises StoreBusyError where it is too large and always read.
        """
        taken = self._trim_age(before) if before is not None else 0
        most = None if taken else most_bytes
        if not taken and (most is None or self.size().bytes <= most):
            return 0
        # Deleted events take space until a checkpoint: without one, before the size is looked at
        # and after each step, one step would follow another until nothing is left.
        patience = self._patience if most is not None else PATIENCE
        with self._lock, self._file.quiet(patience) as quiet:
            if not quiet or not self._file.checkpoint():
                self._patience = min(self._patience * 2, MOST_PATIENCE)
                if taken:
                    return taken
                raise StoreBusyError(f"{self._file.path} is always being read")
            self._patience = PATIENCE
            if most is not None and self.size().bytes > most:
                taken = self._trim_oldest()
                self._file.checkpoint()
        return taken

    def _trim_age(self, before: datetime) -> int:
        moment = naive(before)
        with self._file.reading() as connection:
            found = connection.execute(
                "SELECT min(rowid) FROM events WHERE time < ?", [moment]
            ).fetchone()
        if found is None or found[0] is None:
            return 0
        return self._delete("time < ? AND rowid < ?", moment, found[0] + STEP_ROWS)

    def _trim_oldest(self) -> int:
        """Take the row group that came first: its space is free at once."""
        with self._file.reading() as connection:
            found = connection.execute("SELECT min(rowid) FROM events").fetchone()
        if found is None or found[0] is None:
            return 0
        group = found[0] // ROW_GROUP + 1
        return self._delete("rowid < ?", group * ROW_GROUP)

    def _delete(self, condition: str, *parameters: datetime | int) -> int:
        with self._lock, self._file.writing() as connection:
            self._upkeep.removing(connection, condition, parameters)
            found = connection.execute(
                f"DELETE FROM events WHERE {condition}",  # noqa: S608 - only our own text
                list(parameters),
            ).fetchone()
        return int(found[0]) if found else 0

    def size(self) -> Size:
        """Measure the blocks in use and the log; freed blocks are used again first."""
        with self._file.reading() as connection:
            found = connection.execute(
                "SELECT block_size, used_blocks FROM pragma_database_size()"
            ).fetchone()
            count = connection.execute("SELECT count(*) FROM events").fetchone()
        log = self._file.path.with_name(f"{FILE}.wal")
        extra = 0
        with contextlib.suppress(OSError):
            extra = log.stat().st_size
        used = found[0] * found[1] if found else 0
        return Size(used + extra, count[0] if count else 0)

    def check(self) -> None:
        """Raise if the store does not answer."""
        with self._file.reading() as connection:
            connection.execute("SELECT 1").fetchone()

    def settle(self) -> None:
        """Make the sums of all that is there now, as it is done by and by otherwise."""
        self._upkeep.settle()

    def close(self) -> None:
        """Write everything into the file and let go of it."""
        self._upkeep.close()
        with self._lock:
            self._file.close()


def _add_sensor(connection: duckdb.DuckDBPyConnection, name: str, number: int) -> int:
    connection.execute("INSERT INTO sensors VALUES (?, ?)", [number, name])
    return number
