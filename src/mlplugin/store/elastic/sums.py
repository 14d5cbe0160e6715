"""Sums over the history of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mlplugin.store.elastic.query import BLOCKED, COLUMNS, EXACT, FLAGGED, condition
from mlplugin.store.port import Filter
from mlplugin.store.sums import Bin, Count, Slice, Suspect
from mlplugin.verdict import Level, Threat

Ask = Callable[[dict[str, Any]], Any]
DOMAIN = COLUMNS["registered_domain"]
CLIENTS = {"cardinality": {"field": "client.address", "precision_threshold": 3000}}
SPLIT = {"flagged": {"filter": FLAGGED}, "blocked": {"filter": BLOCKED}}
# No more than this of a column with few values.
FEW = 20
# Steps of one request: older engines give at most 10,000 groups, those within groups included.
STEPS = 100
NAMES_EXACT = EXACT // 4
HIGHEST_BIN = 59
MOST_EXPANSIONS = 1000
EPOCH, MILLISECOND = datetime.fromtimestamp(0, UTC), timedelta(milliseconds=1)


def _groups(ask: Ask, query: dict[str, Any], aggs: dict[str, Any]) -> dict[str, Any]:
    """Ask for aggregations alone; none where there is no index yet."""
    found = ask({"size": 0, "query": query, "track_total_hits": False, "aggs": aggs})
    return found.get("aggregations") or {}


def _among(query: dict[str, Any], field: str, values: list[str]) -> dict[str, Any]:
    return {"bool": {"filter": [query, {"terms": {field: values}}]}}


def top(ask: Ask, query: dict[str, Any], column: str, limit: int) -> list[Count]:
    """Give the most frequent values of a column.

    What is counted of each is asked for when they are known: a shard would keep it for far more.
    """
    field = COLUMNS[column]
    frequent = _frequent(ask, query, field, limit)
    if not frequent:
        return []
    details = {
        **SPLIT,
        "clients": CLIENTS,
        "first": {"min": {"field": "@timestamp"}},
        "last": {"max": {"field": "@timestamp"}},
        "score": {"max": {"field": "mlplugin.score"}},
    }
    return [
        Count(
            bucket["key"],
            bucket["doc_count"],
            bucket["flagged"]["doc_count"],
            bucket["blocked"]["doc_count"],
            bucket["clients"]["value"],
            _moment(bucket["first"]),
            _moment(bucket["last"]),
            round(float(bucket["score"]["value"] or 0), 1),
        )
        for bucket in _details(ask, query, field, frequent, details)
    ]


def _frequent(
    ask: Ask,
    query: dict[str, Any],
    field: str,
    limit: int,
    *,
    flagged_first: bool = False,
) -> list[str]:
    order = [{"flagged": "desc"}] if flagged_first else []
    aggs = {"aggs": {"flagged": SPLIT["flagged"]}} if flagged_first else {}
    terms = {
        "field": field,
        "size": limit,
        # Each day is a shard: without more from each the sums were too small.
        "shard_size": max(2000, limit * 20),
        "order": [*order, {"_count": "desc"}, {"_key": "asc"}],
    }
    found = _groups(ask, query, {"top": {"terms": terms, **aggs}})
    return [bucket["key"] for bucket in found["top"]["buckets"]] if found else []


def _details(
    ask: Ask, query: dict[str, Any], field: str, values: list[str], aggs: dict[str, Any]
) -> list[dict[str, Any]]:
    """What is counted of some values, the most frequent first."""
    terms = {
        "field": field,
        "include": values,
        "size": len(values),
        "order": [{"_count": "desc"}, {"_key": "asc"}],
    }
    groups = _groups(ask, _among(query, field, values), {"top": {"terms": terms, "aggs": aggs}})
    buckets: list[dict[str, Any]] = groups["top"]["buckets"] if groups else []
    return buckets


def _moment(found: dict[str, Any]) -> datetime:
    """A time from an aggregation, which knows milliseconds only."""
    return EPOCH + int(found["value"] or 0) * MILLISECOND


def timeline(ask: Ask, wanted: Filter, step: int, by: str | None) -> Iterator[Slice]:
    """Count by steps of time and by a column, in a range that has both ends."""
    aggs: dict[str, Any] = {**SPLIT}
    if by is not None:
        aggs["by"] = {"terms": {"field": COLUMNS[by], "size": FEW}, "aggs": SPLIT}
    steps = {
        "steps": {
            "date_histogram": {
                "field": "@timestamp", "fixed_interval": f"{step}s", "min_doc_count": 1,
            },
            "aggs": aggs,
        }
    }  # fmt: skip
    for part in _parts(wanted, timedelta(seconds=step)):
        groups = _groups(ask, condition(part), steps)
        for bucket in groups["steps"]["buckets"] if groups else ():
            yield from _slices(bucket, by)


def _parts(wanted: Filter, step: timedelta) -> Iterator[Filter]:
    """The same range in pieces of whole steps."""
    since, until = wanted.since, wanted.until
    assert since is not None and until is not None  # noqa: S101, PT018 - the caller saw to it
    while since < until:
        begin = EPOCH + (since - EPOCH) // step * step
        # Compared as lengths: a hundred steps may lead out of the calendar.
        end = until if until - begin <= STEPS * step else begin + STEPS * step
        yield replace(wanted, since=since, until=end)
        since = end


def _slices(bucket: dict[str, Any], by: str | None) -> Iterator[Slice]:
    """The values of a step; what is left over has none."""
    time = EPOCH + int(bucket["key"]) * MILLISECOND
    left = _split(bucket)
    for part in bucket["by"]["buckets"] if by is not None else ():
        counts = _split(part)
        left = [all_ - own for all_, own in zip(left, counts, strict=True)]
        yield Slice(time, part["key"], *counts)
    if left[0]:
        yield Slice(time, None, *left)


def _split(bucket: dict[str, Any]) -> list[int]:
    return [bucket["doc_count"], *(bucket[name]["doc_count"] for name in SPLIT)]


def scores(ask: Ask, query: dict[str, Any]) -> list[Bin]:
    """Count by score."""
    names = {"field": COLUMNS["qname"], "precision_threshold": NAMES_EXACT}
    # Two bounds, and not a histogram, because 60 counts as 59.
    ranges = [{"from": score, "to": score + 1} for score in range(HIGHEST_BIN)]
    aggs = {
        "bins": {
            "range": {"field": "mlplugin.score", "ranges": [*ranges, {"from": HIGHEST_BIN}]},
            "aggs": {"names": {"cardinality": names}},
        }
    }
    groups = _groups(ask, query, aggs)
    return [
        Bin(int(bucket["from"]), bucket["doc_count"], bucket["names"]["value"])
        for bucket in (groups["bins"]["buckets"] if groups else ())
        if bucket["doc_count"]
    ]


def suspects(ask: Ask, query: dict[str, Any], limit: int) -> list[Suspect]:
    """Give the registered domains with the most flagged queries, then with the most of all."""
    names = _frequent(ask, query, DOMAIN, limit, flagged_first=True)
    if not names:
        return []
    details = {
        "flagged": SPLIT["flagged"],
        "clients": CLIENTS,
        "first": {"min": {"field": "@timestamp"}},
        "last": {"max": {"field": "@timestamp"}},
        "worst": {
            "top_hits": {
                "size": 1,
                "sort": [{"mlplugin.score": "desc"}, {COLUMNS["qname"]: "desc"}],
                "_source": ["mlplugin.*", "dns.question.*"],
            }
        },
    }
    buckets = {bucket["key"]: bucket for bucket in _details(ask, query, DOMAIN, names, details)}
    return [_suspect(buckets[name]) for name in names if name in buckets]


def _suspect(bucket: dict[str, Any]) -> Suspect:
    worst = bucket["worst"]["hits"]["hits"][0]["_source"]
    own = worst["mlplugin"]
    threat = own.get("threat")
    return Suspect(
        bucket["key"],
        bucket["doc_count"],
        bucket["clients"]["value"],
        bucket["flagged"]["doc_count"],
        _moment(bucket["first"]),
        _moment(bucket["last"]),
        round(float(own["score"]), 1),
        Level(own["verdict"]),
        None if threat is None else Threat(threat),
        worst["dns"]["question"]["name"],
    )


def shared_domains(
    ask: Ask, query: dict[str, Any], own: dict[str, Any], domains: list[str]
) -> set[str]:
    """Give those registered domains that are asked for beside what is one's own."""
    if not domains:
        return set()
    others = {"bool": {"filter": [query], "must_not": [own]}}
    return {bucket["key"] for bucket in _details(ask, others, DOMAIN, domains, {})}


def similar(ask: Ask, query: dict[str, Any], domain: str, label: str, limit: int) -> dict[str, int]:
    """Give registered domains that may look like one, and how often each was asked for."""
    alike: list[dict[str, Any]] = [
        {"fuzzy": {DOMAIN: {"value": domain, "fuzziness": 2, "max_expansions": MOST_EXPANSIONS}}},
        {"prefix": {DOMAIN: f"{label}."}},
        {"prefix": {DOMAIN: "xn--"}},
    ]
    narrowed = {
        "bool": {
            "filter": [query, {"bool": {"should": alike, "minimum_should_match": 1}}],
            "must_not": {"term": {DOMAIN: domain}},
        }
    }
    frequent = _frequent(ask, narrowed, DOMAIN, limit)
    if not frequent:
        return {}
    return {
        bucket["key"]: bucket["doc_count"]
        for bucket in _details(ask, narrowed, DOMAIN, frequent, {})
    }
