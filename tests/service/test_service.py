"""The use cases together: ingest, search, vetting, verdicts, retention."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import pytest

from mlplugin.errors import InvalidNameError, StoreError, UsageError
from mlplugin.model import load
from mlplugin.service import judging, vetting
from mlplugin.service.batch import BatchError
from mlplugin.service.history import Asked, History, read_cursor, write_cursor
from mlplugin.service.overrides import parse_address
from mlplugin.service.retention import Bounds
from mlplugin.service.service import Service, assemble
from mlplugin.store import open_store
from mlplugin.store.port import Filter, Order, Override, Position, Size
from mlplugin.verdict import Level
from tests.service.conftest import TINY
from tests.support.events import event, ndjson

COUNTERS = '{"started": 5, "served": 12, "dropped": {"queue_full": 2}}'


def test_stored_and_dropped_are_served(service: Service) -> None:
    done = service.ingest.take("edge", ndjson(event(n) for n in range(10)), counters=COUNTERS)
    assert (done.stored, done.known) == (10, 0)
    stats = service.history.stats(Asked())
    assert stats["queries"] + stats["dropped"] == stats["served"] == 12
    assert stats["sensors"] == [
        {
            "name": "edge",
            "stored": 10,
            "served": 12,
            "dropped": 2,
            "dropped_by_reason": {"queue_full": 2},
        }
    ]


@pytest.mark.parametrize(
    "counters",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"started": 1, "served": -1, "dropped": {}}',
        '{"started": 1, "served": 1.5, "dropped": {}}',
        '{"started": 1, "served": 1, "dropped": {"Bad Reason": 1}}',
        '{"started": 1, "served": 1, "dropped": {"queue_full": "2"}}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:20],
)
def test_broken_counters_store_nothing(counters: str, service: Service) -> None:
    with pytest.raises(BatchError) as caught:
        service.ingest.take("edge", ndjson([event(1)]), counters=counters)
    assert caught.value.status == 422
    assert service.store.size().rows == 0


@pytest.mark.parametrize("sensor", ["", "x" * 256, "line\nbreak"])
def test_broken_sensors(sensor: str, service: Service) -> None:
    with pytest.raises(BatchError):
        service.ingest.take(sensor, ndjson([event(1)]))


def test_one_bad_line_stores_nothing(service: Service) -> None:
    with pytest.raises(BatchError):
        service.ingest.take("edge", ndjson([event(1), event(2, verdict="evil")]))
    assert service.store.size().rows == 0


# Search


def test_names_are_asked_for_as_people_write_them(service: Service) -> None:
    service.ingest.take("edge", ndjson([event(1, qname="xn--mnchen-3ya.example.org")]))
    for text in ("MÜNCHEN.example.org.", "xn--mnchen-3ya.EXAMPLE.org", "*.Example.org", "xn--*"):
        assert service.history.search(Asked(qname=text), 10, None)["total"] == 1, text
    (row,) = service.history.search(Asked(), 10, None)["queries"]
    assert row["time"] == "2026-09-21T14:13:21Z"


@pytest.mark.parametrize(
    "asked",
    [
        Asked(qname="a..b"),
        Asked(qname="*\n"),
        Asked(domain=""),
        Asked(client="nobody"),
        Asked(verdict="evil"),
        Asked(threat="ghosts"),
        Asked(action="explode"),
        Asked(verdict="malicious,evil"),
        Asked(verdict=""),
        Asked(source="rumour"),
        Asked(min_score="high"),
        Asked(min_score="nan"),
        Asked(max_score=60.5),
        Asked(max_score="-1"),
        Asked(since="tomorrow"),
        Asked(until="9999999999999"),
        Asked(since="2026-11-02T00:00:00Z", until="2026-11-01T00:00:00Z"),
        Asked(since="1h", until="2h"),
        Asked(min_score=40, max_score="39.9"),
    ],
    ids=str,
)
def test_filters_that_make_no_sense(asked: Asked, service: Service) -> None:
    with pytest.raises((UsageError, InvalidNameError)):
        service.history.search(asked, 10, None)


def test_cursors() -> None:
    position = Position(1_790_000_000_000_000, 'sensor "ü"', 2**62)
    assert read_cursor(write_cursor(position)) == position
    for order, value in ((Order.OLDEST, None), (Order.SCORE, 33.3), (Order.DURATION, -1)):
        there = replace(position, value=value)
        text = write_cursor(there, order)
        assert read_cursor(text, order) == there
        with pytest.raises(UsageError, match="another sort"):
            read_cursor(text, Order.NEWEST)
        with pytest.raises(UsageError):
            read_cursor(write_cursor(position), order)
        with pytest.raises(UsageError):
            read_cursor(write_cursor(replace(position, value=2.0**63), order), order)


@pytest.mark.parametrize("text", ["", "x", "!!!", "bnVsbA", "WzEsMiwzXQ", "W10", "é", "A" * 99])
def test_forged_cursors(text: str) -> None:
    with pytest.raises(UsageError):
        read_cursor(text)


def test_what_is_known_of_a_name_and_a_client(service: Service) -> None:
    rows = [event(n, qname=f"h{n % 3}.example.org") for n in range(9)]
    rows.append(event(9, qname="other.example.net", registered_domain="example.net"))
    service.ingest.take("edge", ndjson(rows))
    domain = service.history.domain("Example.ORG", Asked())
    assert (domain["name"], domain["queries"], domain["names"]) == ("example.org", 9, 3)
    assert domain["top_names"][0] == {
        "value": "h0.example.org", "queries": 3, "flagged": 0, "blocked": 0, "clients": 1,
    }  # fmt: skip
    assert service.history.domain("h1.example.org", Asked())["queries"] == 3
    assert service.history.domain("none.example", Asked())["queries"] == 0
    client = service.insight.client("192.0.2.1", Asked(until="2026-09-21T14:13:25Z"))
    assert (client["queries"], client["names"]) == (5, 3)
    assert [one["value"] for one in client["top_domains"]] == ["example.org"]


# Vetting


def policy(service: Service) -> Any:
    return json.loads(service.vetting.snapshot().body)


def test_a_decision_is_in_the_policy_and_in_the_verdict(service: Service) -> None:
    empty = service.vetting.snapshot()
    assert service.vetting.snapshot() == empty, "it changes only with what it holds"
    service.vetting.decide("Example.NET.", "blocked", who="ann", reason="why")
    found = policy(service)
    assert service.vetting.snapshot().etag != empty.etag
    (entry,) = found["overrides"]
    assert (entry["name"], entry["scope"], entry["client"]) == ("example.net", "subdomains", None)
    assert found["model"] == {"version": service.model.version, "sha256": service.model.sha256}
    (verdict,) = service.judging.classify(["www.example.net"], explain=True)
    assert (verdict["verdict"], verdict["source"]) == ("malicious", "override")
    assert verdict["reasons"][0]["kind"] == "override"
    assert service.vetting.take_back("example.net", None, who="bob")
    assert policy(service)["overrides"] == []
    assert service.vetting.snapshot().etag == empty.etag
    assert [change.status for change in service.store.changes(9)] == ["unvetted", "blocked"]


def test_a_decision_for_one_subnet(service: Service) -> None:
    service.vetting.decide("example.net", "benign", who="ann")
    service.vetting.decide("example.net", "blocked", who="ann", client="192.0.2.0/24")
    inside, outside = parse_address("192.0.2.9"), parse_address("198.51.100.9")
    assert service.judging.judge("example.net", inside).level is Level.MALICIOUS
    assert service.judging.judge("example.net", outside).level is Level.BENIGN
    assert service.vetting.find("example.net", "192.0.2.0/24") is not None
    assert service.vetting.find("example.net", "192.0.2.9") is None


class Later(datetime):
    """A clock two hours on."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(hours=2)


