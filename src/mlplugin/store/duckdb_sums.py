"""Sums over the history of the embedded store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb

from mlplugin.store.duckdb_query import BLOCKED, FLAGGED, Condition, aware, moment
from mlplugin.store.port import OBSERVE, Filter
from mlplugin.store.sums import Bin, Count, Slice, Stats, Suspect
from mlplugin.verdict import Level, Threat

# From how many queries on the different names are estimated: counting them takes several times
# as long as all else together.
ESTIMATED_FROM = 20_000_000
# Up to so many rows are kept aside: more take more memory, and then disk, than reading them again
# takes time.
MOST_KEPT = 2_000_000
# Up to so many values are compared one by one, which is quicker than a join.
MOST_COMPARED = 100

# What is looked for by name or client is found once and kept for the sums; a range of time is
# cheaper read again than kept.
KEPT = """
    CREATE OR REPLACE TEMP TABLE found AS
    SELECT time, sensor, client, qname, domain_length, qtype, rcode, answers, verdict, threat,
        score, action, shadow_model
    FROM events e WHERE {condition}
"""
# DuckDB counts a column by itself in the dictionaries that the file has of it; two at once, by
# row, take five times as long. So there are several short queries here in place of a long one.
COUNTED = """
    SELECT verdict, threat, action, count(*), min(time), max(time)
    FROM {rows} GROUP BY verdict, threat, action
"""
COUNT = "SELECT count(*) FROM {rows}"
RCODES = "SELECT rcode, count(*) FROM {rows} AND rcode IS NOT NULL GROUP BY rcode"
DOMAIN = "right(qname, domain_length)"
APART = "string_split(answers, ' ')"
HIGHEST_BIN = 59


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of the history: SQL of a table and a condition, with its parameters."""

    connection: duckdb.DuckDBPyConnection
    text: str
    parameters: list[Any]

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a query that has `{rows}` once, and more conditions behind it at most."""
        return self.connection.execute(
            query.format(rows=self.text), [*self.parameters, *parameters]
        ).fetchall()


def chosen(connection: duckdb.DuckDBPyConnection, wanted: Filter, *, keep: bool = True) -> Rows:
    """Give the rows of a filter; few ones are kept aside, where several sums are to come."""
    condition = Condition(connection, wanted)
    narrow = (wanted.qname or wanted.domain or wanted.client) is not None
    found = Rows(connection, f"events e WHERE {condition}", condition.parameters)
    if not (keep and narrow) or found.ask(COUNT)[0][0] > MOST_KEPT:
        return found
    connection.execute(KEPT.format(condition=condition), condition.parameters)
    return Rows(connection, "found e WHERE true", [])


def stats(rows: Rows) -> Stats:
    """Count."""
    groups = rows.ask(COUNTED)
    if not groups:
        return Stats()
    verdicts, threats, actions = (
        _sum((row[column], row[3]) for row in groups) for column in range(3)
    )
    queries = sum(verdicts.values())
    ((clients,),) = rows.ask("SELECT count(DISTINCT client) FROM {rows}")
    ((names,),) = rows.ask(f"SELECT {_names(queries)} FROM {{rows}}")  # noqa: S608
    return Stats(
        queries=queries,
        flagged=queries - verdicts.get(str(Level.BENIGN), 0),
        blocked=queries - actions.get(OBSERVE, 0),
        clients=clients,
        names=names,
        first=aware(min(row[4] for row in groups)),
        last=aware(max(row[5] for row in groups)),
        by_verdict=verdicts,
        by_threat=threats,
        by_action=actions,
        by_rcode=_sum(rows.ask(RCODES)),
    )


def _names(queries: int) -> str:
    """SQL that counts the different names of so many queries."""
    estimated = queries >= ESTIMATED_FROM
    return "approx_count_distinct(qname)" if estimated else "count(DISTINCT qname)"


def _sum(counts: Iterable[tuple[Any, ...]]) -> Mapping[str, int]:
    """What there is of each value, most frequent first, then by name."""
    found: Counter[str] = Counter()
    for value, count in counts:
        if value is not None:
            found[value] += count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


# The most frequent values of a column

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
    "sensor": ("e.sensor", "(SELECT name FROM sensors WHERE id = sensor)"),
    "shadow_model": ("shadow_model", "shadow_model"),
}
# There are so few of their values that all are summed up.
FEW = frozenset({"qtype", "rcode", "threat", "sensor", "shadow_model"})
SUMMED = f"""
    SELECT value, sum(n)::BIGINT, sum(flagged)::BIGINT, sum(blocked)::BIGINT,
        count(DISTINCT asker), min(first), max(last), max(score)::DOUBLE
    FROM (
        SELECT {{value}} AS value, asker, n, flagged, blocked, first, last, score FROM (
            SELECT {{columns}}, client AS asker, count(*) AS n,
                count(*) FILTER ({FLAGGED}) AS flagged, count(*) FILTER ({BLOCKED}) AS blocked,
                min(time) AS first, max(time) AS last, max(score) AS score
            FROM {{{{rows}}}} AND {{inside}} GROUP BY ALL
        )
    ) WHERE value IS NOT NULL GROUP BY 1
