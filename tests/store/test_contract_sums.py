"""What every store sums up, against sums made by hand."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from mlplugin.store.columns import EVENTS
from mlplugin.store.port import Filter, Row, Store
from mlplugin.store.sums import COLUMNS, SLICED_BY, Bin, Count, Slice, Suspect
from mlplugin.verdict import Level, Source, Threat
from tests.support.events import NOON, event, table
from tests.support.sums import counted, sliced

AT = datetime.fromtimestamp(NOON / 1e6, UTC)
EPOCH = datetime.fromtimestamp(0, UTC)
DOMAINS = ("example.org", "examp1e.org", "example.co.uk", "other.net", "xn--exmple-cua.org", "b.de")
ROWS = 400


def made() -> list[dict[str, Any]]:
    """Events of three hours, with every kind of value."""
    dice = random.Random(11)
    found = []
    for n in range(ROWS):
        domain = dice.choice(DOMAINS)
        score = dice.choice((None, None, 12.3, 29.9, 30.0, 41.5, 60.0))
        level = "benign" if score is None or score < 30 else "suspicious"
        level = "malicious" if score and score > 37 else level
        found.append(
            event(
                n,
                time=NOON + dice.randrange(3 * 3600) * 1_000_000,
                client=f"192.0.2.{dice.randrange(5)}",
                qname=domain if dice.random() < 0.3 else f"h{dice.randrange(6)}.{domain}",
                registered_domain=domain,
                qtype=dice.choice(("A", "AAAA", "TXT")),
                rcode=dice.choice(("NOERROR", "NXDOMAIN", None)),
                answers=dice.choice(
                    (None, ["192.0.2.80"], ["192.0.2.80", "192.0.2.81"], ["a.example.net"])
                ),
                score=score,
                verdict=level,
                threat=None if level == "benign" else dice.choice(("dga", "scam")),
                action="nxdomain" if level == "malicious" else None,
                source="reputation" if dice.random() < 0.2 and score is None else "model",
                **_other(dice),
            )
        )
    found.append(event(ROWS, qname="org", registered_domain=None))
    return found


def _other(dice: random.Random) -> dict[str, Any]:
    """What a candidate thought otherwise, now and then."""
    if dice.random() < 0.9:
        return {}
    return {"shadow_verdict": "suspicious", "shadow_score": 31.5, "shadow_model": dice.choice("ab")}


@pytest.fixture(scope="module")
def rows(read_store: Store) -> list[Row]:
    read_store.append("one", table(made()[::2]))
    read_store.append("two", table(made()[1::2]))
    return read_store.search(Filter(), 10_000).rows


def close(one: Count, other: Count) -> bool:
    """Equal, times to the millisecond."""
    apart = timedelta(milliseconds=1)
    return (
        (one.value, one.queries, one.flagged, one.blocked, one.clients, one.score)
        == (other.value, other.queries, other.flagged, other.blocked, other.clients, other.score)
        and abs(one.first - other.first) < apart
        and abs(one.last - other.last) < apart
    )


@pytest.mark.parametrize("column", COLUMNS)
def test_top(read_store: Store, rows: list[Row], column: str) -> None:
    for limit in (3, 100):
        expected = counted(rows, column)[:limit]
        found = read_store.top(Filter(), column, limit)
        assert len(found) == len(expected) > 1
        assert all(map(close, found, expected)), (found, expected)


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(domain="example.org"),
        Filter(client=ip_network("192.0.2.1")),
        Filter(client=ip_network("192.0.2.0/31"), qname="*.example.org"),
        Filter(qtype="A", since=AT + timedelta(hours=1)),
        Filter(qname="none.example"),
    ],
)
def test_summary(read_store: Store, rows: list[Row], wanted: Filter) -> None:
    some = read_store.search(wanted, 10_000).rows
    assert (len(some) > 0) == (wanted.qname != "none.example")
    found = read_store.summary(wanted, COLUMNS, 4)
    assert found.stats == read_store.stats(wanted)
    assert found.stats.queries == len(some) < len(rows)
    assert found.stats.by_rcode == Counter(row["rcode"] for row in some if row["rcode"])
    assert set(found.top) == set(COLUMNS)
    for column, counts in found.top.items():
        expected = counted(some, column)[:4]
        assert len(counts) == len(expected)
        assert all(map(close, counts, expected)), (counts, expected)


def test_span(read_store: Store, rows: list[Row]) -> None:
    assert read_store.span() == (rows[-1]["time"], rows[0]["time"])


@pytest.mark.parametrize("by", [*SLICED_BY, None])
@pytest.mark.parametrize("step", [60, 1000, 86_400])
def test_timeline(read_store: Store, rows: list[Row], step: int, by: str | None) -> None:
    def ordered(slices: list[Slice]) -> list[Slice]:
        return sorted(slices, key=lambda one: (one.time, one.value or ""))

    assert ordered(read_store.timeline(Filter(), step, by)) == sliced(rows, step, by)
    wanted = Filter(
        qtype="A", since=AT + timedelta(seconds=100.5), until=AT + timedelta(seconds=7000)
    )
    some = read_store.search(wanted, 10_000).rows
    assert ordered(read_store.timeline(wanted, step, by)) == sliced(some, step, by)


def test_a_timeline_of_all_times(read_store: Store, rows: list[Row]) -> None:
    wanted = Filter(since=EPOCH, until=datetime(9999, 1, 1, tzinfo=UTC))
    for step in (365 * 86_400, 54 * 365 * 86_400):
        assert read_store.timeline(wanted, step, None) == sliced(rows, step, None)


def test_scores(read_store: Store, rows: list[Row]) -> None:
    some = [row for row in rows if row["source"] == "model"]
    by: dict[int, list[Row]] = defaultdict(list)
    for row in some:
        by[min(int(row["score"]), 59)].append(row)
    expected = [Bin(n, len(by[n]), len({row["qname"] for row in by[n]})) for n in sorted(by)]
    assert read_store.scores(Filter(source=Source.MODEL)) == expected
    assert [one.score for one in expected] == [0, 12, 29, 30, 41, 59]


def test_suspects(read_store: Store, rows: list[Row]) -> None:
    some = [row for row in rows if row["score"] >= 29.9 and row["qtype"] == "A"]
    by: dict[str, list[Row]] = defaultdict(list)
    for row in some:
        by[row["registered_domain"]].append(row)
    found = read_store.suspects(Filter(min_score=29.9, qtype="A"), 100)
    ranks = [(-one.flagged, -one.queries, one.name) for one in found]
    assert ranks == sorted(ranks)
    assert {one.name for one in found} == set(by)
    for one in found:
        below = by[one.name]
        assert one.queries == len(below)
        assert one.flagged == sum(row["verdict"] != "benign" for row in below)
        assert one.clients == len({row["client"] for row in below})
        assert one.score == max(row["score"] for row in below)
        assert (one.qname, one.verdict, one.threat) in {
            (row["qname"], row["verdict"], row["threat"])
            for row in below
            if row["score"] == one.score
        }
        assert abs(one.first - min(row["time"] for row in below)) < timedelta(milliseconds=1)
        assert abs(one.last - max(row["time"] for row in below)) < timedelta(milliseconds=1)
    assert read_store.suspects(Filter(min_score=29.9, qtype="A"), 2) == found[:2]
    assert isinstance(found[0], Suspect)
    assert found[0].verdict is Level.MALICIOUS
    assert isinstance(found[0].threat, Threat)


@pytest.mark.parametrize("client", ["192.0.2.1", "192.0.2.99"])
@pytest.mark.parametrize("minutes", [6, 60])
@pytest.mark.parametrize("limit", [2, 100])
def test_a_portrait(
    read_store: Store, rows: list[Row], client: str, minutes: int, limit: int
) -> None:
    wanted = Filter(client=ip_network(client), until=AT + timedelta(minutes=minutes))
    some = [row for row in rows if row["time"] < AT + timedelta(minutes=minutes)]
    mine = [row for row in some if row["client"] == client]
    found = read_store.portrait(wanted, limit, 3)
    assert found.summary.stats.queries == len(mine)
    for column in ("qname", "registered_domain"):
        assert found.summary.top[column] == read_store.top(wanted, column, limit)
        told = [(one.value, one.queries) for one in found.summary.top[column]]
        expected = [(one.value, one.queries) for one in counted(mine, column)]
        assert told == expected[:limit]
    flagged = counted([row for row in mine if row["verdict"] != "benign"], "qname")
    assert [(one.value, one.queries) for one in found.flagged] == [
        (one.value, one.queries) for one in flagged[:3]
    ]
    domains = {one.value for one in found.summary.top["registered_domain"]}
    others = {row["registered_domain"] for row in some if row["client"] != client}
    assert found.shared == others & domains


def test_similar(read_store: Store, rows: list[Row]) -> None:
    found = read_store.similar(Filter(), "example.org", "example", 100)
    expected = [
        (one.value, one.queries)
        for one in counted(rows, "registered_domain")
        if one.value in {"examp1e.org", "example.co.uk", "xn--exmple-cua.org"}
    ]
    assert len(found) == 3
    assert list(found.items()) == expected


def test_an_empty_store_has_empty_sums(store: Store) -> None:
    assert store.span() is None
    assert store.top(Filter(), "qname", 5) == []
    assert store.timeline(Filter(), 60, "verdict") == []
    assert store.scores(Filter()) == store.suspects(Filter(), 5) == []
    assert store.similar(Filter(), "example.org", "example", 5) == {}
    empty = store.summary(Filter(), ("qname", "client"), 5)
    assert (empty.stats.queries, dict(empty.top)) == (0, {"qname": [], "client": []})
    store.append("one", EVENTS.empty_table(), None)
    assert store.span() is None
