"""What every store does, whatever it is made of."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from mlplugin.service.batch import BatchError
from mlplugin.service.ingest import Ingest
from mlplugin.store.columns import EVENTS, QUERIES
from mlplugin.store.port import (
    QUERY_COLUMNS,
    Appended,
    Change,
    Counters,
    Filter,
    Order,
    Override,
    Page,
    Position,
    Store,
)
from mlplugin.verdict import Level, Source, Threat
from tests.store.conftest import DUCKDB, Open
from tests.support.events import NOON, event, ndjson, table
from tests.support.threads import together

AT = datetime.fromtimestamp(NOON / 1e6, UTC)


def sequences(store: Store, wanted: Filter | None = None) -> list[int]:
    page = store.search(wanted or Filter(), 10_000)
    assert page.total == len(page.rows)
    assert page.next is None
    return [row["sequence"] for row in page.rows]


def places(page: Page) -> list[tuple[datetime, str, int]]:
    return [(row["time"], row["sensor"], row["sequence"]) for row in page.rows]


def append(store: Store, numbers: Any, sensor: str = "one", **changed: Any) -> Appended:
    return store.append(sensor, table(event(number, **changed) for number in numbers))


# Once each


def test_a_new_store_is_empty(store: Store) -> None:
    assert sequences(store) == []
    stats = store.stats(Filter())
    assert (stats.queries, stats.first, stats.last, dict(stats.by_verdict)) == (0, None, None, {})
    assert store.sensors() == []
    assert store.overrides() == []


@pytest.mark.parametrize(
    ("batches", "stored"),
    [
        ([range(10)], [10]),
        ([range(10), range(10)], [10, 0]),
        ([range(10), range(5, 15)], [10, 5]),
        ([range(5, 15), range(10)], [10, 5]),
        ([range(3), range(6, 9), range(12)], [3, 3, 6]),
        ([[3, 1, 2], [1, 2, 3, 4]], [3, 1]),
        ([[1, 1, 2, 2, 1]], [2]),
        ([[5, 0, 9], [9, 5, 0], [1, 8]], [3, 0, 2]),
        ([range(0, 20, 2), range(1, 20, 2), range(20)], [10, 10, 0]),
        ([[2**62, 0], [2**62, 2**62 - 1]], [2, 1]),
    ],
    ids=[
        "new", "again", "overlap after", "overlap before", "gaps filled", "out of order",
        "doubles inside", "scattered", "interleaved", "far apart",
    ],
)  # fmt: skip
def test_each_sequence_is_stored_once(store: Store, batches: Any, stored: list[int]) -> None:
    time = NOON
    done = [
        store.append("one", table(event(n, time=time + n % 1000) for n in batch))
        for batch in batches
    ]
    assert [one.stored for one in done] == stored
    assert [one.stored + one.known for one in done] == [len(batch) for batch in batches]
    everything = {n for batch in batches for n in batch}
    assert sorted(sequences(store)) == sorted(everything)
    assert [(s.name, s.stored) for s in store.sensors()] == [("one", len(everything))]


def test_random_batches_against_a_set(store: Store) -> None:
    dice = random.Random(7)
    seen: set[int] = set()
    for _ in range(60):
        start, length = dice.randrange(300), dice.randrange(1, 40)
        batch = [dice.randrange(start, start + length) for _ in range(length)]
        done = append(store, batch)
        assert done.stored == len(set(batch) - seen)
        seen |= set(batch)
    assert sorted(sequences(store)) == sorted(seen)


def test_sensors_have_their_own_sequences(store: Store) -> None:
    assert append(store, range(5)).stored == 5
    assert append(store, range(5), sensor="two").stored == 5
    assert len(sequences(store)) == 10
    assert sequences(store, Filter(sensor="two")) == [4, 3, 2, 1, 0]


def test_what_is_known_is_known_after_a_restart(open_one: Open) -> None:
    store = open_one()
    append(store, [0, 1, 2, 7, 8])
    store.close()
    store = open_one()
    assert append(store, range(10)) == Appended(5, 5)
    assert sorted(sequences(store)) == list(range(10))


def test_the_same_batch_from_many_at_once(store: Store) -> None:
    batches = [table(event(n) for n in range(at, at + 200)) for at in range(0, 1000, 100)]
    jobs = [lambda: [store.append("one", batch) for batch in batches]] * 4
    done: list[Appended] = list(itertools.chain(*together(*jobs)))
    assert sum(one.stored for one in done) == 1100
    assert sum(one.known for one in done) == 4 * 10 * 200 - 1100
    assert len(sequences(store)) == 1100


def test_an_empty_batch_brings_counters(store: Store) -> None:
    counters = Counters(1, 10, {"queue_full": 2, "rejected": 1})
    assert store.append("one", EVENTS.empty_table(), counters) == Appended(0, 0)
    (sensor,) = store.sensors()
    assert (sensor.served, sensor.stored, sensor.dropped) == (10, 0, counters.dropped)


def test_the_newest_counters_of_each_run_hold(store: Store) -> None:
    for counters in (
        Counters(1, 10, {"queue_full": 2}),
        Counters(1, 5, {"queue_full": 1}),  # came late
        Counters(2, 7, {"shutdown": 3, "queue_full": 1}),
        Counters(2, 8, {"shutdown": 4, "queue_full": 1}),
    ):
        store.append("one", EVENTS.empty_table(), counters)
    (sensor,) = store.sensors()
    assert sensor.served == 18
    assert sensor.dropped == {"queue_full": 3, "shutdown": 4}


# What comes out


def test_every_value_comes_back(store: Store) -> None:
    full = event(
        3,
        client="2001:db8::7",
        transport="https",
        qname=r"a\.b\032c.example.co.uk",
        registered_domain="example.co.uk",
        qtype="TYPE65280",
        rcode="NXDOMAIN",
        answers=["192.0.2.1", "alias.example.net"],
        duration=4_000_000_000,
        verdict="malicious",
        threat="dga_dictionary",
        score=59.9,
        source="denylist",
        action="sinkhole",
        reason='label:xkq "quoted" \\ 100%',
        shadow_verdict="benign",
        shadow_score=12.3,
        shadow_model='2026.12.0-"x"',
    )
    store.append("one", table([full]))
    (row,) = store.search(Filter(), 10).rows
    assert tuple(row) == QUERY_COLUMNS
    assert row == {**full, "sensor": "one", "time": AT + timedelta(seconds=3)}


@pytest.mark.parametrize("half", [{"shadow_model": "2.0"}, {"shadow_verdict": "benign"}])
def test_half_an_opinion_never_comes_in(store: Store, half: dict[str, str]) -> None:
    """Each store would keep another half of it."""
    with pytest.raises(BatchError, match="one of shadow_verdict and shadow_model is missing"):
        Ingest(store).take("one", ndjson([event(1), event(2, **half)]))
    assert store.stats(Filter()).queries == 0


def test_what_is_absent_comes_back_as_nothing(store: Store) -> None:
    left_out = ("transport", "registered_domain", "rcode", "answers", "duration")
    least = event(0, qname=".", **dict.fromkeys(left_out))
    store.append("one", table([least]))
    (row,) = store.search(Filter(), 10).rows
    absent = ("transport", "registered_domain", "rcode", "duration", "threat", "reason",
              "shadow_verdict", "shadow_score", "shadow_model")  # fmt: skip
    assert [row[key] for key in absent] == [None] * len(absent)
    assert (row["answers"], row["score"], row["action"]) == ([], 0.0, "observe")


FEW = [
    event(0),
    event(1, qname="example.org", client="192.0.2.200", qtype="AAAA"),
    event(2, qname="mail.example.net", registered_domain="example.net", client="198.51.100.9"),
    event(3, qname="notexample.org", registered_domain="notexample.org", rcode="NXDOMAIN",
          source="denylist"),
    event(4, qname="bad.example.com", registered_domain="example.com", verdict="malicious",
          threat="dga", score=45.0, action="nxdomain", client="2001:db8::1"),
    event(5, qname="odd.example.com", registered_domain="example.com", verdict="suspicious",
          threat="scam", score=33.3, client="2001:db8:1::1"),
    event(6, qname="a_b%.example.com", registered_domain="example.com", rcode=None,
          shadow_verdict="malicious", shadow_model="2.0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), [6, 5, 4, 3, 2, 1, 0]),
        (Filter(qname="example.org"), [1]),
        (Filter(qname="*.example.org"), [0]),
        (Filter(qname="*example.org"), [3, 1, 0]),
        (Filter(qname="*"), [6, 5, 4, 3, 2, 1, 0]),
        (Filter(qname="a_b%.*"), [6]),
        (Filter(qname="*_*"), [6]),
        (Filter(qname="o_d.*"), []),
        (Filter(domain="example.org"), [1, 0]),
        (Filter(domain="example.com"), [6, 5, 4]),
        (Filter(domain="org"), []),
        (Filter(client=ip_network("192.0.2.1")), [6, 3, 0]),
        (Filter(client=ip_network("192.0.2.128/25")), [1]),
        (Filter(client=ip_network("0.0.0.0/0")), [6, 3, 2, 1, 0]),
        (Filter(client=ip_network("2001:db8::/48")), [4]),
        (Filter(client=ip_network("::/0")), [5, 4]),
        (Filter(client=ip_network("203.0.113.0/24")), []),
        (Filter(verdicts=(Level.MALICIOUS,)), [4]),
        (Filter(verdicts=(Level.MALICIOUS, Level.SUSPICIOUS)), [5, 4]),
        (Filter(threat=Threat.SCAM), [5]),
        (Filter(source=Source.MODEL), [6, 5, 4, 2, 1, 0]),
        (Filter(source=Source.DENYLIST), [3]),
        (Filter(min_score=33.3), [5, 4]),
        (Filter(min_score=33.4), [4]),
        (Filter(max_score=33.3), [6, 5, 3, 2, 1, 0]),
        (Filter(max_score=33.2), [6, 3, 2, 1, 0]),
        (Filter(min_score=0.1, max_score=44.9), [5]),
        (Filter(domains=("example.net", "example.com")), [6, 5, 4, 2]),
        (Filter(domains=("notexample.org", "org"), client=ip_network("192.0.2.1")), [3]),
        (Filter(domains=()), []),
        (Filter(action="nxdomain"), [4]),
        (Filter(shadow=(Level.MALICIOUS,)), [6]),
        (Filter(shadow=(Level.BENIGN, Level.SUSPICIOUS)), []),
        (Filter(shadow=(Level.MALICIOUS,), shadow_model="2.0"), [6]),
        (Filter(shadow_model="1.0"), []),
        (Filter(rcode="NXDOMAIN"), [3]),
        (Filter(qtype="AAAA"), [1]),
        (Filter(sensor="one"), [6, 5, 4, 3, 2, 1, 0]),
        (Filter(sensor="none"), []),
        (Filter(since=AT + timedelta(seconds=4)), [6, 5, 4]),
        (Filter(until=AT + timedelta(seconds=2)), [1, 0]),
        (Filter(since=AT + timedelta(seconds=2), until=AT + timedelta(seconds=4)), [3, 2]),
        (Filter(domain="example.com", verdicts=(Level.BENIGN,)), [6]),
        (Filter(qname="x' OR '1'='1"), []),
    ],
)
def test_filters(read_store: Store, wanted: Filter, found: list[int]) -> None:
    read_store.append("one", table(FEW))
    assert sequences(read_store, wanted) == found
    assert read_store.stats(wanted).queries == len(found)
    rows = [row for batch in read_store.columns(wanted) for row in batch.to_pylist()]
    assert [row["sequence"] for row in rows] == found[::-1]


def test_pages_hold_still_while_more_comes_in(store: Store) -> None:
    dice = random.Random(3)
    # Many queries have one time, from several sensors: the order must still be total.
    for sensor in ("a", "b", "c"):
        store.append(sensor, table(event(n, time=NOON + dice.randrange(20)) for n in range(50)))
    expected = places(store.search(Filter(), 150))
    assert len(set(expected)) == 150
    seen, after, late = [], None, 100
    while True:
        page = store.search(Filter(), 7, after)
        seen += places(page)
        if page.next is None:
            break
        after = page.next
        append(store, [late], sensor="late", time=NOON + 10**9)  # newer than every page
        late += 1
    assert seen == expected
    assert [row[0] for row in seen] == sorted((row[0] for row in seen), reverse=True)


@pytest.mark.parametrize("order", Order)
def test_pages_in_every_order(store: Store, order: Order) -> None:
    dice = random.Random(5)
    for sensor in ("a", "b"):
        store.append(
            sensor,
            table(
                event(
                    n,
                    time=NOON + dice.randrange(9),
                    score=dice.choice((None, 0.1, 29.9, 33.3, 60.0)),
                    duration=dice.choice((None, 0, 7, 4_000_000_000)),
                )
                for n in range(40)
            ),
        )
    everything = store.search(Filter(), 100).rows
    place = [(row["time"], row["sensor"], row["sequence"]) for row in everything]
    first = {
        Order.SCORE: [row["score"] for row in everything],
        Order.DURATION: [-1 if row["duration"] is None else row["duration"] for row in everything],
    }.get(order, [0] * len(everything))
    expected = sorted(zip(first, place, strict=True), reverse=order is not Order.OLDEST)
    seen, after = [], None
    while True:
        page = store.search(Filter(), 7, after, order)
        assert page.total == 80
        seen += places(page)
        if page.next is None:
            break
        after = page.next
    assert seen == [place for _, place in expected]


def test_a_page_that_is_exactly_full_has_no_next(store: Store) -> None:
    append(store, range(4))
    assert store.search(Filter(), 4).next is None
    assert store.search(Filter(), 3).next is not None


def test_a_position_that_no_page_gave(store: Store) -> None:
    append(store, range(3))
    assert len(store.search(Filter(), 9, Position(2**62 - 1, "zz", 2**63 - 1)).rows) == 3
    assert store.search(Filter(), 9, Position(0, "", 0)).rows == []


def test_columns_have_the_schema(store: Store) -> None:
    store.append("one", table(FEW))
    batches = list(store.columns(Filter()))
    assert all(batch.schema == QUERIES for batch in batches)
    assert list(store.columns(Filter(qname="none.example.org"))) == [] or all(
        batch.num_rows == 0 for batch in store.columns(Filter(qname="none.example.org"))
    )


def test_columns_hold_still_while_more_comes_in(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlplugin.store.duckdb_store.EXPORT_ROWS", 7)
    monkeypatch.setattr("mlplugin.store.elastic.store.EXPORT_ROWS", 7)
    dice = random.Random(3)
    for sensor in ("a", "b", "c"):
        store.append(sensor, table(event(n, time=NOON + dice.randrange(20)) for n in range(50)))
    expected = places(store.search(Filter(), 150))[::-1]
    seen, late = [], 100
    for batch in store.columns(Filter()):
        assert batch.num_rows <= 7
        seen += [(row["time"], row["sensor"], row["sequence"]) for row in batch.to_pylist()]
        append(store, [late], sensor="late", time=NOON + 10**9)
        late += 1
    assert seen == expected
    flagged = Filter(sensor="b", until=AT + timedelta(microseconds=10))
    rows = [row for batch in store.columns(flagged) for row in batch.to_pylist()]
    assert len(rows) == store.stats(flagged).queries > 7
    assert all(row["sensor"] == "b" for row in rows)


def test_columns_taken_slowly_hold_nothing(store: Store) -> None:
    spread(store, range(10))
    batches = store.columns(Filter())
    assert next(batches).num_rows == 10
    taken = 0
    while step := store.trim(MIDNIGHT + timedelta(days=6), None):
        taken += step
    store.close()
    assert taken == 6
    assert list(batches) == []


def test_stats(store: Store) -> None:
    store.append("one", table(FEW))
    stats = store.stats(Filter())
    assert (stats.queries, stats.flagged, stats.blocked) == (7, 2, 1)
    assert (stats.clients, stats.names) == (5, 7)
    assert (stats.first, stats.last) == (AT, AT + timedelta(seconds=6))
    assert stats.by_verdict == {"benign": 5, "malicious": 1, "suspicious": 1}
    assert stats.by_threat == {"dga": 1, "scam": 1}
    assert stats.by_action == {"observe": 6, "nxdomain": 1}
    assert stats.by_rcode == {"NOERROR": 5, "NXDOMAIN": 1}


# Decisions


def override(name: str, **changed: Any) -> Override:
    values: dict[str, Any] = {
        "scope": "subdomains",
        "status": "blocked",
        "client": None,
        "expires": None,
        "reason": "",
        "created": AT,
        **changed,
    }
    return Override(name=name, **values)


def later(minutes: int) -> datetime:
    return AT + timedelta(minutes=minutes)


def test_a_decision_takes_the_place_of_the_one_before(open_one: Open) -> None:
    store = open_one()
    first = override("example.org", reason="first")
    second = override("example.org", status="benign", scope="name", expires=AT + timedelta(days=1))
    subnet = override("example.org", client=ip_network("192.0.2.0/24"))
    single = override("example.org", client=ip_network("2001:db8::1"))
    for one in (first, second, subnet, single):
        store.put_override(one, "192.0.2.99")
    assert store.overrides() == [second, subnet, single]
    store.close()
    assert open_one().overrides() == [second, subnet, single]


def test_decisions_are_taken_back_and_all_is_on_record(store: Store) -> None:
    store.put_override(override("example.org", reason="why"), "ann@192.0.2.9")
    back = Change(AT + timedelta(seconds=1), "bob", "example.org", None, "unvetted", "wrong")
    subnet = ip_network("192.0.2.0/24")
    assert not store.delete_override("example.org", subnet, back)
    assert not store.delete_override("www.example.org", None, back)
    assert store.delete_override("example.org", None, back)
    assert not store.delete_override("example.org", None, back)
    assert store.overrides() == []
    assert store.changes(10) == [
        back,
        Change(AT, "ann@192.0.2.9", "example.org", None, "blocked", "why"),
    ]


def test_expired_decisions_go_and_are_recorded(store: Store) -> None:
    day = timedelta(days=1)
    subnet = ip_network("192.0.2.0/24")
    lasts = override("later.example.org", expires=AT + day)
    stays = override("stays.example.org")
    for one in (
        override("b.example.org", expires=AT - day, reason="for a while"),
        override("a.example.org", expires=AT - 2 * day, client=subnet),
        lasts,
        stays,
    ):
        store.put_override(one, "ann")
    at = AT + timedelta(hours=1)
    assert store.drop_expired(AT, at, "upkeep") == 2
    assert store.drop_expired(AT, at, "upkeep") == 0
    assert store.overrides() == [lasts, stays]
    assert store.changes(2) == [
        Change(at, "upkeep", "b.example.org", None, "expired", "for a while"),
        Change(at, "upkeep", "a.example.org", subnet, "expired", ""),
    ]


def test_of_two_stores_the_newer_decision_holds(store: Store) -> None:
    store.put_override(override("older.example.org", reason="here"), "ann")
    store.put_override(override("newer.example.org", reason="here", created=later(1)), "ann")
    theirs = [
        override("older.example.org", reason="there", created=later(1)),
        override("newer.example.org", reason="there"),
        override("new.example.org", reason="there"),
    ]
    assert store.take_over(theirs, []) == 2
    assert {one.name: one.reason for one in store.overrides()} == {
        "older.example.org": "there", "newer.example.org": "here", "new.example.org": "there",
    }  # fmt: skip
    assert store.take_over(theirs, []) == 0, "once is enough"


@pytest.mark.parametrize("first", [0, 1], ids=["one way", "and the other"])
def test_decisions_of_one_time_are_told_apart_alike_everywhere(store: Store, first: int) -> None:
    several = [
        (override("a.example.org"), override("a.example.org", status="benign")),
        (override("b.example.org", scope="name"), override("b.example.org")),
        (override("c.example.org", expires=later(9)), override("c.example.org")),
        (override("d.example.org", reason="x"), override("d.example.org", reason="y")),
    ]
    for pair in several:
        store.put_override(pair[first], "ann")
    store.take_over([pair[1 - first] for pair in several], [])
    assert [(one.status, one.scope, one.expires, one.reason) for one in store.overrides()] == [
        ("blocked", "subdomains", None, ""), ("blocked", "subdomains", None, ""),
        ("blocked", "subdomains", None, ""), ("blocked", "subdomains", None, "y"),
    ]  # fmt: skip


def test_what_was_taken_back_does_not_come_again(store: Store) -> None:
    def back(name: str, status: str = "unvetted") -> Change:
        return Change(later(5), "bob", name, None, status, "")

    for name in ("here.example.org", "there.example.org", "again.example.org"):
        store.put_override(override(name), "ann")
    store.delete_override("here.example.org", None, back("here.example.org"))
    theirs = [
        override("here.example.org"),
        override("expired.example.org"),
        override("again.example.org", created=later(6)),
    ]
    record = [back("there.example.org"), back("again.example.org"),
              back("expired.example.org", "expired")]  # fmt: skip
    assert store.take_over(theirs, record) == 5
    assert [(one.name, one.created) for one in store.overrides()] == [
        ("again.example.org", later(6))
    ]
    assert store.take_over(theirs, record) == 0


# Upkeep


MIDNIGHT = AT.replace(hour=0, minute=0, second=0)


def spread(store: Store, days: Any) -> Appended:
    """One event a day: a store may take away whole days only."""
    return store.append("one", table(event(n, time=NOON + n * 86_400_000_000) for n in days))


def test_old_events_go_and_are_still_known(store: Store) -> None:
    spread(store, range(6))
    assert store.trim(MIDNIGHT, None) == 0
    taken = 0
    while step := store.trim(MIDNIGHT + timedelta(days=4), None):
        taken += step
    assert taken == 4
    assert sequences(store) == [5, 4]
    assert spread(store, range(7)) == Appended(1, 6)
    (sensor,) = store.sensors()
    assert sensor.stored == 7


def test_late_events_that_are_old_go_too(store: Store) -> None:
    spread(store, range(5, 8))
    spread(store, range(3))
    while store.trim(MIDNIGHT + timedelta(days=4), None):
        pass
    assert sorted(sequences(store)) == [5, 6, 7]


def test_size_grows_and_shrinks_with_what_is_kept(store: Store, store_kind: str) -> None:
    # The embedded store frees its space in pieces of 122,880 rows, a cluster in days.
    batch, apart = (50_000, 1) if store_kind == DUCKDB else (6_000, 8)
    dice = random.Random(1)
    small = store.size()
    assert small.rows == 0
    for at in range(0, 8 * batch, batch):
        rows = [
            event(
                n,
                time=NOON + n * apart * 1_000_000,
                qname=f"{dice.getrandbits(64):x}.example.org",
                duration=dice.getrandbits(30),
            )
            for n in range(at, at + batch)
        ]
        store.append("one", table(rows))
    large = store.size()
    assert large.rows == 8 * batch
    assert large.bytes > small.bytes + 5 * large.rows
    while store.trim(None, large.bytes // 2):
        pass  # a store may only need to tidy up for this
    bound = store.size().bytes // 2
    while store.trim(None, bound):
        pass
    after = store.size()
    assert after.bytes <= bound
    assert 0 < after.rows < 6 * batch
    left = store.search(Filter(), 1)
    assert left.rows[0]["sequence"] == 8 * batch - 1, "the newest stay"
    assert left.total == after.rows
