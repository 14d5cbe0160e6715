"""The embedded store: one DuckDB file, one machine."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from mlplugin.store import duckdb_decisions
from mlplugin.store.duckdb_file import DuckDBFile
from mlplugin.store.duckdb_query import (
    BLOCKED,
    EXPORTED,
    FLAGGED,
    FROM,
    PLACES,
    SELECTED,
    Condition,
    aware,
    naive,
    rows,
)
from mlplugin.store.port import (
    QUERIES,
    QUERY_COLUMNS,
    Appended,
    Change,
    Count,
    Counters,
    Filter,
    Network,
    Override,
    Page,
    Position,
    Sensor,
    Size,
    Stats,
)
from mlplugin.store.sequences import Growth, Intervals

FILE = "history.duckdb"
ORDER = "ORDER BY time DESC, sensor DESC, sequence DESC"

# A step of retention: short enough that ingestion does not notice.
STEP_ROWS = 500_000
# A row group of DuckDB; space is freed in such pieces.
ROW_GROUP = 122_880
EXPORT_ROWS = 50_000
# How long retention waits for readers (seconds), new ones and writers held off meanwhile; it
# doubles each time that there was always one.
PATIENCE, MOST_PATIENCE = 0.25, 8.0

INSERT = """
    INSERT INTO events
    SELECT make_timestamp(time), ?, sequence, client, transport, qname,
        length(registered_domain), qtype, rcode, nullif(answers, ''), duration, verdict, threat,
        coalesce(score, 0), source, model, coalesce(action, 'observe'), reason
    FROM batch