def test_an_expired_decision_is_over(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    service.vetting.decide("example.net", "blocked", who="ann", expires=soon)
    assert len(service.vetting.all()) == 1
    assert service.judging.judge("example.net", None).source == "override"
    for module in (vetting, judging):
        monkeypatch.setattr(module, "datetime", Later)
    assert service.vetting.all() == []
    assert policy(service)["overrides"] == []
    assert service.judging.judge("example.net", None).source != "override"


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "a..b"},
        {"status": "evil"},
        {"scope": "galaxy"},
        {"client": "nobody"},
        {"expires": datetime(2020, 1, 1, tzinfo=UTC)},
        {"reason": "x" * 1001},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_decisions_that_make_no_sense(changed: dict[str, Any], service: Service) -> None:
    wanted: dict[str, Any] = {"name": "example.net", "status": "blocked", **changed}
    with pytest.raises((UsageError, InvalidNameError)):
        service.vetting.decide(wanted.pop("name"), wanted.pop("status"), who="ann", **wanted)
    assert service.store.changes(1) == []


# Verdicts

NAMES = ["www.wikipedia.org", "Example.COM", "xjq7vzk2mwpt9rb.com", "kq3v9zx8w7ypl2m.info", "."]


def test_verdicts_are_the_models(service: Service) -> None:
    found = service.judging.classify([*NAMES, "a..b", "\x1b[31m.example.org", NAMES[0]])
    assert [one.get("error") is not None for one in found] == [False] * 5 + [True, True, False]
    assert found[6]["qname"] == r"\x1b[31m.example.org"
    for name, answer in zip(NAMES, found, strict=False):
        assert answer == service.model.judge(name).to_json()
    explained = service.judging.classify(NAMES, explain=True)
    for name, answer in zip(NAMES, explained, strict=True):
        assert answer["reasons"] == [reason.to_json() for reason in service.model.explain(name)]
    assert service.judging.classify([]) == []


