"""What is known of each sensor, in the embedded store: taken sequences, counters by run."""

from __future__ import annotations

import json

import duckdb

from mlplugin.store.duckdb_append import Appending
from mlplugin.store.port import Counters, Sensor
from mlplugin.store.sequences import Growth, Intervals


def sensors(connection: duckdb.DuckDBPyConnection) -> list[Sensor]:
    """Read every sensor that ever sent something, by name."""
    found = connection.execute(
        "SELECT name, (SELECT coalesce(sum(last - first + 1), 0)::BIGINT FROM sequences "
        "WHERE sensor = id), (SELECT coalesce(sum(served), 0)::BIGINT FROM counters "
        "WHERE sensor = id), (SELECT list(dropped) FROM counters WHERE sensor = id) "
        "FROM sensors ORDER BY name"
    ).fetchall()
    made = []
    for name, stored, served, texts in found:
        dropped: dict[str, int] = {}
        for text in texts or ():
            for reason, count in json.loads(text).items():
                dropped[reason] = dropped.get(reason, 0) + count
        made.append(Sensor(name, stored, served, dropped))
    return made


def runs(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, Counters]]:
    """Read the newest counters of every run of every sensor."""
    found = connection.execute(
        "SELECT name, started, served, dropped FROM counters JOIN sensors ON sensor = id "
        "ORDER BY name, started"
    ).fetchall()
    return [
        (name, Counters(started, served, json.loads(dropped)))
        for name, started, served, dropped in found
    ]


def keep_growth(appending: Appending, sensor: int, stored: Intervals, growth: Growth) -> None:
    """Put the intervals in place of those that they cover; mostly one grows at its end."""
    first, last = growth.first.tolist(), growth.last.tolist()
    if growth.high - growth.low == 1 and len(first) == 1 and first[0] == stored.first[growth.low]:
        appending.execute(
            "UPDATE sequences SET last = ? WHERE sensor = ? AND first = ?",
            [last[0], sensor, first[0]],
        )
        return
    if growth.high > growth.low:
        appending.execute(
            "DELETE FROM sequences WHERE sensor = ? AND first BETWEEN ? AND ?",
            [sensor, int(stored.first[growth.low]), int(stored.first[growth.high - 1])],
        )
    appending.execute(
        "INSERT INTO sequences SELECT ?, unnest(?::BIGINT[]), unnest(?::BIGINT[])",
        [sensor, first, last],
    )


def keep_counters(appending: Appending, sensor: int, counters: Counters) -> None:
    """Keep the newest of a run: the one with the most served."""
    run = [sensor, counters.started]
    dropped = json.dumps(dict(counters.dropped))
    # Mostly they are newer than those that are there, which then need not be read.
    done = appending.execute(
        "UPDATE counters SET served = ?, dropped = ? "
        "WHERE sensor = ? AND started = ? AND served <= ?",
        [counters.served, dropped, *run, counters.served],
    ).fetchone()
    if done == (0,):
        appending.execute(
            "INSERT INTO counters SELECT $1, $2, $3, $4 WHERE NOT EXISTS "
            "(FROM counters WHERE sensor = $1 AND started = $2)",
            [*run, counters.served, dropped],
        )
