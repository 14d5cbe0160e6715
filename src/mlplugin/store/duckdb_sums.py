"""Sums over the history of the embedded store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb

from mlplugin.store.duckdb_decisions import client_text
from mlplugin.store.duckdb_query import BLOCKED, FLAGGED, aware, moment
from mlplugin.store.duckdb_rows import Chosen, Rows, expression
from mlplugin.store.duckdb_summing import SLOT_SECONDS
from mlplugin.store.duckdb_top import DOMAIN, required, top
from mlplugin.store.port import OBSERVE
from mlplugin.store.sums import Bin, Count, Portrait, Slice, Stats, Summary, Suspect
from mlplugin.verdict import Level, Threat

# From how many queries on the different names are estimated: counting them takes several times
# as long as all else together.
ESTIMATED_FROM = 20_000_000

# DuckDB counts a column by itself in the dictionaries that the file has of it; two at once, by
# row, take five times as long. So there are several short queries here in place of a long one.
COUNTED = """
    SELECT verdict, threat, action, {n}, {first}, {last}
    FROM {rows} GROUP BY verdict, threat, action
"""
RCODES = "SELECT rcode, {n} FROM {rows} AND rcode IS NOT NULL GROUP BY rcode"
# What has few values is counted by their numbers, which are far cheaper to compare than texts.
SLICES = f"""
    SELECT step, value::VARCHAR, n, flagged, blocked FROM (
        SELECT epoch_us(time) // {{step}} AS step, {{value}} AS value, count(*) AS n,
            count(*) FILTER ({FLAGGED}) AS flagged, count(*) FILTER ({BLOCKED}) AS blocked
        FROM {{rows}} GROUP BY 1, 2
    ) ORDER BY 1, 2
"""  # noqa: S608 - only our own text
ADDED_SLICES = """
    SELECT step, value::VARCHAR, sum(n)::BIGINT, sum(flagged)::BIGINT, sum(blocked)::BIGINT
    FROM {rows} GROUP BY 1, 2 ORDER BY 1, 2
"""
BY_DOMAIN = """
    SELECT value, sum(n)::BIGINT FROM (SELECT {value} AS value, n FROM {names})
    WHERE value IN (SELECT unnest(?::VARCHAR[])) GROUP BY 1
"""
# What of events each column comes out of.
KEPT = {
    "qname": "qname", "registered_domain": "qname", "client": "client", "answer": "answers",
    "qtype": "qtype", "rcode": "rcode", "threat": "threat", "sensor": "sensor",
    "shadow_model": "shadow_model",
}  # fmt: skip
HIGHEST_BIN = 59
# What is told of a client.
PORTRAYED = ("qname", "registered_domain")
BY_SCORE = """
    SELECT least(floor(score)::INTEGER, {bin}), count(*), {names} FROM {rows} GROUP BY 1 ORDER BY 1
