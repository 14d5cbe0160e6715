"""The most frequent values of a column of the embedded store's history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mlplugin.store.duckdb_query import aware
from mlplugin.store.duckdb_rows import Chosen, Rows
from mlplugin.store.sums import Count

# Up to so many values are compared one by one, which is quicker than a join.
MOST_COMPARED = 100

DOMAIN = "right(qname, domain_length)"
APART = "string_split(answers, ' ')"
# Of each column: what its values come out of, and how. Where rows have been summed up by the
# former and by client, there are few left to do more with.
COLUMNS = {
    "qname": ("qname", "qname"),
    "registered_domain": ("qname, domain_length", DOMAIN),
    "client": ("client", "client"),
    "answer": ("answers", f"unnest(list_distinct({APART}))"),
    "qtype": ("qtype", "qtype"),
    "rcode": ("rcode", "rcode"),
    "threat": ("threat", "threat::VARCHAR"),
    "sensor": ("sensor", "(SELECT name FROM sensors WHERE id = sensor)"),
    "shadow_model": ("shadow_model", "shadow_model"),
}
# There are so few of their values that all are summed up.
FEW = frozenset({"qtype", "rcode", "threat", "sensor", "shadow_model"})
# What sums by client know of.
OF_CLIENTS = frozenset({"client", "qtype", "rcode", "threat", "sensor"})

# By value and who asked for it; of this there is one row a value in the end.
BY_VALUE = """
    SELECT {value} AS value, asker, n, flagged, blocked, first, last, score FROM (
        SELECT {columns}, client AS asker, {n} AS n, {flagged} AS flagged, {blocked} AS blocked,
            {first} AS first, {last} AS last, max(score) AS score
        FROM {rows} AND {inside} GROUP BY ALL
    )
"""
SUMMED = """
    SELECT value, sum(n)::BIGINT, sum(flagged)::BIGINT, sum(blocked)::BIGINT,
        count(DISTINCT asker), min(first), max(last), max(score)::DOUBLE
    FROM ({}) WHERE value IS NOT NULL GROUP BY 1
"""
FREQUENT = """
    SELECT value FROM (
        SELECT {value} AS value, n FROM (SELECT {columns}, {n} AS n FROM {rows} GROUP BY ALL)
    ) WHERE value IS NOT NULL GROUP BY 1 ORDER BY sum(n) DESC, 1 LIMIT {limit}
"""
# Answers are taken apart once for each text of them, not for each query.
JOINED = """
    CREATE OR REPLACE TEMP TABLE joined AS
    SELECT answers, {n} AS n FROM {rows} AND answers IS NOT NULL GROUP BY answers
"""
# Names are counted first, by which the ends of far fewer are cut off.
DOMAINS = """
    SELECT value FROM (
        SELECT {value} AS value, sum(n) AS n FROM (
            SELECT qname, domain_length, {n} AS n FROM {rows} AND domain_length IS NOT NULL
            GROUP BY ALL
        ) GROUP BY 1
    ) WHERE {wanted} ORDER BY n DESC, value LIMIT {limit}
"""
# Those of some domains.
NAMES = """
    SELECT DISTINCT qname FROM (
        SELECT qname, domain_length FROM {rows} AND domain_length IS NOT NULL GROUP BY ALL
    ) WHERE {inside}
"""
# Pieces that say who asked for all of the values.
TOLD = """
    SELECT piece FROM sums_by_asker
    WHERE piece IN (SELECT unnest(?::BIGINT[])) AND domain = ? AND {inside}
    GROUP BY piece HAVING count(DISTINCT value) = ?
"""
ASKED = """
    SELECT value, client AS asker, n, CASE WHEN flagged THEN n ELSE 0 END AS flagged, blocked,
        first, last, score
    FROM sums_by_asker
    WHERE piece IN (SELECT unnest(?::BIGINT[])) AND domain = ? AND {inside} AND {verdicts}