"""  # noqa: S608 - only our own text
FREQUENT = """
    SELECT value FROM (
        SELECT {value} AS value, n FROM (SELECT {columns}, count(*) AS n FROM {{rows}} GROUP BY 1)
    ) WHERE value IS NOT NULL GROUP BY 1 ORDER BY sum(n) DESC, 1 LIMIT {limit}
"""
# Answers are taken apart once for each text of them, not for each query.
JOINED = """
    CREATE OR REPLACE TEMP TABLE joined AS
    SELECT answers, count(*) AS n FROM {rows} AND answers IS NOT NULL GROUP BY answers
"""
# Names are counted and kept first, by which the ends of far fewer are cut off.
NAMES = """
    CREATE OR REPLACE TEMP TABLE names AS
    SELECT qname, domain_length, count(*) AS n FROM {rows} GROUP BY qname, domain_length
"""
BY_DOMAIN = f"""
    SELECT value FROM (
        SELECT {DOMAIN} AS value, sum(n) AS n FROM names WHERE domain_length IS NOT NULL GROUP BY 1
    ) WHERE {{wanted}} ORDER BY n DESC, value LIMIT {{limit}}
"""  # noqa: S608 - only our own text


def top(rows: Rows, column: str, limit: int) -> list[Count]:
    """Give the most frequent values of a column, by frequency and then by value."""
    if column == "registered_domain":
        return _domains(rows, "true", [], limit)
    if column in FEW:
        return _counts(rows, column, "true", [])[:limit]
    if column == "answer":
        return _answers(rows, limit)
    columns, value = COLUMNS[column]
    query = FREQUENT.format(value=value, columns=columns, limit=int(limit))
    values = [value for (value,) in rows.ask(query)]
    if not values:
        return []
    return _counts(rows, column, *_in(column, values), values)


def _domains(rows: Rows, wanted: str, parameters: list[Any], limit: int) -> list[Count]:
    """Count the most frequent registered domains for which a condition holds."""
    rows.ask(NAMES)
    kept = replace(rows, text="names WHERE domain_length IS NOT NULL", parameters=[])
    query = BY_DOMAIN.format(wanted=wanted, limit=int(limit))
    values = [value for (value,) in kept.ask(query, *parameters)]
    if not values:
        return []
    inside, among = _in(DOMAIN, values)
    names = kept.ask(f"SELECT DISTINCT qname FROM {{rows}} AND {inside}", *among)  # noqa: S608
    return _counts(rows, "registered_domain", *_in("qname", [name for (name,) in names]), values)


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
    if len(values) <= MOST_COMPARED:
        return f"{column} IN ({', '.join('?' for _ in values)})", [*values]
    return f"{column} IN (SELECT unnest(?::VARCHAR[]))", [list(values)]


def _counts(
    rows: Rows,
    column: str,
    inside: str,
    parameters: list[Any],
    values: list[str] | None = None,
) -> list[Count]:
    """Count values of a column, all or some, the most frequent first.

    `inside` is what rows with them fulfil, and few others.
    """
    columns, value = COLUMNS[column]
    query = SUMMED.format(columns=columns, value=value, inside=inside)
    known = None if values is None else set(values)
    found = [
        _count(group)
        for group in rows.ask(query, *parameters)
        if known is None or group[0] in known
    ]
    return sorted(found, key=lambda count: (-count.queries, count.value))


def _count(group: tuple[Any, ...]) -> Count:
    value, queries, flagged, blocked, clients, first, last, score = group
    return Count(
        value, queries, flagged, blocked, clients, _required(first), _required(last), score
    )


def _required(moment: datetime) -> datetime:
    found = aware(moment)
    assert found is not None  # noqa: S101 - the column takes no NULL
    return found


# Time, scores


def span(connection: duckdb.DuckDBPyConnection) -> tuple[datetime, datetime] | None:
    """Give the times of the first and the last query."""
    found = connection.execute("SELECT min(time), max(time) FROM events").fetchone()
    if found is None or found[0] is None:
        return None
    return _required(found[0]), _required(found[1])


def timeline(rows: Rows, step: int, by: str | None) -> list[Slice]:
    """Count by steps of time and by a column."""
    value = "NULL" if by is None else f"{by}::VARCHAR"
    groups = rows.ask(f"""
        SELECT epoch_us(time) // {int(step) * 1_000_000} AS step, {value} AS value, count(*),
            count(*) FILTER ({FLAGGED}), count(*) FILTER ({BLOCKED})
        FROM {{rows}} GROUP BY 1, 2 ORDER BY 1, 2
    """)  # noqa: S608 - only our own text
    return [Slice(moment(at * step * 1_000_000), *counts) for at, *counts in groups]


def scores(rows: Rows) -> list[Bin]:
    """Count by score."""
    groups = rows.ask(COUNT)
    names = _names(groups[0][0])
    found = rows.ask(
        f"SELECT least(floor(score)::INTEGER, {HIGHEST_BIN}), count(*), {names} "  # noqa: S608
        "FROM {rows} GROUP BY 1 ORDER BY 1"
    )
    return [Bin(*group) for group in found]


# Names that need a decision, or look like another


def suspects(rows: Rows, limit: int) -> list[Suspect]:
    """Give the registered domains with the most flagged queries, then with the most of all."""
    groups = rows.ask(f"""
        SELECT {DOMAIN} AS value, count(*), count(DISTINCT client), count(*) FILTER ({FLAGGED}),
            min(time), max(time), max(score)::DOUBLE,
            arg_max({{{{v: verdict::VARCHAR, t: threat::VARCHAR, q: qname}}}}, (score, qname))
        FROM {{rows}} AND domain_length IS NOT NULL
        GROUP BY 1 ORDER BY 4 DESC, 2 DESC, 1 LIMIT {int(limit)}
    """)  # noqa: S608 - only our own text
    return [
        Suspect(
            *(name, queries, clients, flagged, _required(first), _required(last), score),
            Level(worst["v"]),
            None if worst["t"] is None else Threat(worst["t"]),
            worst["q"],
        )
        for name, queries, clients, flagged, first, last, score, worst in groups
    ]


def shared_domains(rows: Rows, client: str | None, domains: list[str]) -> set[str]:
    """Give those registered domains that others asked for than a client."""
    if not domains:
        return set()
    lengths = [len(domain) for domain in domains]
    found = rows.ask(
        f"""
        SELECT DISTINCT value FROM (
            SELECT {DOMAIN} AS value FROM (
                SELECT qname, domain_length FROM {{rows}} AND client <> ?
                    AND domain_length BETWEEN ? AND ? GROUP BY ALL
            )
        ) WHERE value IN (SELECT unnest(?::VARCHAR[]))
        """,  # noqa: S608 - only our own text
        *(client, min(lengths), max(lengths), domains),
    )
    return {domain for (domain,) in found}


def similar(rows: Rows, domain: str, label: str, limit: int) -> list[Count]:
    """Give registered domains that may look like one."""
    wanted = """
        value <> ? AND (
            starts_with(value, ?) OR starts_with(value, 'xn--')
            OR length(value) BETWEEN ? AND ? AND damerau_levenshtein(value, ?) <= 2
        )
    """
    parameters = [domain, f"{label}.", len(domain) - 2, len(domain) + 2, domain]
    return _domains(rows, wanted, parameters, limit)