"""
MICROSECONDS = 1_000_000


def stats(chosen: Chosen) -> Stats:
    """Count."""
    return summary(chosen, (), 0).stats


def summary(chosen: Chosen, columns: Sequence[str], limit: int) -> Summary:
    """Count, and give the most frequent values of some columns."""
    return _summary(chosen, columns, limit, _kept(chosen, columns))


def _kept(chosen: Chosen, columns: Sequence[str]) -> Rows | None:
    """What is read once of events, where they are few, for sums of some columns."""
    return chosen.kept([KEPT[column] for column in columns]) if chosen.few else None


def _summary(chosen: Chosen, columns: Sequence[str], limit: int, kept: Rows | None) -> Summary:
    found = {column: top(chosen, column, limit, kept) for column in columns}
    return Summary(_stats(chosen, kept), found)


def top_of(chosen: Chosen, column: str, limit: int) -> list[Count]:
    """Give the most frequent values of a column."""
    return top(chosen, column, limit, _kept(chosen, (column,)))


def _stats(chosen: Chosen, kept: Rows | None) -> Stats:
    rows = kept or chosen.by_client() or chosen.events()
    groups = rows.ask(COUNTED)
    if not groups:
        return Stats()
    verdicts, threats, actions = (
        _sum((row[column], row[3]) for row in groups) for column in range(3)
    )
    queries = sum(verdicts.values())
    ((clients,),) = rows.ask("SELECT count(DISTINCT client) FROM {rows}")
    names = kept or chosen.by_name() or chosen.events()
    ((different,),) = names.ask(f"SELECT {_names(queries)} FROM {{rows}}")  # noqa: S608
    return Stats(
        queries=queries,
        flagged=queries - verdicts.get(str(Level.BENIGN), 0),
        blocked=queries - actions.get(OBSERVE, 0),
        clients=clients,
        names=different,
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


# Time, scores


def span(connection: duckdb.DuckDBPyConnection) -> tuple[datetime, datetime] | None:
    """Give the times of the first and the last query."""
    found = connection.execute("SELECT min(time), max(time) FROM events").fetchone()
    if found is None or found[0] is None:
        return None
    return required(found[0]), required(found[1])


def timeline(chosen: Chosen, step: int, by: str | None) -> list[Slice]:
    """Count by steps of time and by a column."""
    length = int(step) * MICROSECONDS
    rows = None if step % SLOT_SECONDS else chosen.by_time(length, by)
    if rows is not None:
        groups = rows.ask(ADDED_SLICES)
    else:
        groups = chosen.events().ask(SLICES, step=length, value=expression(by))
    return [Slice(moment(at * length), *counts) for at, *counts in groups]


def scores(chosen: Chosen) -> list[Bin]:
    """Count by score."""
    found = chosen.events().ask(BY_SCORE, bin=HIGHEST_BIN, names=_names(chosen.count))
    return [Bin(*group) for group in found]


# Names that need a decision, or look like another


def suspects(chosen: Chosen, limit: int) -> list[Suspect]:
    """Give the registered domains with the most flagged queries, then with the most of all."""
    groups = chosen.events().ask(f"""
        SELECT {DOMAIN} AS value, count(*), count(DISTINCT client), count(*) FILTER ({FLAGGED}),
            min(time), max(time), max(score)::DOUBLE,
            arg_max({{{{v: verdict::VARCHAR, t: threat::VARCHAR, q: qname}}}}, (score, qname))
        FROM {{rows}} AND domain_length IS NOT NULL
        GROUP BY 1 ORDER BY 4 DESC, 2 DESC, 1 LIMIT {int(limit)}
    """)  # noqa: S608 - only our own text
    return [
        Suspect(
            *(name, queries, clients, flagged, required(first), required(last), score),
            Level(worst["v"]),
            None if worst["t"] is None else Threat(worst["t"]),
            worst["q"],
        )
        for name, queries, clients, flagged, first, last, score, worst in groups
    ]


def portrait(chosen: Chosen, limit: int, flagged: int) -> Portrait:
    """Give what a client asked for: its events are read once, where they are few."""
    kept = _kept(chosen, PORTRAYED)
    found = _summary(chosen, PORTRAYED, limit, kept)
    bad: list[Count] = []
    if found.stats.flagged:
        asked = chosen.wanted.verdicts or tuple(Level)
        verdicts = tuple(level for level in asked if level is not Level.BENIGN)
        suspect = Chosen(chosen.connection, replace(chosen.wanted, verdicts=verdicts))
        bad = top(suspect, "qname", flagged, None if kept is None else kept.flagged())
    return Portrait(found, bad, _shared(chosen, found.top["registered_domain"]))


def _shared(chosen: Chosen, own: list[Count]) -> set[str]:
    """Those of a client's registered domains that others asked for, too."""
    domains = [one.value for one in own]
    if not domains:
        return set()
    others = Chosen(chosen.connection, replace(chosen.wanted, client=None))
    every = others.by_name()
    if every is None:
        client = client_text(chosen.wanted.client)
        return set(_by_domain(others.events(), domains, "client <> ?", client))
    found = _by_domain(every, domains)
    return {one.value for one in own if found.get(one.value, 0) > one.queries}


def _by_domain(
    rows: Rows, domains: list[str], also: str = "true", *parameters: Any
) -> dict[str, int]:
    """Count the queries of some registered domains."""
    lengths = [len(domain) for domain in domains]
    names = rows.by_names(f"domain_length BETWEEN {min(lengths)} AND {max(lengths)} AND {also}")
    query = BY_DOMAIN.format(value=DOMAIN, names=names)
    found = rows.connection.execute(query, [*rows.parameters, *parameters, domains])
    return dict(found.fetchall())
