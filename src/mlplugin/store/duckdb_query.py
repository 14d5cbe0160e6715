"""A filter as SQL for the embedded store, and rows as they come out of it."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import duckdb

from mlplugin.store.port import OBSERVE, Filter, Network, Order, Position, Row
from mlplugin.verdict import Level

# The rows of `QUERY_COLUMNS`; the caller names the sensors.
SELECTED = """
    epoch_us(time) AS time, s.name AS sensor, sequence, client, transport, qname,
    CASE WHEN domain_length IS NOT NULL THEN right(qname, domain_length) END AS registered_domain,
    qtype, rcode, answers, duration, verdict, threat, score::DOUBLE AS score, source, model,
    action, reason, shadow_verdict, shadow_score::DOUBLE AS shadow_score, shadow_model
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
    .replace("shadow_verdict,", "shadow_verdict::VARCHAR AS shadow_verdict,")
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
EPOCH, MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)

FLAGGED = f"verdict <> '{Level.BENIGN}'"
BLOCKED = f"action <> '{OBSERVE}'"

# Up to so many clients of a subnet are compared one by one.
MOST_LISTED = 1000
# Said so, it is told of each row by itself: DuckDB makes any other list of values a join, before
# which it does not look at the newest rows first.
ONE_OF = "CASE WHEN list_contains(?::VARCHAR[], client) THEN true ELSE false END"

# What an order sorts by before time, sensor and sequence.
FIRST = {Order.SCORE: "score", Order.DURATION: "coalesce(duration::BIGINT, -1)"}


