"""Rows of the embedded store that sums are made of: events, or what was summed up of them.

`Chosen` is what a filter holds. Its events can be read, those of a narrow filter once for all of a
page's sums; or pieces (`duckdb_pieces`) are added up, and the events beside them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from mlplugin.store import duckdb_often, duckdb_pieces
from mlplugin.store.duckdb_pieces import Range
from mlplugin.store.duckdb_query import BLOCKED, FLAGGED, Condition, naive
from mlplugin.store.once import Once
from mlplugin.store.port import Filter
from mlplugin.verdict import Level

# Up to so many groups of events are kept aside: more take more memory, and then disk, than reading
# them again takes time.
MOST_KEPT = 2_000_000
# What has so few events is kept whatever it is about.
FEW_EVENTS = 200_000
# What has so few is looked for only in those pieces that have some of it.
SELDOM = 100_000
# So many groups have a name and client at most, as a rule.
GROUPS = 4
DIFFERENT = "SELECT approx_count_distinct(qname), approx_count_distinct(client) FROM {rows}"
# What is asked of events of one name, domain or client, for any sum of them.
NARROW = ("client", "qname", "domain_length", "verdict", "threat", "action", "rcode")
# Groups of events, which are read once and kept.
KEPT = """
    CREATE OR REPLACE TEMP TABLE kept AS
    SELECT {columns}, count(*) AS n, min(time) AS first, max(time) AS last, max(score) AS score
    FROM {rows} GROUP BY ALL
"""
# The same where pieces have groups already, many of them again and again; elsewhere of events.
KEPT_OFTEN = """
    CREATE OR REPLACE TEMP TABLE kept AS
    SELECT {columns}, sum(n)::BIGINT AS n, min(first) AS first, max(last) AS last,
        max(score) AS score
    FROM sums_of_often e WHERE {pieces} GROUP BY ALL
    UNION ALL
    SELECT {columns}, count(*) AS n, min(time) AS first, max(time) AS last, max(score) AS score
    FROM events e WHERE {rest} GROUP BY ALL
"""
NAMED = """
    CREATE OR REPLACE TEMP TABLE named AS
    SELECT qname, domain_length, count(*) AS n FROM {rows} GROUP BY qname, domain_length
"""
# What `sums_by_client` has, with what is to be added to it of events.
BY_CLIENT = """
    CREATE OR REPLACE TEMP TABLE by_client AS
    SELECT client, sensor, qtype, rcode, verdict, threat, action, sum(n)::BIGINT AS n,
        min(first) AS first, max(last) AS last, max(score) AS score
    FROM sums_by_client e WHERE {pieces} GROUP BY ALL
    UNION ALL
    SELECT client, sensor, qtype, rcode, verdict, threat, action, count(*), min(time), max(time),
        max(score)
    FROM events e WHERE {rest} GROUP BY ALL
"""
CLIENTS = """
    SELECT client FROM sums_by_client WHERE {pieces}
    UNION
    SELECT client FROM events e WHERE {rest}
"""
COUNTED = """
    (
        SELECT coalesce(sum(n), 0) AS n FROM sums_by_time e WHERE {pieces}
        UNION ALL
        SELECT count(*) FROM events e WHERE {rest}
    )
"""
BY_NAME = """
    (
        SELECT qname, domain_length, {counted} AS n FROM sums_by_name e WHERE {pieces}
        UNION ALL
        SELECT qname, domain_length, count(*) AS n FROM events e WHERE {rest} GROUP BY ALL
    ) e WHERE n > 0
"""
BY_TIME = f"""
    (
        SELECT epoch_us(slot) // {{step}} AS step, {{value}} AS value, sum(n) AS n,
            coalesce(sum(n) FILTER ({FLAGGED}), 0) AS flagged,
            coalesce(sum(n) FILTER ({BLOCKED}), 0) AS blocked
        FROM {{table}} e WHERE {{pieces}} GROUP BY ALL
        UNION ALL
        SELECT epoch_us(time) // {{step}}, {{value}}, count(*), count(*) FILTER ({FLAGGED}),
            count(*) FILTER ({BLOCKED})
        FROM events e WHERE {{rest}} GROUP BY ALL
    ) e WHERE true
