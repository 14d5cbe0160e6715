"""A filter as SQL for the embedded store, and rows as they come out of it."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import duckdb

from mlplugin.store.port import Filter, Network, Position, Row
from mlplugin.verdict import Level

# The rows of `QUERY_COLUMNS`; the caller names the sensors.
SELECTED = """
    epoch_us(time) AS time, s.name AS sensor, sequence, client, transport, qname,
    CASE WHEN domain_length IS NOT NULL THEN right(qname, domain_length) END AS registered_domain,
    qtype, rcode, answers, duration, verdict, threat, score::DOUBLE AS score, source, model,
    action, reason
"""
# The same for columns of the schema `QUERIES`.
EXPORTED = (
    SELECTED.replace("epoch_us(time) AS time", "e.time AS time")
    .replace("answers,", "coalesce(string_split(answers, ' '), []) AS answers,")
    .replace("duration,", "duration::BIGINT AS duration,")
    .replace("transport,", "transport::VARCHAR AS transport,")
    .replace("verdict, threat,", "verdict::VARCHAR AS verdict, threat::VARCHAR AS threat,")
    .replace("source, model,", "source::VARCHAR AS source, model,")
    .replace("action, reason", "action::VARCHAR AS action, reason")
)
FROM = "FROM events e JOIN sensors s ON s.id = e.sensor"

# The place of every n-th row and of the last, oldest first; parameters of the condition, n.
PLACES = """
    SELECT time, sensor, sequence FROM (
        SELECT time, sensor, sequence, count(*) OVER () AS total,
            row_number() OVER (ORDER BY time, sensor, sequence) AS number
        FROM events e WHERE {condition}
    ) WHERE number % ? = 0 OR number = total ORDER BY number
"""
Place = tuple[datetime, int, int]

BLOCKED = "action <> 'observe'"
FLAGGED = f"verdict <> '{Level.BENIGN}'"


class Condition:
    """The restriction of a filter as SQL with parameters; it is never a text of the user's."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, wanted: Filter) -> None:
        self._parts: list[str] = []
        self.parameters: list[Any] = []
        self._names(wanted)
        for column, value in (
            ("threat", wanted.threat),
            ("action", wanted.action),
            ("rcode", wanted.rcode),
            ("qtype", wanted.qtype),
        ):
            if value is not None:
                self._add(f"{column} = ?", str(value))
        if wanted.verdicts:
            marks = ", ".join("?" for _ in wanted.verdicts)
            self._add(f"verdict IN ({marks})", *map(str, wanted.verdicts))
        if wanted.since is not None:
            self._add("time >= ?", naive(wanted.since))
        if wanted.until is not None:
            self._add("time < ?", naive(wanted.until))
        if wanted.sensor is not None:
            self._add("e.sensor = (SELECT id FROM sensors WHERE name = ?)", wanted.sensor)
        if wanted.client is not None:
            self._clients(connection, wanted.client)

    def _add(self, part: str, *parameters: Any) -> None:
        self._parts.append(part)
        self.parameters += parameters

    def _names(self, wanted: Filter) -> None:
        if wanted.qname is not None:
            if "*" in wanted.qname:
                # In a name a backslash stands for itself, so that LIKE gets another escape.
                pattern = wanted.qname.replace("!", "!!").replace("%", "!%").replace("_", "!_")
                self._add("qname LIKE ? ESCAPE '!'", pattern.replace("*", "%"))
            else:
                self._add("qname = ?", wanted.qname)
        if wanted.domain is not None:
            self._add(
                "domain_length = ? AND (qname = ? OR suffix(qname, ?))",
                len(wanted.domain),
                wanted.domain,
                f".{wanted.domain}",
            )

    def _clients(self, connection: duckdb.DuckDBPyConnection, client: Network) -> None:
        if client.prefixlen == client.max_prefixlen:
            self._add("client = ?", str(client.network_address))
            return
        # There are few clients beside their queries: the subnet is looked up among them.
        distinct = connection.execute(
            f"SELECT DISTINCT client FROM events e WHERE {self}",  # noqa: S608 - only our own text
            self.parameters,
        ).fetchall()
        inside = [address for (address,) in distinct if _address(address) in client]
        self._add("client IN (SELECT unnest(?::VARCHAR[]))", inside)

    def behind(self, position: Position, sensor: int) -> None:
        """Restrict to what comes behind a position, newest first."""
        moment = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
        self._add(
            "time <= ?::TIMESTAMP + to_microseconds(?) "
            "AND (epoch_us(time), e.sensor, sequence) < (?, ?, ?)",
            moment,
            position.time,
            position.time,
            sensor,
            position.sequence,
        )

    def upto(self, last: Place, behind: Place | None) -> Condition:
        """The same, restricted to what comes behind one place, oldest first, and up to another."""
        part = copy.copy(self)
        part._parts, part.parameters = [*self._parts], [*self.parameters]
        # What is said of the time alone is what whole row groups are passed over by. DuckDB joins
        # two comparisons of one tuple to a BETWEEN that it does not know: they are written out.
        for sign, place in ((">", behind), ("<", last)):
            if place is None:
                continue
            time, sensor, sequence = place
            last_sign = "<=" if sign == "<" else sign
            part._add(f"time {sign}= ?", time)
            part._add(
                f"(time {sign} ? OR e.sensor {sign} ? OR e.sensor = ? AND sequence {last_sign} ?)",
                time,
                sensor,
                sensor,
                sequence,
            )
        return part

    def __str__(self) -> str:
        return " AND ".join(self._parts) or "true"


@functools.lru_cache(maxsize=65536)
def _address(text: str) -> Any:
    return ip_address(text)


def naive(moment: datetime) -> datetime:
    """A time as the store's columns have it: UTC, unsaid."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def aware(moment: datetime | None) -> datetime | None:
    """A time of the store's columns with its zone said."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """A time from microseconds since 1970 UTC."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def rows(columns: Iterable[str], found: Iterable[tuple[Any, ...]]) -> list[Row]:
    """Rows as objects: times with their zone, answers apart."""
    names = tuple(columns)
    made = [dict(zip(names, values, strict=True)) for values in found]
    for row in made:
        row["time"] = moment(row["time"])
        row["answers"] = row["answers"].split(" ") if row["answers"] else []
    return made
