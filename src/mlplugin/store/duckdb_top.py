"""The most frequent values of a column of the embedded store's history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mlplugin.store import duckdb_summing
from mlplugin.store.duckdb_query import aware
from mlplugin.store.duckdb_rows import Chosen, Rows
from mlplugin.store.sums import Count

# Up to so many values are compared one by one, which is quicker than a join.
MOST_COMPARED = 100

DOMAIN = "right(qname, domain_length)"
# A condition and its parameters.
Holds = tuple[str, Sequence[Any]]
ALWAYS: Holds = ("true", ())
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
    SELECT {column} FROM {rows} AND {column} IS NOT NULL
    GROUP BY 1 ORDER BY {n} DESC, 1 LIMIT {limit}
"""
# Answers are taken apart once for each text of them, not for each query.
JOINED = """
    CREATE OR REPLACE TEMP TABLE joined AS
    SELECT answers, {n} AS n FROM {rows} AND answers IS NOT NULL GROUP BY answers
"""
DOMAINS = """
    SELECT value, n FROM (
        SELECT {value} AS value, sum(n)::BIGINT AS n FROM {names} GROUP BY 1
    ) WHERE {wanted} ORDER BY n DESC, value LIMIT {limit}
"""
# How often domains were asked for at least, and in how many pieces that is known; of them those
# that may have been asked for as often as the one at the limit. There are far more than these.
LIKELY = """
    WITH least AS MATERIALIZED (
        SELECT value, sum(n)::BIGINT AS n, sum(told)::BIGINT AS told FROM (
            SELECT value, coalesce(sum(n) FILTER ({verdicts}), 0) AS n,
                count(DISTINCT piece) AS told
            FROM sums_by_asker WHERE piece IN (SELECT unnest(?::BIGINT[])) AND domain
            GROUP BY value
            UNION ALL
            SELECT {value} AS value, sum(n), 0 FROM {rest} GROUP BY 1
        ) GROUP BY value
    ), enough AS (SELECT n FROM least ORDER BY n DESC LIMIT 1 OFFSET {place})
    SELECT value FROM least, enough
    WHERE enough.n > {untold} * {pieces} AND least.n + {untold} * ({pieces} - told) >= enough.n
    LIMIT {most}
"""
# Those of some domains.
NAMES = """
    SELECT DISTINCT qname FROM (
        SELECT qname, domain_length FROM {rows} AND domain_length IS NOT NULL GROUP BY ALL
    ) WHERE {inside}
"""
# Which pieces say who asked for which values, and which have some values at all.
TOLD = """
    SELECT DISTINCT piece, value FROM sums_by_asker
    WHERE piece IN (SELECT unnest(?::BIGINT[])) AND domain = ? AND {inside}
"""
# Which pieces have some names that were of another domain then.
OTHERWISE = """
    SELECT DISTINCT piece, qname FROM sums_by_name
    WHERE piece IN (SELECT unnest(?::BIGINT[])) AND {inside} AND NOT coalesce({wanted}, false)
"""
THERE = """
    SELECT DISTINCT piece, {value} FROM sums_by_name
    WHERE piece IN (SELECT unnest(?::BIGINT[])) AND {counted} > 0 AND {inside}
"""
NAMES_THERE = """
    SELECT DISTINCT qname FROM sums_by_name
    WHERE piece IN (SELECT unnest(?::BIGINT[])) AND {inside}
"""
ASKED = """
    SELECT value, client AS asker, n, CASE WHEN flagged THEN n ELSE 0 END AS flagged, blocked,
        first, last, score
    FROM sums_by_asker
    WHERE piece IN (SELECT unnest(?::BIGINT[])) AND domain = ? AND {inside} AND {verdicts}
        AND NOT (piece IN (SELECT unnest(?::BIGINT[])) AND value IN (SELECT unnest(?::VARCHAR[])))
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
        return _of(rows, column, _frequent(rows, column, limit))
    names = None if kept is not None else chosen.by_name()
    if column == "registered_domain":
        return _domains(chosen, rows, names, limit)
    values = _frequent(names or rows, column, limit)
    return _of(rows, column, values) if names is None else _added_up(chosen, column, values)


def similar(chosen: Chosen, domain: str, label: str, limit: int) -> dict[str, int]:
    """Give registered domains that may look like one, and how often each was asked for."""
    shortest, longest = len(domain) - 2, len(domain) + 2
    # What is cheaply told of a name: few are left whose domain is cut off.
    among = "(domain_length BETWEEN ? AND ? OR contains(qname, ?) OR contains(qname, 'xn--'))"
    # What differs by two letters has two others at most, which is told ten times as soon.
    wanted = """
        value <> ? AND (
            starts_with(value, ?) OR starts_with(value, 'xn--')
            OR length(value) BETWEEN ? AND ? AND NOT regexp_matches(value, ?)
            AND damerau_levenshtein(value, ?) <= 2
        )
    """
    start = f"{label}."
    return dict(_most(
        chosen.by_name() or chosen.events(), limit, (among, [shortest, longest, start]),
        (wanted, [domain, start, shortest, longest, _three_beside(domain), domain]),
    ))  # fmt: skip


def _three_beside(letters: str) -> str:
    """A pattern of texts that have three characters or more which are none of some."""
    listed = "".join(
        one if one.isalnum() or one == "_" else f"\\{one}" for one in sorted(set(letters))
    )
    return "(?s)" + ".*".join([f"[^{listed}]"] * 3)


def _domains(chosen: Chosen, rows: Rows, summed: Rows | None, limit: int) -> list[Count]:
    """Count the most frequent registered domains."""
    if summed is not None and chosen.any_domain and chosen.wanted.qname is None:
        likely = _likely(chosen, limit)
        if likely is not None:
            return _added_up(chosen, "registered_domain", likely)[:limit]
    names = summed or rows.named()
    values = [value for value, _ in _most(names, limit)]
    # Who asked for a domain is summed up of all its names.
    if summed is not None and chosen.wanted.qname is None:
        return _added_up(chosen, "registered_domain", values)
    return _of(rows, "registered_domain", values, names)


def _likely(chosen: Chosen, limit: int) -> list[str] | None:
    """Registered domains that all of the most frequent are among; None where few are told.

    A piece tells of those that it has often. So much as is told of one it has at least, and where
    a piece does not tell of it, it has less than is often.
    """
    if limit > MOST_COMPARED:
        return None
    leaves = list(chosen.cover.leaves)
    rest = chosen.events(chosen.cover.rest)
    query = LIKELY.format(
        value=DOMAIN, verdicts=chosen.asked_verdicts(), place=max(int(limit) - 1, 0),
        untold=duckdb_summing.OFTEN - 1, pieces=len(leaves), most=MOST_COMPARED + 1,
        rest=rest.by_names("domain_length IS NOT NULL"),
    )  # fmt: skip
    found = chosen.connection.execute(query, [leaves, *rest.parameters]).fetchall()
    return [value for (value,) in found] if 0 < len(found) <= MOST_COMPARED else None


def _most(
    rows: Rows, limit: int, of_names: Holds = ALWAYS, of_domains: Holds = ALWAYS
) -> list[tuple[str, int]]:
    """The most frequent registered domains for which conditions hold, and how often each is."""
    (among, of_name), (wanted, of_domain) = of_names, of_domains
    names = rows.by_names(f"domain_length IS NOT NULL AND {among}")
    query = DOMAINS.format(value=DOMAIN, names=names, wanted=wanted, limit=int(limit))
    parameters = [*rows.parameters, *of_name, *of_domain]
    return rows.connection.execute(query, parameters).fetchall()


def _frequent(rows: Rows, column: str, limit: int) -> list[str]:
    """The most frequent values of a column that is not taken apart."""
    return [value for (value,) in rows.ask(FREQUENT, column=column, limit=int(limit))]


def _of(rows: Rows, column: str, values: list[str], names: Rows | None = None) -> list[Count]:
    """Count some values of a column."""
    if not values:
        return []
    return _counts(rows, column, *_inside(names or rows, column, values), values)


def _inside(names: Rows, column: str, values: list[str]) -> tuple[str, list[Any]]:
    """A condition on what rows with some values fulfil, and few others.

    Of registered domains it is about the names that rows have below them.
    """
    if column != "registered_domain":
        return _in(column, values)
    inside, among = _in(DOMAIN, values)
    return _in("qname", [name for (name,) in names.ask(NAMES, *among, inside=inside)])


def _added_up(chosen: Chosen, column: str, values: list[str]) -> list[Count]:
    """Count some names or registered domains by who asked for them.

    Where one was asked for too seldom for a piece to tell by whom, its events are read; so are
    those of a name that had another domain than asked for, now and then.
    """
    if not values:
        return []
    leaves, domain = list(chosen.cover.leaves), column == "registered_domain"
    pieces, seldom = _seldom(chosen, column, values)
    inside, among = _in("value", values)
    parts = [ASKED.format(inside=inside, verdicts=chosen.asked_verdicts())]
    parameters: list[Any] = [leaves, domain, *among, pieces, seldom]
    columns, value = COLUMNS[column]
    rest = chosen.events(chosen.cover.rest)
    within, those = _inside(rest, column, values)
    parts.append(rest.sql(BY_VALUE, columns=columns, value=value, inside=within))
    parameters += [*rest.parameters, *those]
    if seldom:
        names = seldom
        if domain:
            within, those = _in(value, seldom)
            query = NAMES_THERE.format(inside=within)
            found = chosen.connection.execute(query, [pieces, *those]).fetchall()
            names = [name for (name,) in found]
        read = chosen.of_pieces(pieces)
        within, those = _in("qname", names)
        again = read.sql(BY_VALUE, columns=columns, value=value, inside=within)
        among_seldom, listed = _in("value", seldom)
        parts.append(f"SELECT * FROM ({again}) WHERE {among_seldom}")  # noqa: S608
        parameters += [*read.parameters, *those, *listed]
    query = SUMMED.format(" UNION ALL ".join(parts))
    return _sorted(chosen.connection.execute(query, parameters).fetchall(), values)


def _seldom(chosen: Chosen, column: str, values: list[str]) -> tuple[list[int], list[str]]:
    """Those pieces of the cover that have some of the values, but do not tell by whom; and these.

    They do not where a name is of other domains there than the filter's, for an older sensor.
    """
    leaves, domain = list(chosen.cover.leaves), column == "registered_domain"
    inside, among = _in("value", values)
    told = set(
        chosen.connection.execute(TOLD.format(inside=inside), [leaves, domain, *among]).fetchall()
    )
    if not domain and not chosen.any_domain:
        within, those = _in("qname", values)
        query = OTHERWISE.format(inside=within, wanted=chosen.named)
        parameters = [leaves, *those, *chosen.named.parameters]
        told -= set(chosen.connection.execute(query, parameters).fetchall())
    untold = [leaf for leaf in leaves if any((leaf, value) not in told for value in values)]
    if not untold:
        return [], []
    value = COLUMNS[column][1]
    inside, among = _in(value, values)
    query = THERE.format(value=value, counted=f"({chosen.counted()})", inside=inside)
    there = chosen.connection.execute(query, [untold, *among]).fetchall()
    missing = set(there) - told
    return sorted({piece for piece, _ in missing}), sorted({value for _, value in missing})


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
