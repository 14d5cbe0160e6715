"""A filter as a query, and counts as aggregations."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from ipaddress import IPv6Network, ip_network
from typing import Any

from mlplugin.store.port import OBSERVE, Filter, Network, Order, Position
from mlplugin.verdict import Level

# What a time in nanoseconds can be.
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
MAPPED = IPv6Network("::ffff:0:0/96")  # where the engines keep IPv4
# Up to so many distinct values are counted about exactly; more within some percent.
EXACT = 40_000

NEWEST = [{"@timestamp": "desc"}, {"observer.name": "desc"}, {"event.sequence": "desc"}]
OLDEST = [{"@timestamp": "asc"}, {"observer.name": "asc"}, {"event.sequence": "asc"}]
FLAGGED = {"bool": {"must_not": {"term": {"mlplugin.verdict": str(Level.BENIGN)}}}}
BLOCKED = {"bool": {"must_not": {"term": {"event.action": OBSERVE}}}}

COLUMNS = {
    "qname": "dns.question.name",
    "registered_domain": "dns.question.registered_domain",
    "client": "client.address",
    "qtype": "dns.question.type",
    "rcode": "dns.response_code",
    "sensor": "observer.name",
    "threat": "mlplugin.threat",
    "answer": "dns.answers.data",
    "verdict": "mlplugin.verdict",
    "action": "event.action",
    "shadow_model": "mlplugin.shadow.model",
}
# A query without a duration is behind all others; -1 stands for it.
SORTS: dict[Order, list[dict[str, Any]]] = {
    Order.NEWEST: [*NEWEST],
    Order.OLDEST: [*OLDEST],
    Order.SCORE: [{"mlplugin.score": "desc"}, *NEWEST],
    Order.DURATION: [{"event.duration": {"order": "desc", "missing": -1}}, *NEWEST],
}


def when(moment: datetime) -> str:
    """A time as the engines read it."""
    clamped = min(max(moment.astimezone(UTC), FIRST), LAST)
    return clamped.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def behind(position: Position, order: Order) -> list[Any]:
    """A position as the values of a sort; none is later than a time can be."""
    time = min(position.time, int(LAST.timestamp()) * 1_000_000)
    place = [time * 1000, position.sensor, position.sequence]
    if order not in (Order.SCORE, Order.DURATION):
        return place
    value = position.value or 0
    if order is Order.DURATION and value > 0:
        value = min(int(value) * 1000, 2**63 - 1)
    return [value, *place]


def scored_first(body: dict[str, Any]) -> dict[str, Any]:
    """The same search, where its sort begins with the time, behind a score that all hits share."""
    sort = body.get("sort")
    if not sort or "@timestamp" not in sort[0]:
        return body
    changed = {**body, "query": {"bool": {"filter": [body["query"]]}}, "sort": ["_score", *sort]}
    if "search_after" in body:
        changed["search_after"] = [0.0, *body["search_after"]]
    return changed


def half(score: float) -> float:
    """A score as the engines keep it, in half of a float."""
    (kept,) = struct.unpack("e", struct.pack("e", score))
    return float(kept)


def condition(wanted: Filter) -> dict[str, Any]:
    """Give the query of a filter."""
    must: list[dict[str, Any]] = []
    if wanted.qname is not None:
        must.append(_name(wanted.qname))
    for field, value in (
        ("dns.question.registered_domain", wanted.domain),
        ("mlplugin.threat", wanted.threat),
        ("mlplugin.source", wanted.source),
        ("event.action", wanted.action),
        ("dns.response_code", wanted.rcode),
        ("dns.question.type", wanted.qtype),
        ("observer.name", wanted.sensor),
        ("mlplugin.shadow.model", wanted.shadow_model),
    ):
        if value is not None:
            must.append({"term": {field: str(value)}})
    for field, levels in (
        ("mlplugin.verdict", wanted.verdicts),
        ("mlplugin.shadow.verdict", wanted.shadow),
    ):
        if levels:
            must.append({"terms": {field: [str(level) for level in levels]}})
    if wanted.domains is not None:
        must.append({"terms": {"dns.question.registered_domain": list(wanted.domains)}})
    scores = {"gte": wanted.min_score, "lte": wanted.max_score}
    bounds = {sign: half(score) for sign, score in scores.items() if score is not None}
    if bounds:
        must.append({"range": {"mlplugin.score": bounds}})
    if wanted.client is not None:
        must.append(_client(wanted.client))
    span = {"gte": wanted.since, "lt": wanted.until}
    given = {sign: when(moment) for sign, moment in span.items() if moment is not None}
    if given:
        must.append({"range": {"@timestamp": given}})
    return {"bool": {"filter": must}} if must else {"match_all": {}}


def _name(qname: str) -> dict[str, Any]:
    if "*" not in qname:
        return {"term": {"dns.question.name": qname}}
    pattern = qname.replace("\\", "\\\\").replace("?", "\\?")
    return {"wildcard": {"dns.question.name": {"value": pattern}}}


def _client(client: Network) -> dict[str, Any]:
    if client.prefixlen == client.max_prefixlen:
        return {"term": {"client.address": str(client.network_address)}}
    inside: dict[str, Any] = {"term": {"client.ip": str(client)}}
    if client.version == 6 and MAPPED.subnet_of(client):
        others = {"term": {"client.ip": str(ip_network("0.0.0.0/0"))}}
        return {"bool": {"filter": [inside], "must_not": [others]}}
    return inside


def counts() -> dict[str, Any]:
    """Give the aggregations of `Stats`."""
    return {
        "clients": {"cardinality": {"field": "client.address", "precision_threshold": EXACT}},
        "names": {"cardinality": {"field": "dns.question.name", "precision_threshold": EXACT}},
        "flagged": {"filter": FLAGGED},
        "blocked": {"filter": BLOCKED},
        "verdict": {"terms": {"field": "mlplugin.verdict", "size": 10}},
        "threat": {"terms": {"field": "mlplugin.threat", "size": 20}},
        "action": {"terms": {"field": "event.action", "size": 20}},
        "rcode": {"terms": {"field": "dns.response_code", "size": 50}},
    }