class Condition:
    """The restriction of a filter as SQL with parameters; it is never a text of the user's."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        wanted: Filter,
        clients: Callable[[Condition], Iterable[str]] | None = None,
    ) -> None:
        """Make it.

        Args:
            connection: reads.
            wanted: the filter.
            clients: gives the clients that a subnet is looked up among, of what the rest of the
                filter holds at least; without, they are read from the events.
        """
        self._parts: list[str] = []
        self.parameters: list[Any] = []
        self._names(wanted)
        for column, value in (
            ("threat", wanted.threat),
            ("source", wanted.source),
            ("action", wanted.action),
            ("rcode", wanted.rcode),
            ("qtype", wanted.qtype),
            ("shadow_model", wanted.shadow_model),
        ):
            if value is not None:
                self._add(f"{column} = ?", str(value))
        self._levels("verdict", wanted.verdicts)
        self._levels("shadow_verdict", wanted.shadow)
        if wanted.min_score is not None:
            self._add("score >= ?::DECIMAL(3, 1)", wanted.min_score)
        if wanted.max_score is not None:
            self._add("score <= ?::DECIMAL(3, 1)", wanted.max_score)
        if wanted.since is not None:
            self._add("time >= ?", naive(wanted.since))
        if wanted.until is not None:
            self._add("time < ?", naive(wanted.until))
        if wanted.sensor is not None:
            self._add("e.sensor = (SELECT id FROM sensors WHERE name = ?)", wanted.sensor)
        if wanted.client is not None:
            among = clients or functools.partial(_clients, connection)
            self._client(wanted.client, among)

    def _add(self, part: str, *parameters: Any) -> None:
        self._parts.append(part)
        self.parameters += parameters

    def _levels(self, column: str, levels: tuple[Level, ...]) -> None:
        if levels:
            marks = ", ".join("?" for _ in levels)
            self._add(f"{column} IN ({marks})", *map(str, levels))

    def _names(self, wanted: Filter) -> None:
        if wanted.qname is not None:
            if "*" in wanted.qname:
                self._pattern(wanted.qname)
            else:
                self._add("qname = ?", wanted.qname)
        if wanted.domain is not None:
            self._add(
                "domain_length = ? AND (qname = ? OR suffix(qname, ?))",
                len(wanted.domain),
                wanted.domain,
                f".{wanted.domain}",
            )
        if wanted.domains is not None:
            # Lengths first: they are compared faster than ends of names are cut off.
            self._add(
                "domain_length IN (SELECT unnest(?::USMALLINT[])) "
                "AND right(qname, domain_length) IN (SELECT unnest(?::VARCHAR[]))",
                sorted({len(domain) for domain in wanted.domains}),
                list(wanted.domains),
            )

    def _pattern(self, pattern: str) -> None:
        """Restrict to the names of a pattern: by their ends where that says it, as LIKE is slow."""
        first, *between, last = pattern.split("*")
        inner = [part for part in between if part]
        if len(inner) > 1 or (inner and (first or last)):
            # In a name a backslash stands for itself, so that LIKE gets another escape.
            escaped = pattern.replace("!", "!!").replace("%", "!%").replace("_", "!_")
            self._add("qname LIKE ? ESCAPE '!'", escaped.replace("*", "%"))
            return
        for function, part in (
            ("starts_with", first), ("suffix", last), ("contains", "".join(inner)),
        ):  # fmt: skip
            if part:
                self._add(f"{function}(qname, ?)", part)
        if first and last:
            self._add("length(qname) >= ?", len(first) + len(last))

    def _client(self, client: Network, clients: Callable[[Condition], Iterable[str]]) -> None:
        if client.prefixlen == client.max_prefixlen:
            self._add("client = ?", str(client.network_address))
            return
        # There are few clients beside their queries: the subnet is looked up among them.
        inside = [address for address in clients(self) if _address(address) in client]
        listed = len(inside) <= MOST_LISTED
        self._add(ONE_OF if listed else "client IN (SELECT unnest(?::VARCHAR[]))", inside)

    def behind(self, position: Position, sensor: int, order: Order) -> None:
        """Restrict to what comes behind a position in an order."""
        place = [position.time, sensor, position.sequence]
        sign = ">" if order is Order.OLDEST else "<"
        # Said of one column by itself, it lets whole row groups be passed over.
        if order in FIRST:
            first = FIRST[order]
            value = f"?::{'DECIMAL(3, 1)' if order is Order.SCORE else 'BIGINT'}"
            self._add(f"{first} <= {value}", position.value)
            self._add(
                f"({first} < {value} OR (epoch_us(time), e.sensor, sequence) < (?, ?, ?))",
                position.value,
                *place,
            )
            return
        self._add(
            f"time {sign}= ?::TIMESTAMP + to_microseconds(?) "
            f"AND (epoch_us(time), e.sensor, sequence) {sign} (?, ?, ?)",
            naive(EPOCH),
            position.time,
            *place,
        )

    def also(self, part: str, parameters: Iterable[Any]) -> Condition:
        """The same, and a part more."""
        found = copy.copy(self)
        found._parts, found.parameters = [*self._parts], [*self.parameters]
        found._add(part, *parameters)
        return found

    def upto(self, last: Place, behind: Place | None) -> Condition:
        """The same, restricted to what comes behind one place, oldest first, and up to another."""
        part = self.also("true", ())
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


def _clients(connection: duckdb.DuckDBPyConnection, condition: Condition) -> list[str]:
    found = connection.execute(
        f"SELECT DISTINCT client FROM events e WHERE {condition}",  # noqa: S608 - only our own text
        condition.parameters,
    ).fetchall()
    return [address for (address,) in found]


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


def sorting(order: Order, table: str = "") -> str:
    """An order as SQL; `table` is the alias whose columns are meant, with its dot."""
    down = "" if order is Order.OLDEST else " DESC"
    columns = [f"{table}{column}{down}" for column in ("time", "sensor", "sequence")]
    if order in FIRST:
        columns.insert(0, f"{FIRST[order]}{down}")
    return f"ORDER BY {', '.join(columns)}"


def place_of(row: Row, order: Order) -> Position:
    """The place of a row in an order."""
    value = None
    if order is Order.SCORE:
        value = row["score"]
    elif order is Order.DURATION:
        value = -1 if row["duration"] is None else row["duration"]
    time = (row["time"] - EPOCH) // MICROSECOND
    return Position(time, row["sensor"], row["sequence"], value)