"""  # noqa: S608 - only our own text
# What a filter may ask for so that each kind of sums can tell; times and verdicts come beside.
TIMES_KNOWN = frozenset({"threat", "source", "action", "rcode", "qtype", "sensor"})
CLIENTS_KNOWN = TIMES_KNOWN | {"client"}
NAMES_KNOWN = frozenset({"qname", "domain", "domains"})


@dataclass(frozen=True, slots=True)
class Rows:
    """SQL of a table and a condition, with its parameters.

    Attributes:
        summed: whether a row stands for `n` events, from `first` to `last`, and not for one.
    """

    connection: duckdb.DuckDBPyConnection
    text: str
    parameters: list[Any]
    summed: bool = False

    def sql(self, query: str, **parts: object) -> str:
        """Fill in a query that has `{rows}` once, and more conditions behind it at most.

        `{n}`, `{flagged}` and `{blocked}` are counts, `{first}` and `{last}` times.
        """
        return query.format(rows=self.text, **(SUMMED if self.summed else SINGLE), **parts)

    def ask(self, query: str, *parameters: Any, **parts: object) -> list[tuple[Any, ...]]:
        """Run such a query; its own parameters come behind those of the rows."""
        text = self.sql(query, **parts)
        return self.connection.execute(text, [*self.parameters, *parameters]).fetchall()

    def named(self) -> Rows:
        """Count its rows by name, and keep that; what is summed up is so already."""
        if self.summed:
            return self
        self.ask(NAMED)
        return Rows(self.connection, "named e WHERE true", [], summed=True)

    def flagged(self) -> Rows:
        """Those of its rows that are flagged."""
        return replace(self, text=f"{self.text} AND {FLAGGED}")

    def by_names(self, also: str) -> str:
        """SQL of rows with a name, its domain and `n` that fulfil one more condition.

        Of events there is one a name: so the ends of far fewer names are to be cut off.
        """
        rows = f"{self.text} AND {also}"
        columns = "qname, domain_length"
        if self.summed:
            return rows
        return f"(SELECT {columns}, count(*) AS n FROM {rows} GROUP BY {columns})"  # noqa: S608


SINGLE = {
    "n": "count(*)",
    "flagged": f"count(*) FILTER ({FLAGGED})",
    "blocked": f"count(*) FILTER ({BLOCKED})",
    "first": "min(time)",
    "last": "max(time)",
}
SUMMED = {
    "n": "sum(n)::BIGINT",
    "flagged": f"coalesce(sum(n) FILTER ({FLAGGED}), 0)::BIGINT",
    "blocked": f"coalesce(sum(n) FILTER ({BLOCKED}), 0)::BIGINT",
    "first": "min(first)",
    "last": "max(last)",
}


def expression(by: str | None) -> str:
    """SQL of a column that slices of time are counted by."""
    return "NULL" if by is None else by


class Chosen:
    """What a filter holds, at one moment."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, wanted: Filter) -> None:
        self.connection = connection
        self.wanted = wanted
        said = {name: getattr(wanted, name) for name in wanted.__slots__}
        # No level asks for any; but of no domain there is nothing.
        asked = {name for name, value in said.items() if value is not None}
        asked -= {name for name in ("verdicts", "shadow") if not said[name]}
        self._asked = asked - {"since", "until", "verdicts"}
        self._within: Range = (
            None if wanted.since is None else naive(wanted.since),
            None if wanted.until is None else naive(wanted.until),
        )

    @Once
    def cover(self) -> duckdb_pieces.Cover:
        """What of the range is summed up."""
        return duckdb_pieces.cover(duckdb_pieces.read(self.connection), self._within)

    @Once
    def _condition(self) -> Condition:
        """All but the times."""
        timeless = replace(self.wanted, since=None, until=None)
        return Condition(self.connection, timeless, self._clients)

    @Once
    def named(self) -> Condition:
        """What it asks for of names and their domains, where it asks for nothing else."""
        return Condition(self.connection, replace(self.wanted, since=None, until=None, verdicts=()))

    @property
    def any_domain(self) -> bool:
        """Whether it does not ask for registered domains."""
        return self.wanted.domain is None and self.wanted.domains is None

    def _clients(self, condition: Condition) -> list[str]:
        """All clients of its times, at least those of a condition."""
        pieces, _ = self._beside(Condition(self.connection, Filter()), self.cover.leaves)
        rest = self._in(condition, self.cover.rest)
        query, parameters = CLIENTS.format(pieces=pieces, rest=rest), pieces.parameters
        found = self.connection.execute(query, [*parameters, *rest.parameters]).fetchall()
        return [address for (address,) in found]

    @Once
    def count(self) -> int:
        """How many events it has."""
        if self._asked <= TIMES_KNOWN and self.cover.leaves:
            pieces, rest = self._beside(self._condition, self.cover.leaves)
            query = COUNTED.format(pieces=pieces, rest=rest)
            rows = Rows(self.connection, query, [*pieces.parameters, *rest.parameters], summed=True)
        else:
            rows = self.by_client() or self.by_name() or self.events()
        ((count,),) = rows.ask("SELECT coalesce({n}, 0) FROM {rows}")
        return int(count)

    @Once
    def _wide(self) -> Chosen:
        """The same without some domains of a client, which are looked for among few groups."""
        if self.wanted.domains is None or self.wanted.client is None:
            return self
        return Chosen(self.connection, replace(self.wanted, domains=None))

    @Once
    def few(self) -> bool:
        """Whether it has few events, or is about one name, domain or client in few groups."""
        if self._wide is not self:
            return self._wide.few
        client = self.wanted.client
        one = client is not None and client.prefixlen == client.max_prefixlen
        if self.count <= (MOST_KEPT if one or self._about_name else FEW_EVENTS):
            return True
        if not one and not self._about_name:
            return False
        if (telling := self._often(duckdb_often.GROUPS, ())) and self._beside_few(telling):
            return True
        ((names, clients),) = self.events().ask(DIFFERENT)
        return bool(names * clients * GROUPS <= MOST_KEPT)

    def _beside_few(self, telling: Collection[int]) -> bool:
        """Whether few of its events are where there are no groups of what it is about."""
        ((unsummed,),) = self.events(self.cover.rest).ask("SELECT {n} FROM {rows}")
        told = set(telling)
        silent = [piece for piece in self.cover.leaves if piece not in told]
        named = Filter(qname=self.wanted.qname, domain=self.wanted.domain)
        pieces, _ = self._beside(Condition(self.connection, named), silent)
        ((count,),) = self.connection.execute(
            f"SELECT coalesce(sum(n), 0) FROM sums_by_name e WHERE {pieces}",  # noqa: S608
            pieces.parameters,
        ).fetchall()
        return bool(unsummed + count <= MOST_KEPT)

    def _often(self, table: str, columns: Collection[str]) -> list[int]:
        """Those pieces of its cover that have groups of the name or domain that it is about."""
        if not duckdb_often.can_tell(table, self.wanted, self._asked, columns):
            return []
        return duckdb_often.telling(self.connection, table, self.cover.leaves, self.wanted)

    @property
    def _about_name(self) -> bool:
        return self.wanted.domain is not None or self.wanted.qname is not None

    def events(self, ranges: Iterable[Range] | None = None) -> Rows:
        """Give its events, all or those of some ranges in it."""
        condition = self.condition() if ranges is None else self._in(self._condition, ranges)
        return Rows(self.connection, f"events e WHERE {condition}", condition.parameters)

    def condition(self) -> Condition:
        """Give what its events fulfil."""
        return self._in(self._condition, self._ranges)

    @Once
    def _ranges(self) -> Sequence[Range]:
        """The times that its events are of: of a name that is asked for seldom, in few pieces."""
        names = self.by_name() if self._about_name else None
        if names is None or self.count > SELDOM:
            return [self._within]
        pieces, _ = self._beside(self.named, self.cover.leaves)
        found = self.connection.execute(
            f"SELECT DISTINCT piece FROM sums_by_name e WHERE {pieces}",  # noqa: S608
            pieces.parameters,
        ).fetchall()
        having = {piece for (piece,) in found}
        return self._beside_pieces(piece for piece in self.cover.leaves if piece not in having)

    def _beside_pieces(self, numbers: Iterable[int]) -> Sequence[Range]:
        """What of its times some pieces of its cover do not have."""
        these = set(numbers)
        every = duckdb_pieces.read(self.connection)
        return duckdb_pieces.gaps(self._within, [one for one in every if one.id in these])

    def of_pieces(self, numbers: Collection[int]) -> Rows:
        """Give its events that some pieces of its cover have."""
        every = duckdb_pieces.read(self.connection)
        return self.events(duckdb_pieces.joined(one for one in every if one.id in numbers))

    @staticmethod
    def _in(condition: Condition, ranges: Iterable[Range]) -> Condition:
        return condition.also(*duckdb_pieces.within(ranges))

    def kept(self, columns: Collection[str]) -> Rows:
        """Read its events once, and keep what tells them apart by some columns and `NARROW`."""
        listed = dict.fromkeys((*NARROW, *columns))
        if pieces := self._often(duckdb_often.GROUPS, listed):
            having, rest = self._of_often(pieces)
            query = KEPT_OFTEN.format(columns=", ".join(listed), pieces=having, rest=rest)
            self.connection.execute(query, [*having.parameters, *rest.parameters])
            return Rows(self.connection, "kept e WHERE true", [], summed=True)
        self._wide.events().ask(KEPT, columns=", ".join(listed))
        later = Filter() if self._wide is self else Filter(domains=self.wanted.domains)
        condition = Condition(self.connection, later)
        return Rows(self.connection, f"kept e WHERE {condition}", condition.parameters, summed=True)

    def _of_often(self, pieces: list[int]) -> tuple[Condition, Condition]:
        """Conditions of the groups that some pieces have, and of the events beside these."""
        having = self._condition.also("piece IN (SELECT unnest(?::BIGINT[]))", [pieces])
        return having, self._in(self._condition, self._beside_pieces(pieces))

    # Of pieces; None where they do not tell

    def by_client(self) -> Rows | None:
        """Give its sums by client, sensor and what else has few values."""
        if not self._asked <= CLIENTS_KNOWN or not self.cover.leaves:
            return None
        return self._by_client

    @Once
    def _by_client(self) -> Rows:
        pieces, rest = self._beside(self._condition, self.cover.leaves)
        self.connection.execute(
            BY_CLIENT.format(pieces=pieces, rest=rest), [*pieces.parameters, *rest.parameters]
        )
        return Rows(self.connection, "by_client e WHERE true", [], summed=True)

    def by_time(self, step: int, by: str | None) -> Rows | None:
        """Give its sums by steps of so many microseconds and a column."""
        table = "sums_by_time"
        if self._asked <= TIMES_KNOWN and self.cover.leaves:
            pieces, rest = self._beside(self._condition, self.cover.leaves)
        elif telling := self._often(duckdb_often.TIMES, () if by is None else (by,)):
            table = duckdb_often.TIMES
            pieces, rest = self._of_often(telling)
        else:
            return None
        value = expression(by)
        text = BY_TIME.format(table=table, step=step, value=value, pieces=pieces, rest=rest)
        return Rows(self.connection, text, [*pieces.parameters, *rest.parameters], summed=True)

    def by_name(self) -> Rows | None:
        """Give how often each name was asked for, several times each."""
        counted = self.counted()
        if counted is None or not self._asked <= NAMES_KNOWN or not self.cover.leaves:
            return None
        pieces, _ = self._beside(self.named, self.cover.tops)
        _, rest = self._beside(self._condition, ())
        text = BY_NAME.format(counted=counted, pieces=pieces, rest=rest)
        return Rows(self.connection, text, [*pieces.parameters, *rest.parameters], summed=True)

    def asked_verdicts(self) -> str:
        """SQL that a row of `sums_by_asker` has the verdicts that are asked for."""
        return {"n": "true", "flagged": "flagged"}.get(str(self.counted()), "NOT flagged")

    def counted(self) -> str | None:
        """SQL of what `sums_by_name` counts of the verdicts that are asked for."""
        verdicts = frozenset(self.wanted.verdicts) or frozenset(Level)
        return {
            frozenset(Level): "n",
            frozenset({Level.BENIGN}): "n - flagged",
            frozenset(Level) - {Level.BENIGN}: "flagged",
        }.get(verdicts)

    def _beside(self, condition: Condition, pieces: Collection[int]) -> tuple[Condition, Condition]:
        """Conditions of some pieces' sums, and of the events that no piece has."""
        listed = condition.also("piece IN (SELECT unnest(?::BIGINT[]))", [list(pieces)])
        if pieces:
            # Said so, it lets row groups be passed over.
            listed = listed.also("piece BETWEEN ? AND ?", [min(pieces), max(pieces)])
        return listed, self._in(condition, self.cover.rest)
