"""Histories that the embedded store sums up in small pieces, and whether the sums are true."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from mlplugin.store import duckdb_often, duckdb_rows, duckdb_summing, duckdb_upkeep
from mlplugin.store.duckdb_pieces import Piece, read
from mlplugin.store.duckdb_store import DuckDBStore
from mlplugin.store.port import Filter
from mlplugin.store.sums import SLICED_BY
from mlplugin.verdict import Level, Threat
from tests.support.events import NOON, event
from tests.support.sums import counted, sliced

DAY = 86_400
BEGIN = datetime.fromtimestamp(NOON / 1e6, UTC)
FLAGGED = (Level.SUSPICIOUS, Level.MALICIOUS)
DOMAINS = ("example.org", "example.net", "b.de", None)
LATER = BEGIN + timedelta(days=365)


def made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_summing, "PIECE_EVENTS", 25)
    monkeypatch.setattr(duckdb_summing, "TOGETHER", 2)
    monkeypatch.setattr(duckdb_summing, "OFTEN", 2)
    monkeypatch.setattr(duckdb_often, "LEAST_EVENTS", 1)
    monkeypatch.setattr(duckdb_summing, "PART_NAMES", 10)
    # Sums about one name, domain or client are added up from pieces too, as of a large history.
    monkeypatch.setattr(duckdb_rows, "MOST_KEPT", 30)
    monkeypatch.setattr(duckdb_rows, "FEW_EVENTS", 30)
    monkeypatch.setattr(duckdb_rows, "SELDOM", 60)
    monkeypatch.setattr(duckdb_upkeep, "CALM_SECONDS", 0.0)
    monkeypatch.setattr(duckdb_upkeep.Upkeep, "_begin", lambda *_: None)
    monkeypatch.setattr(duckdb_summing, "MOST_LEFT", 0.9)


def some(dice: random.Random, numbers: range, begin: int, seconds: int) -> list[dict[str, Any]]:
    """Events of a stretch of time, with every kind of value."""
    found = []
    for number in numbers:
        domain = dice.choice(DOMAINS)
        level = dice.choice(("benign", "benign", "benign", "suspicious", "malicious"))
        found.append(
            event(
                number,
                time=NOON + (begin + dice.randrange(seconds)) * 1_000_000 + dice.randrange(1000),
                client=f"192.0.2.{dice.randrange(6)}",
                qname=f"h{dice.randrange(5)}.{domain or 'org'}" if dice.random() < 0.8 else "org",
                registered_domain=None,
                qtype=dice.choice(("A", "AAAA")),
                rcode=dice.choice(("NOERROR", "NXDOMAIN", None)),
                verdict=level,
                threat=None if level == "benign" else dice.choice(("dga", "scam")),
                score=dice.choice((None, 0.5, 31.0, 41.5)),
                action=dice.choice((None, "nxdomain")),
                source=dice.choice(("model", "reputation")),
            )
        )
        # A name's domain is another one for an older sensor, now and then.
        if domain and found[-1]["qname"].endswith(f".{domain}") and dice.random() < 0.9:
            found[-1]["registered_domain"] = domain
    return found


RANGES = [
    {},
    {"since": BEGIN + timedelta(hours=20)},
    {"since": BEGIN + timedelta(hours=9.7), "until": BEGIN + timedelta(hours=61.3)},
    {"until": BEGIN},
]
FILTERS: list[dict[str, Any]] = [
    {},
    {"verdicts": FLAGGED},
    {"verdicts": (Level.BENIGN,)},
    {"verdicts": (Level.MALICIOUS,)},
    {"threat": Threat.DGA, "action": "nxdomain"},
    {"rcode": "NXDOMAIN", "sensor": "two"},
    {"qtype": "A"},
    {"min_score": 31.0},
    {"domain": "example.org"},
    {"qname": "*.example.*"},
    {"qname": "h1*"},
    {"qname": "h1.example.org"},
    {"qname": "h1*", "domain": "example.org"},
    {"qname": "h1*", "domains": ("example.org", "b.de"), "verdicts": FLAGGED},
    {"client": ip_network("192.0.2.2")},
    {"client": ip_network("192.0.2.2/31")},
    {"client": ip_network("192.0.2.0/30"), "threat": Threat.DGA},
    {"client": ip_network("10.0.0.0/8")},
    {"client": ip_network("192.0.2.2/31"), "domain": "example.org"},
    {"domains": ("example.org", "b.de")},
    {"domains": ()},
]


EVERY = [Filter(**{**said, **within}) for within in RANGES for said in FILTERS]


def assert_true(store: DuckDBStore, dice: random.Random | None = None) -> None:
    """Every piece has the sums of its events, and some answers are the sums over the rows."""
    with store._file.reading() as connection:
        for piece in read(connection):
            for name, kept, plain, counts in SUMMED:
                if piece.level and name != "sums_by_name":
                    continue
                found = connection.execute(
                    f"SELECT {kept} FROM {name} WHERE piece = ? ORDER BY ALL",  # noqa: S608
                    [piece.id],
                )
                there = found.fetchall()
                found = connection.execute(
                    f"SELECT {plain}, {counts} FROM events WHERE time >= ? AND time < ? "  # noqa: S608
                    "GROUP BY ALL ORDER BY ALL",
                    [piece.since, piece.until],
                )
                assert there == found.fetchall()
    for wanted in (dice or random.Random(1)).sample(EVERY, 4):
        assert_sums(store, wanted)


KEYS = "sensor, qtype, rcode, verdict, threat, source, action"
SUMMED = (
    ("sums_by_time", f"slot, {KEYS}, n", f"time_bucket(INTERVAL 600 SECOND, time), {KEYS}",
     "count(*)"),
    ("sums_by_client", f"client, {KEYS}, n, first, last, score", f"client, {KEYS}",
     "count(*), min(time), max(time), max(score)"),
    ("sums_by_name", "qname, domain_length, n, flagged", "qname, domain_length",
     "count(*), count(*) FILTER (verdict <> 'benign')"),
)  # fmt: skip


def assert_sums(store: DuckDBStore, wanted: Filter) -> None:
    page = store.search(wanted, 100_000)
    rows = page.rows
    assert page.total == len(rows)
    for column in ("qname", "registered_domain", "client", "qtype", "rcode", "sensor", "threat"):
        assert store.top(wanted, column, 3) == counted(rows, column)[:3], (wanted, column)
    domains = [(one.value, one.queries) for one in counted(rows, "registered_domain")]
    alike = [(value, queries) for value, queries in domains if value.startswith("example.")]
    found = store.similar(wanted, "example.com", "example", 3)
    assert list(found.items()) == alike, wanted
    found = store.summary(wanted, ("qname", "registered_domain"), 3).top
    for column in ("qname", "registered_domain"):
        assert found[column] == counted(rows, column)[:3], (wanted, column)
    stats = store.stats(wanted)
    assert stats.queries == len(rows)
    assert stats.names == len({row["qname"] for row in rows})
    assert stats.clients == len({row["client"] for row in rows})
    assert stats.first == min((row["time"] for row in rows), default=None)
    assert stats.last == max((row["time"] for row in rows), default=None)
    assert sum(one.queries for one in store.scores(wanted)) == len(rows)
    assert stats.by_rcode == {one.value: one.queries for one in counted(rows, "rcode")}
    for by in (*SLICED_BY, None):
        found = store.timeline(wanted, 7200, by)
        assert sorted(found, key=lambda one: (one.time, one.value or "")) == sliced(rows, 7200, by)
    client = wanted.client
    if client is not None and client.prefixlen == client.max_prefixlen:
        others = replace(wanted, client=None)
        shared = {
            row["registered_domain"]
            for row in store.search(others, 100_000).rows
            if row["client"] != str(client.network_address)
        } & {"example.org", "b.de"}
        found = store.portrait(wanted, 3, 2)
        assert found.summary == store.summary(wanted, ("qname", "registered_domain"), 3)
        flagged = [row for row in rows if row["verdict"] != "benign"]
        assert found.flagged == counted(flagged, "qname")[:2]
        assert found.shared & {"example.org", "b.de"} == shared & {
            one.value for one in found.summary.top["registered_domain"]
        }


def assert_quickly(store: DuckDBStore) -> None:
    with store._file.reading() as connection:
        ((queries, names, clients),) = connection.execute(
            "SELECT count(*), count(DISTINCT qname), count(DISTINCT client) FROM events"
        ).fetchall()
    found = store.stats(Filter())
    assert (found.queries, found.names, found.clients) == (queries, names, clients)
    assert sum(one.queries for one in store.timeline(Filter(), 3600, "qtype")) == queries


def pieces(store: DuckDBStore) -> list[Piece]:
    with store._file.reading() as connection:
        return read(connection)
