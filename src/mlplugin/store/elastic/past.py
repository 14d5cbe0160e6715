"""The history of a cluster by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from mlplugin.store.elastic.query import BLOCKED, COLUMNS, FLAGGED
from mlplugin.store.past import ANSWER_REASONS, ASKERS, COUNTED, NAMES
from mlplugin.verdict import Level, Source

Ask = Callable[[dict[str, Any]], Any]
# Groups of one request: older engines give at most 10,000, those within groups included.
GROUPS = 800

BY_ANSWER: dict[str, Any] = {
    "bool": {
        "should": [
            {"terms": {"mlplugin.source": [str(Source.ANSWER), str(Source.BEHAVIOUR)]}},
            *({"prefix": {"event.reason": text}} for text in ANSWER_REASONS),
        ],
        "minimum_should_match": 1,
    }
}


def _both(*queries: dict[str, Any]) -> dict[str, Any]:
    return {"bool": {"filter": list(queries)}}


_COUNTS: dict[str, Any] = {
    "flagged": FLAGGED,
    "blocked": BLOCKED,
    "malicious": {"term": {"mlplugin.verdict": str(Level.MALICIOUS)}},
    "flagged_by_answer": _both(FLAGGED, BY_ANSWER),
    "blocked_by_answer": _both(BLOCKED, BY_ANSWER),
}
_LISTED: dict[str, Any] = {
    "allowed": {"term": {"mlplugin.source": str(Source.ALLOWLIST)}},
    "denied": {
        "bool": {
            "filter": [{"term": {"mlplugin.source": str(Source.DENYLIST)}}],
            "must_not": [BY_ANSWER],
        }
    },
}
_TIMES = {
    "first": {"min": {"field": "@timestamp"}},
    "last": {"max": {"field": "@timestamp"}},
}


def names(ask: Ask, query: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    """Give every name once, by name."""
    return _grouped(ask, query, ("qname",), {**_COUNTS, **_LISTED}, NAMES)


def askers(ask: Ask, query: dict[str, Any], chosen: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Give who asked for some names, by name and client."""
    among = _both(query, {"terms": {COLUMNS["qname"]: list(chosen)}})
    return _grouped(ask, among, ("qname", "client"), _COUNTS, ASKERS)


def _grouped(
    ask: Ask,
    query: dict[str, Any],
    by: Sequence[str],
    counts: dict[str, Any],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    """Page through the groups: each page is a request of its own, and begins behind the last."""
    composite: dict[str, Any] = {
        "size": GROUPS,
        "sources": [{name: {"terms": {"field": COLUMNS[name]}}} for name in by],
    }
    filters = {name: {"filter": part} for name, part in counts.items()}
    body = {
        "size": 0,
        "query": query,
        "track_total_hits": False,
        "aggs": {"groups": {"composite": composite, "aggs": {**filters, **_TIMES}}},
    }
    while True:
        found = ask(body).get("aggregations")
        buckets = found["groups"]["buckets"] if found else []
        if not buckets:
            return
        yield _batch(buckets, by, [name for name in (*COUNTED, *_LISTED) if name in counts], schema)
        if len(buckets) < GROUPS:
            return
        composite["after"] = found["groups"].get("after_key", buckets[-1]["key"])


def _batch(
    buckets: list[dict[str, Any]], by: Sequence[str], counts: list[str], schema: pa.Schema
) -> pa.RecordBatch:
    columns: dict[str, pa.Array] = {
        name: pa.array([bucket["key"][name] for bucket in buckets], pa.string()) for name in by
    }
    columns["queries"] = pa.array([bucket["doc_count"] for bucket in buckets], pa.int64())
    for name in counts:
        columns[name] = pa.array([bucket[name]["doc_count"] for bucket in buckets], pa.int64())
    for name in _TIMES:
        times = [int(bucket[name]["value"]) * 1000 for bucket in buckets]
        columns[name] = pa.array(times, pa.int64()).cast(schema.field(name).type)
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