"""


class DuckDBStore:
    """The port's methods on a DuckDB file, `history.duckdb` in the data directory.

    Any number of threads may use it; one writes at a time.
    """

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
                with self._file.writing() as connection:
                    if number is None:
                        number = _add_sensor(connection, sensor, len(self._sensors))
                    if growth is not None:
                        _insert(connection, number, new)
                        _keep_growth(connection, number, stored, growth)
                    if counters is not None:
                        _keep_counters(connection, number, counters)
            except BaseException:
                self._stored.pop(sensor, None)  # whatever came of it, the file knows
                raise
            self._sensors[sensor] = number
            if growth is None:
                return Appended(0, events.num_rows)
            stored.grow(growth)
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

    def search(self, wanted: Filter, limit: int, after: Position | None = None) -> Page:
        """Give a page of at most `limit` rows, newest first."""
        with self._file.reading() as connection:
            condition = Condition(connection, wanted)
            total = _number(connection, f"SELECT count(*) FROM events e WHERE {condition}",  # noqa: S608
                            condition)  # fmt: skip
            if after is not None:
                condition.behind(after, self._sensors.get(after.sensor, -1))
            found = connection.execute(
                f"SELECT {SELECTED} FROM (SELECT e.* FROM events e WHERE {condition} {ORDER} "  # noqa: S608
                f"LIMIT {limit + 1}) e JOIN sensors s ON s.id = e.sensor "
                "ORDER BY e.time DESC, e.sensor DESC, e.sequence DESC",
                condition.parameters,
            ).fetchall()
        position = None
        if len(found) > limit:
            found = found[:limit]
            time, sensor, sequence = found[-1][:3]
            position = Position(time, sensor, sequence)
        return Page(rows(QUERY_COLUMNS, found), total, position)

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
            condition = Condition(connection, wanted)
            found = connection.execute(
                f"SELECT count(*), count(*) FILTER ({FLAGGED}), count(*) FILTER ({BLOCKED}), "  # noqa: S608
                "count(DISTINCT client), count(DISTINCT qname), min(time), max(time) "
                f"FROM events e WHERE {condition}",
                condition.parameters,
            ).fetchone()
            if found is None:
                return Stats()
            groups = [
                dict(
                    connection.execute(
                        f"SELECT {column}, count(*) FROM events e "  # noqa: S608
                        f"WHERE {condition} AND {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1",
                        condition.parameters,
                    ).fetchall()
                )
                for column in ("verdict", "threat", "action")
            ]
        queries, flagged, blocked, clients, names, first, last = found
        return Stats(queries, flagged, blocked, clients, names, aware(first), aware(last), *groups)

    def top(self, wanted: Filter, column: str, limit: int) -> list[Count]:
        """Give the most frequent values of `qname`, `registered_domain` or `client`."""
        value = {
            "qname": "qname",
            "client": "client",
            "registered_domain": "right(qname, domain_length)",
        }[column]
        with self._file.reading() as connection:
            condition = Condition(connection, wanted)
            found = connection.execute(
                f"SELECT {value} AS value, count(*), count(*) FILTER ({FLAGGED}) FROM events e "  # noqa: S608
                f"WHERE {condition} AND {value} IS NOT NULL "
                "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?",
                [*condition.parameters, limit],
            ).fetchall()
        return [Count(*row) for row in found]

    def sensors(self) -> list[Sensor]:
        """Give every sensor that ever sent something, by name."""
        with self._file.reading() as connection:
            found = connection.execute(
                "SELECT name, (SELECT coalesce(sum(last - first + 1), 0)::BIGINT FROM sequences "
                "WHERE sensor = id), (SELECT coalesce(sum(served), 0)::BIGINT FROM counters "
                "WHERE sensor = id), (SELECT list(dropped) FROM counters WHERE sensor = id) "
                "FROM sensors ORDER BY name"
            ).fetchall()
        sensors = []
        for name, stored, served, texts in found:
            dropped: dict[str, int] = {}
            for text in texts or ():
                for reason, count in json.loads(text).items():
                    dropped[reason] = dropped.get(reason, 0) + count
            sensors.append(Sensor(name, stored, served, dropped))
        return sensors

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

    def changes(self, limit: int) -> list[Change]:
        """Give the latest entries of the record of decisions, newest first."""
        with self._file.reading() as connection:
            return duckdb_decisions.changes(connection, limit)

    # Upkeep

    def trim(self, before: datetime | None, most_bytes: int | None) -> int:
        """Take away one small step of what is too old or too much; events taken, 0 if none."""
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
                return taken
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

    def close(self) -> None:
        """Write everything into the file and let go of it."""
        with self._lock:
            self._file.close()


def _number(connection: duckdb.DuckDBPyConnection, query: str, condition: Condition) -> int:
    found = connection.execute(query, condition.parameters).fetchone()
    return int(found[0]) if found else 0


def _add_sensor(connection: duckdb.DuckDBPyConnection, name: str, number: int) -> int:
    connection.execute("INSERT INTO sensors VALUES (?, ?)", [number, name])
    return number


def _insert(connection: duckdb.DuckDBPyConnection, sensor: int, events: pa.Table) -> None:
    connection.register("batch", events)
    try:
        connection.execute(INSERT, [sensor])
    finally:
        connection.unregister("batch")


def _keep_growth(
    connection: duckdb.DuckDBPyConnection, sensor: int, stored: Intervals, growth: Growth
) -> None:
    """Put the intervals in place of those that they cover; mostly one grows at its end."""
    first, last = growth.first.tolist(), growth.last.tolist()
    if growth.high - growth.low == 1 and len(first) == 1 and first[0] == stored.first[growth.low]:
        connection.execute(
            "UPDATE sequences SET last = ? WHERE sensor = ? AND first = ?",
            [last[0], sensor, first[0]],
        )
        return
    if growth.high > growth.low:
        connection.execute(
            "DELETE FROM sequences WHERE sensor = ? AND first BETWEEN ? AND ?",
            [sensor, int(stored.first[growth.low]), int(stored.first[growth.high - 1])],
        )
    connection.execute(
        "INSERT INTO sequences SELECT ?, unnest(?::BIGINT[]), unnest(?::BIGINT[])",
        [sensor, first, last],
    )


def _keep_counters(connection: duckdb.DuckDBPyConnection, sensor: int, counters: Counters) -> None:
    """Keep the newest of a run: the one with the most served."""
    run = [sensor, counters.started]
    found = connection.execute(
        "SELECT served FROM counters WHERE sensor = ? AND started = ?", run
    ).fetchone()
    dropped = json.dumps(dict(counters.dropped))
    if found is None:
        connection.execute("INSERT INTO counters VALUES (?, ?, ?, ?)",
                           [*run, counters.served, dropped])  # fmt: skip
    elif counters.served >= found[0]:
        connection.execute(
            "UPDATE counters SET served = ?, dropped = ? WHERE sensor = ? AND started = ?",
            [counters.served, dropped, *run],
        )