def test_the_originals_probability(service: Service) -> None:
    names = [f"{n:x}{n * 7919:x}.{'com' if n % 2 else 'info'}" for n in range(1, 400)]
    pairs = sorted(
        (verdict.score, float(service.judging.probability(name, None)), verdict.level)
        for name in names
        for verdict in [service.model.judge(name)]
    )
    assert [p for _, p, _ in pairs] == sorted(p for _, p, _ in pairs), "it rises with the score"
    for _, p, level in pairs:
        assert (p >= 0.5) == (level is Level.MALICIOUS)
        assert 0 <= p <= 1
    assert len({level for *_, level in pairs}) > 1, "names of one level prove nothing"
    service.vetting.decide("example.net", "honeypot", who="ann")
    assert service.judging.probability("www.example.net", None) == "1.00"
    service.vetting.decide("example.net", "benign", who="ann")
    assert service.judging.probability("www.example.net", None) == "0.00"


# Pages and scrapes


def test_reloading_does_not_load_the_store(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    asked: list[str] = []

    def count(name: str, real: Any) -> Any:
        def counted(*given: Any) -> Any:
            asked.append(name)
            return real(*given)

        return counted

    for name in ("stats", "size", "search"):
        monkeypatch.setattr(service.store, name, count(name, getattr(service.store, name)))
    history = History(service.store, lambda: now)
    for _ in range(10):
        assert history.size().rows == 0
    assert asked == ["size"]
    service.ingest.take("edge", ndjson([event(1)]))
    now += 4.9
    assert history.size().rows == 0
    assert history.stats(Asked())["queries"] == 1, "what the interface tells is exact"
    now += 0.2
    assert history.size().rows == 1


def test_a_fault_is_not_kept(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    real, faults = service.store.size, [StoreError("gone")]

    def flaky() -> Size:
        if faults:
            raise faults.pop()
        return real()

    monkeypatch.setattr(service.store, "size", flaky)
    history = History(service.store)
    with pytest.raises(StoreError):
        history.size()
    assert history.size().rows == 0


# Retention


def test_retention_runs_by_itself(tmp_path: Path) -> None:
    now = int(time.time() * 1e6)
    old = [event(n, time=now - 3 * 86_400_000_000 + n) for n in range(100)]
    new = [event(n, time=now + n) for n in range(100, 150)]
    service = assemble(open_store(None, tmp_path), load(TINY))
    service.ingest.take("edge", ndjson([*old, *new]))
    service.close()
    service = assemble(open_store(None, tmp_path), load(TINY), Bounds(days=2))
    end = time.monotonic() + 20
    while service.store.size().rows > 50 and time.monotonic() < end:
        time.sleep(0.02)
    assert service.store.size().rows == 50
    assert service.store.stats(Filter()).queries == 50
    service.close()


def test_expired_decisions_go_after_a_day(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    store = open_store(None, tmp_path)
    for name, hours in (("old.example.org", 25), ("fresh.example.org", 23)):
        expires, created = now - timedelta(hours=hours), now - timedelta(days=3)
        store.put_override(Override(name, "name", "blocked", None, expires, "", created), "ann")
    service = assemble(store, load(TINY))
    end = time.monotonic() + 20
    while len(store.overrides()) > 1 and time.monotonic() < end:
        time.sleep(0.02)
    assert [one.name for one in store.overrides()] == ["fresh.example.org"]
    (change, *_) = store.changes(9)
    assert (change.name, change.status, change.who) == ("old.example.org", "expired", "retention")
    service.close()
