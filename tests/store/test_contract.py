"""What every store does, whatever it is made of."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from mlplugin.store.port import (
    EVENTS,
    QUERIES,
    QUERY_COLUMNS,
    Appended,
    Change,
    Counters,
    Filter,
    Override,
    Page,
    Store,
)
from mlplugin.verdict import Level, Threat
from tests.store.conftest import Open
from tests.support.events import NOON, event, table

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
    done: list[Appended] = []
    start = threading.Barrier(4)

    def send() -> None:
        start.wait()
        done.extend(store.append("one", batch) for batch in batches)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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
    )
    store.append("one", table([full]))
    (row,) = store.search(Filter(), 10).rows
    assert tuple(row) == QUERY_COLUMNS
    assert row == {**full, "sensor": "one", "time": AT + timedelta(seconds=3)}


def test_what_is_absent_comes_back_as_nothing(store: Store) -> None:
    left_out = ("transport", "registered_domain", "rcode", "answers", "duration")
    least = event(0, qname=".", **dict.fromkeys(left_out))
    store.append("one", table([least]))
    (row,) = store.search(Filter(), 10).rows
    absent = ("transport", "registered_domain", "rcode", "duration", "threat", "reason")
    assert [row[key] for key in absent] == [None] * len(absent)
    assert (row["answers"], row["score"], row["action"]) == ([], 0.0, "observe")


FEW = [
    event(0),
    event(1, qname="example.org", client="192.0.2.200", qtype="AAAA"),
    event(2, qname="mail.example.net", registered_domain="example.net", client="198.51.100.9"),
    event(3, qname="notexample.org", registered_domain="notexample.org", rcode="NXDOMAIN"),
    event(4, qname="bad.example.com", registered_domain="example.com", verdict="malicious",
          threat="dga", score=45.0, action="nxdomain", client="2001:db8::1"),
    event(5, qname="odd.example.com", registered_domain="example.com", verdict="suspicious",
          threat="scam", score=33.0, client="2001:db8:1::1"),
    event(6, qname="a_b%.example.com", registered_domain="example.com", rcode=None),
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
        (Filter(action="nxdomain"), [4]),
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
def test_filters(store: Store, wanted: Filter, found: list[int]) -> None:
    store.append("one", table(FEW))
    assert sequences(store, wanted) == found
    assert store.stats(wanted).queries == len(found)
    rows = [row for batch in store.columns(wanted) for row in batch.to_pylist()]
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


def test_a_page_that_is_exactly_full_has_no_next(store: Store) -> None:
    append(store, range(4))
    assert store.search(Filter(), 4).next is None
    assert store.search(Filter(), 3).next is not None


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
    append(store, range(100))
    batches = store.columns(Filter())
    assert next(batches).num_rows == 100
    taken = 0
    while step := store.trim(AT + timedelta(seconds=60), None):
        taken += step
    store.close()
    assert taken == 60
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


def test_top(store: Store) -> None:
    store.append("one", table(FEW))
    top = store.top(Filter(), "registered_domain", 2)
    assert [(one.value, one.queries, one.flagged) for one in top] == [
        ("example.com", 3, 2),
        ("example.org", 2, 0),
    ]
    assert [one.value for one in store.top(Filter(domain="example.org"), "client", 5)] == [
        "192.0.2.1",
        "192.0.2.200",
    ]


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
    later = override("later.example.org", expires=AT + day)
    stays = override("stays.example.org")
    for one in (
        override("b.example.org", expires=AT - day, reason="for a while"),
        override("a.example.org", expires=AT - 2 * day, client=subnet),
        later,
        stays,
    ):
        store.put_override(one, "ann")
    at = AT + timedelta(hours=1)
    assert store.drop_expired(AT, at, "upkeep") == 2
    assert store.drop_expired(AT, at, "upkeep") == 0
    assert store.overrides() == [later, stays]
    assert store.changes(2) == [
        Change(at, "upkeep", "b.example.org", None, "expired", "for a while"),
        Change(at, "upkeep", "a.example.org", subnet, "expired", ""),
    ]


# Upkeep


def test_old_events_go_and_are_still_known(store: Store) -> None:
    append(store, range(10))
    assert store.trim(AT, None) == 0
    taken = 0
    while step := store.trim(AT + timedelta(seconds=6), None):
        taken += step
    assert taken == 6
    assert sequences(store) == [9, 8, 7, 6]
    assert append(store, range(12)) == Appended(2, 10)
    (sensor,) = store.sensors()
    assert sensor.stored == 12


def test_late_events_that_are_old_go_too(store: Store) -> None:
    append(store, range(100, 110))
    append(store, range(5))
    while store.trim(AT + timedelta(seconds=50), None):
        pass
    assert sorted(sequences(store)) == list(range(100, 110))


def test_size_grows_and_shrinks_with_what_is_kept(store: Store) -> None:
    dice = random.Random(1)
    small = store.size()
    assert small.rows == 0
    for at in range(0, 400_000, 50_000):
        rows = [
            event(n, qname=f"{dice.getrandbits(64):x}.example.org", duration=dice.getrandbits(30))
            for n in range(at, at + 50_000)
        ]
        store.append("one", table(rows))
    large = store.size()
    assert large.rows == 400_000
    assert large.bytes > small.bytes + 2_000_000
    while store.trim(None, large.bytes // 2):
        pass  # a store may only need to tidy up for this
    bound = store.size().bytes // 2
    while store.trim(None, bound):
        pass
    after = store.size()
    assert after.bytes <= bound
    assert 0 < after.rows < 300_000
    left = store.search(Filter(), 1)
    assert left.rows[0]["sequence"] == 399_999, "the newest stay"
    assert left.total == after.rows