"""


def top(chosen: Chosen, column: str, limit: int, kept: Rows | None = None) -> list[Count]:
    """Give the most frequent values of a column, by frequency and then by value.

    Args:
        chosen: the filter.
        column: one of `COLUMNS`.
        limit: so many at most.
        kept: what is kept of its events, if they are few.
    """
    if column in OF_CLIENTS:
        kept = kept or chosen.by_client()
    rows = kept or chosen.events()
    if column in FEW:
        return _counts(rows, column)[:limit]
    if column == "answer":
        return _answers(rows, limit)
    if column == "client":
        return _of(rows, column, [value for (value,) in rows.ask(
            FREQUENT, value="client", columns="client", limit=int(limit))])  # fmt: skip
    names = None if kept is not None else chosen.by_name()
    if column == "registered_domain":
        values = _frequent_domains(names or rows, "true", [], limit)
    else:
        values = [value for (value,) in (names or rows).ask(
            FREQUENT, value=column, columns=column, limit=int(limit))]  # fmt: skip
    return _of(rows, column, values) if names is None else _added_up(chosen, column, values)


def similar(chosen: Chosen, domain: str, label: str, limit: int) -> list[Count]:
    """Give registered domains that may look like one."""
    wanted = """
        value <> ? AND (
            starts_with(value, ?) OR starts_with(value, 'xn--')
            OR length(value) BETWEEN ? AND ? AND damerau_levenshtein(value, ?) <= 2
        )
    """
    parameters = [domain, f"{label}.", len(domain) - 2, len(domain) + 2, domain]
    names, column = chosen.by_name(), "registered_domain"
    values = _frequent_domains(names or chosen.events(), wanted, parameters, limit)
    return _of(chosen.events(), column, values) if names is None else _added_up(
        chosen, column, values
    )  # fmt: skip


def _frequent_domains(rows: Rows, wanted: str, parameters: Sequence[Any], limit: int) -> list[str]:
    """The most frequent registered domains for which a condition holds."""
    found = rows.ask(DOMAINS, *parameters, value=DOMAIN, wanted=wanted, limit=int(limit))
    return [value for (value,) in found]


def _of(rows: Rows, column: str, values: list[str]) -> list[Count]:
    """Count some values of a column."""
    return _counts(rows, column, *_inside(rows, column, values), values) if values else []


def _inside(rows: Rows, column: str, values: list[str]) -> tuple[str, list[Any]]:
    """A condition on what rows with some values fulfil, and few others."""
    if column != "registered_domain":
        return _in(column, values)
    inside, among = _in(DOMAIN, values)
    return _in("qname", [name for (name,) in rows.ask(NAMES, *among, inside=inside)])


def _added_up(chosen: Chosen, column: str, values: list[str]) -> list[Count]:
    """Count some names or registered domains by who asked for them.

    A piece where one of them was asked for too seldom is read anew.
    """
    if not values:
        return []
    leaves, domain = chosen.cover.leaves, column == "registered_domain"
    inside, among = _in("value", values)
    told = chosen.connection.execute(
        TOLD.format(inside=inside), [list(leaves), domain, *among, len(values)]
    ).fetchall()
    pieces = [piece for (piece,) in told]
    rows = chosen.beside(pieces)
    columns, value = COLUMNS[column]
    within, those = _inside(rows, column, values)
    read = rows.sql(BY_VALUE, columns=columns, value=value, inside=within)
    asked = ASKED.format(inside=inside, verdicts=chosen.asked_verdicts())
    found = chosen.connection.execute(
        SUMMED.format(f"{asked} UNION ALL {read}"),
        [pieces, domain, *among, *rows.parameters, *those],
    ).fetchall()
    return _sorted(found, values)


def _answers(rows: Rows, limit: int) -> list[Count]:
    """Count the most frequent answers."""
    rows.ask(JOINED)
    found = rows.connection.execute(f"""
        SELECT value FROM (SELECT unnest(list_distinct({APART})) AS value, n FROM joined)
        GROUP BY 1 ORDER BY sum(n) DESC, 1 LIMIT {int(limit)}
    """).fetchall()  # noqa: S608 - only our own text
    values = [value for (value,) in found]
    if not values:
        return []
    has = f"list_has_any({APART}, ?::VARCHAR[])"
    inside = f"answers IN (SELECT answers FROM joined WHERE {has})"  # noqa: S608
    return _counts(rows, "answer", inside, [values], values)


def _in(column: str, values: Sequence[str]) -> tuple[str, list[Any]]:
    """A condition that a column has one of some values, and its parameters."""
    if 0 < len(values) <= MOST_COMPARED:
        return f"{column} IN ({', '.join('?' for _ in values)})", [*values]
    return f"{column} IN (SELECT unnest(?::VARCHAR[]))", [list(values)]


def _counts(
    rows: Rows,
    column: str,
    inside: str = "true",
    parameters: Sequence[Any] = (),
    values: list[str] | None = None,
) -> list[Count]:
    """Count values of a column, all or some, the most frequent first."""
    columns, value = COLUMNS[column]
    text = rows.sql(BY_VALUE, columns=columns, value=value, inside=inside)
    found = rows.connection.execute(SUMMED.format(text), [*rows.parameters, *parameters])
    return _sorted(found.fetchall(), values)


def _sorted(groups: Sequence[tuple[Any, ...]], values: list[str] | None) -> list[Count]:
    known = None if values is None else set(values)
    found = [_count(group) for group in groups if known is None or group[0] in known]
    return sorted(found, key=lambda count: (-count.queries, count.value))


def _count(group: tuple[Any, ...]) -> Count:
    value, queries, flagged, blocked, clients, first, last, score = group
    return Count(value, queries, flagged, blocked, clients, required(first), required(last), score)


def required(moment: datetime) -> datetime:
    """A time of a column that takes no NULL, with its zone said."""
    found = aware(moment)
    assert found is not None  # noqa: S101 - the column takes no NULL
    return found
