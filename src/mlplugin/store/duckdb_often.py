"""Sums beforehand of names that are asked for often: all that a page about one of them asks.

A unit is a registered domain with all of its names, or a name that had none. Of each piece the
events of a unit are summed up into groups, which is far less to read where the same clients ask
the same again and again; of one whose groups would be nearly as many as its events nothing is
kept. Whether a piece tells of a unit is seen by its rows: it has all of them, or none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import duckdb

from mlplugin.store.duckdb_query import Condition
from mlplugin.store.port import Filter

# A group stands for so many events of its unit at least, on average.
LEAST_EVENTS = 16
GROUPS, TIMES = "sums_of_often", "times_of_often"
# What events of a unit are told apart by.
COLUMNS = (
    "client", "qname", "domain_length", "verdict", "threat", "action", "rcode", "answers",
)  # fmt: skip
SLICED = ("verdict", "threat", "action")
# What a filter may ask for so that the groups can tell; times and verdicts come beside.
KNOWN = {
    GROUPS: frozenset({"qname", "domain", "client", "threat", "action", "rcode"}),
    TIMES: frozenset({"qname", "domain", "threat", "action"}),
}
UNIT = "domain_length IS NOT NULL AS domain, coalesce(right(qname, domain_length), qname) AS value"

# `often_names` has what is asked for often, and all names of such domains.
OFTEN = "SELECT true, value FROM often_domains UNION ALL SELECT false, qname FROM often_names"
GROUPED = f"""
    CREATE OR REPLACE TEMP TABLE grouped AS
    SELECT {UNIT}, {", ".join(COLUMNS)}, count(*) AS n, min(time) AS first, max(time) AS last,
        max(score) AS score
    FROM events WHERE {{within}} AND qname IN (SELECT qname FROM often_names) GROUP BY ALL
"""  # noqa: S608 - only our own text
SLOTS = f"""
    CREATE OR REPLACE TEMP TABLE slots AS
    SELECT {UNIT}, qname, domain_length, time_bucket(INTERVAL {{slot}} SECOND, time) AS slot,
        {", ".join(SLICED)}, count(*) AS n
    FROM events WHERE {{within}} AND qname IN (SELECT qname FROM often_names) GROUP BY ALL
"""  # noqa: S608 - only our own text
KEEP = f"""
    INSERT INTO {{table}} SELECT ?, * FROM {{made}} WHERE (domain, value) IN (
        SELECT (domain, value) FROM {{made}} WHERE (domain, value) IN ({OFTEN})
        GROUP BY domain, value HAVING count(*) * {{least}} <= sum(n)
    )
"""  # noqa: S608 - only our own text
TOLD = """
    SELECT DISTINCT piece, domain, value FROM {table} e
    WHERE piece IN (SELECT unnest(?::BIGINT[])) AND {named}
"""
# Which units some names are of, by piece.
ASKED = f"""
    SELECT DISTINCT piece, {UNIT} FROM sums_by_name e
    WHERE piece IN (SELECT unnest(?::BIGINT[])) AND {{named}}
"""  # noqa: S608 - only our own text


def sum_up(
    connection: duckdb.DuckDBPyConnection, piece: int, within: tuple[str, list[datetime]], slot: int
) -> None:
    """Keep the groups of a piece, and leave all of them in a temporary table, `grouped`.

    Those of what is asked for often are there.

    Args:
        connection: writes.
        piece: its number.
        within: SQL of its stretch of time, and its parameters.
        slot: the finest step of the sums by time (seconds).
    """
    text, bounds = within
    for table, made, query in ((GROUPS, "grouped", GROUPED), (TIMES, "slots", SLOTS)):
        connection.execute(query.format(within=text, slot=slot), bounds)
        keep = KEEP.format(table=table, made=made, least=LEAST_EVENTS)
        connection.execute(keep, [piece])


def can_tell(table: str, wanted: Filter, asked: Collection[str], columns: Collection[str]) -> bool:
    """Whether the groups know what a filter asks for, about one name or domain, and the columns."""
    if "*" in (wanted.qname or "") or (wanted.qname is None and wanted.domain is None):
        return False
    known = COLUMNS if table == GROUPS else SLICED
    return set(asked) <= KNOWN[table] and set(columns) <= set(known)


def telling(
    connection: duckdb.DuckDBPyConnection, table: str, pieces: Sequence[int], wanted: Filter
) -> list[int]:
    """Give those pieces that tell all of a name or domain, and none of it where there is none.

    Args:
        connection: reads.
        table: `GROUPS` or `TIMES`.
        pieces: of level 0.
        wanted: the filter, which can be told.
    """
    numbers = list(pieces)
    named = Condition(connection, Filter(qname=wanted.qname, domain=wanted.domain))
    query = TOLD.format(table=table, named=named)
    told = set(connection.execute(query, [numbers, *named.parameters]).fetchall())
    if not told:
        return []
    left = numbers
    if wanted.qname is None:  # all names of a domain are of one unit
        left = [piece for piece in numbers if (piece, True, wanted.domain) not in told]
    asked: list[tuple[Any, ...]] = []
    if left:
        query = ASKED.format(named=named)
        asked = connection.execute(query, [left, *named.parameters]).fetchall()
    silent = {row[0] for row in asked if row not in told}
    return [piece for piece in numbers if piece not in silent]
