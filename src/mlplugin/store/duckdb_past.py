"""The history of the embedded store by name."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from mlplugin.store.duckdb_query import BLOCKED, FLAGGED, Condition
from mlplugin.store.past import ANSWER_REASONS, ASKERS, NAMES
from mlplugin.store.port import Filter
from mlplugin.verdict import Level, Source

# So many names are summed up at a time, which takes some hundred MB at most.
PART = 250_000
BATCH = 50_000

_REASONS = " OR ".join(f"starts_with(reason, '{text}')" for text in ANSWER_REASONS)
BY_ANSWER = f"(source IN ('{Source.ANSWER}', '{Source.BEHAVIOUR}') OR coalesce({_REASONS}, false))"
COUNTS = f"""
    count(*) AS queries, count(*) FILTER ({FLAGGED}) AS flagged,
    count(*) FILTER ({BLOCKED}) AS blocked,
    count(*) FILTER (verdict = '{Level.MALICIOUS}') AS malicious,
    count(*) FILTER ({FLAGGED} AND {BY_ANSWER}) AS flagged_by_answer,
    count(*) FILTER ({BLOCKED} AND {BY_ANSWER}) AS blocked_by_answer
"""
TIMES = "min(time) AS first, max(time) AS last"
BY_NAME = f"""
    SELECT qname, {COUNTS},
        count(*) FILTER (source = '{Source.ALLOWLIST}') AS allowed,
        count(*) FILTER (source = '{Source.DENYLIST}' AND NOT {BY_ANSWER}) AS denied, {TIMES}
    FROM events e WHERE {{condition}} AND hash(qname) % {{of}} = {{part}} GROUP BY qname
"""  # noqa: S608 - only our own text
BY_CLIENT = f"""
    SELECT qname, client, {COUNTS}, {TIMES}
    FROM events e WHERE {{condition}} AND qname IN (SELECT unnest(?::VARCHAR[]))
    GROUP BY qname, client ORDER BY qname, client
"""  # noqa: S608 - only our own text


def parts(connection: duckdb.DuckDBPyConnection, wanted: Filter) -> int:
    """Into how many parts the names are to be cut."""
    condition = Condition(connection, wanted)
    found = connection.execute(
        f"SELECT approx_count_distinct(qname) FROM events e WHERE {condition}",  # noqa: S608
        condition.parameters,
    ).fetchone()
    return 1 + (found[0] if found else 0) // PART


def names(
    connection: duckdb.DuckDBPyConnection, wanted: Filter, part: int, of: int
) -> list[pa.RecordBatch]:
    """Sum up one part of the names."""
    condition = Condition(connection, wanted)
    # Written out, as the rest by a parameter takes as long as all else together.
    query = BY_NAME.format(condition=condition, of=of, part=part)
    found = connection.sql(query, params=condition.parameters).to_arrow_table()
    return _batches(found, NAMES)


def askers(
    connection: duckdb.DuckDBPyConnection, wanted: Filter, chosen: Sequence[str]
) -> list[pa.RecordBatch]:
    """Sum up some names by client."""
    condition = Condition(connection, wanted)
    query = BY_CLIENT.format(condition=condition)
    found = connection.sql(query, params=[*condition.parameters, list(chosen)]).to_arrow_table()
    return _batches(found, ASKERS)


def _batches(found: pa.Table, schema: pa.Schema) -> list[pa.RecordBatch]:
    batches: list[pa.RecordBatch] = found.cast(schema).to_batches(BATCH)
    return batches
