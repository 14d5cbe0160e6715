"""Sums that the embedded store makes beforehand: always those of the events that are there."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlplugin.store import duckdb_often, duckdb_query, duckdb_rows, duckdb_summing, duckdb_top
from mlplugin.store.columns import EVENTS
from mlplugin.store.duckdb_pieces import Piece, cover, gaps, joined, leaves, within
from mlplugin.store.duckdb_rows import Chosen
from mlplugin.store.duckdb_store import DuckDBStore
from mlplugin.store.port import Filter, Order
from tests.support.events import NOON, event, table
from tests.support.pieces import (
    BEGIN,
    DAY,
    EVERY,
    LATER,
    assert_quickly,
    assert_sums,
    assert_true,
    made_small,
    pieces,
    some,
)  # fmt: skip
from tests.support.sums import counted


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of few events, so that there are many; the thread is not begun by itself."""
    made_small(monkeypatch)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 4), st.integers(1, 60)),
        st.tuples(st.just("again"), st.integers(0, 4), st.integers(1, 60)),
        st.tuples(st.just("settle"), st.just(0), st.just(0)),
        st.tuples(st.just("age"), st.integers(0, 80), st.just(0)),
        st.tuples(st.just("bytes"), st.just(0), st.just(0)),
        st.tuples(st.just("open"), st.just(0), st.just(0)),
    ),
    min_size=1,
    max_size=10,
)


@settings(
    max_examples=12, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(steps=STEPS, seed=st.integers(0, 1000))
def test_whatever_happens_the_sums_are_those_of_the_events(
    steps: list[tuple[str, int, int]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Late and early events, doubles, several sensors, retention within days, starts anew."""
    place, dice = tmp_path_factory.mktemp("history"), random.Random(seed)
    store = DuckDBStore(place)
    at = {"one": 0, "two": 0}
    steps = [("append", 0, 60), ("append", 1, 60), ("settle", 0, 0), *steps, ("settle", 0, 0)]
    for step, first, second in steps:
        sensor = dice.choice(("one", "two"))
        if step == "append":
            numbers = range(at[sensor], at[sensor] + second)
            at[sensor] += second
            store.append(sensor, table(some(dice, numbers, first * DAY // 2, DAY)))
        elif step == "again" and at[sensor]:
            numbers = range(max(0, at[sensor] - second), at[sensor] + 3)
            at[sensor] += 3
            store.append(sensor, table(some(dice, numbers, first * DAY // 2, DAY)))
        elif step == "settle":
            store._upkeep.settle(LATER)
        elif step == "age":
            store.trim(BEGIN + timedelta(hours=first), None)
        elif step == "bytes":
            store._delete("rowid < (SELECT min(rowid) + 40 FROM events)")
        elif step == "open":
            store.close()
            store = DuckDBStore(place)
        assert_quickly(store)
    assert_true(store, dice)
    store.close()


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[DuckDBStore]:
    store = DuckDBStore(tmp_path)
    store.append("one", table(some(random.Random(1), range(300), 0, 3 * DAY)))
    store._upkeep.settle(LATER)
    yield store
    store.close()


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBStore]:
    """One that is only read."""
    with pytest.MonkeyPatch.context() as patch:
        made_small(patch)
        store = DuckDBStore(tmp_path_factory.mktemp("history"))
        store.append("one", table(some(random.Random(1), range(150), 0, 3 * DAY)))
        store.append("two", table(some(random.Random(2), range(150), 0, 3 * DAY)))
        store._upkeep.settle(LATER)
    yield store
    store.close()


@pytest.mark.parametrize(("most_kept", "in_groups"), [(0, False), (1000, False), (1000, True)])
@pytest.mark.parametrize("wanted", EVERY, ids=str)
def test_each_filter(
    read_only: DuckDBStore, wanted: Filter, most_kept: int, in_groups: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Of many events, which are added up from pieces, and of few, which are kept aside.

    About one name they are of the groups that pieces have of it, or of its events.
    """
    monkeypatch.setattr(duckdb_rows, "MOST_KEPT", most_kept)
    monkeypatch.setattr(duckdb_rows, "FEW_EVENTS", most_kept)
    if not in_groups:
        monkeypatch.setattr(duckdb_often, "can_tell", lambda *_: False)
    assert_sums(read_only, wanted)


def test_pieces_lie_beside_each_other_and_are_merged(filled: DuckDBStore) -> None:
    found = pieces(filled)
    below = leaves(found)
    assert len(below) >= 8
    assert all(one.until == other.since for one, other in itertools.pairwise(below))
    assert {piece.level for piece in found} >= {0, 1, 2}
    chosen = cover(found, (None, None))
    assert len(chosen.tops) < len(chosen.leaves) == len(below)
    assert len(chosen.rest) == 2, "before the first and behind the last"


def test_events_are_read_only_beside_pieces(filled: DuckDBStore) -> None:
    """What is summed up is not read again: seen by sums that are not true."""
    with filled._file.writing() as connection:
        connection.execute("UPDATE sums_by_client SET n = n + 1000")
    assert filled.stats(Filter()).queries > 1000
    assert filled.stats(Filter(min_score=0.0)).queries == 300, "of scores pieces know nothing"


def test_who_asked_is_added_up_where_pieces_tell_it(
    filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of names, and of domains with all of their names."""
    monkeypatch.setattr(duckdb_often, "can_tell", lambda *_: False)
    with filled._file.writing() as connection:
        connection.execute("UPDATE sums_by_asker SET n = n + 1000")

    def most(wanted: Filter, column: str) -> int:
        return filled.top(wanted, column, 1)[0].queries

    for column in ("qname", "registered_domain"):
        assert most(Filter(), column) > 1000
    assert most(Filter(qname="h*"), "qname") > 1000
    assert most(Filter(domain="example.org"), "registered_domain") > 1000
    assert most(Filter(qname="h*"), "registered_domain") < 300


@pytest.mark.parametrize(
    ("limit", "among"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 4), (5, None), (101, None)]
)
def test_the_most_frequent_are_among_those_that_may_be(
    tmp_path: Path, limit: int, among: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the same frequency all are, and what is asked for now and then is not."""
    monkeypatch.setattr(duckdb_summing, "OFTEN", 3)
    store = DuckDBStore(tmp_path)
    names = [*["a.org"] * 4, *["b.org"] * 3, *["c.org"] * 3, *["d.org"] * 3]
    events = []
    for number in range(400):
        place = number % 20
        name = names[place] if place < len(names) else f"h{number}.org"
        if place < 7 or place >= len(names) or number % 40 < 20:
            time = NOON + number * 5_000_000
            events.append(event(number, time=time, qname=name, registered_domain=name))
    store.append("one", table(events))
    store._upkeep.settle(LATER)
    with store._file.reading() as connection:
        found = duckdb_top._likely(Chosen(connection, Filter()), limit)
    assert (None if found is None else len(found)) == among
    rows = store.search(Filter(), 1000).rows
    assert (
        store.top(Filter(), "registered_domain", limit)
        == counted(rows, "registered_domain")[:limit]
    )
    store.close()


def test_what_is_asked_for_often_is_added_up_from_its_groups(filled: DuckDBStore) -> None:
    """Of a domain with all of its names, and of a name; by time, too."""
    columns = ("qname", "client", "answer")
    for wanted in (Filter(domain="example.org"), Filter(qname="h1.example.org")):
        found = filled.summary(wanted, columns, 3)
        assert filled.timeline(wanted, 7200, "verdict")
        with filled._file.writing() as connection:
            for table in duckdb_often.GROUPS, duckdb_often.TIMES:
                connection.execute(f"UPDATE {table} SET n = n + 1000")  # noqa: S608
        assert filled.summary(wanted, columns, 3).stats.queries > found.stats.queries + 1000
        assert sum(one.queries for one in filled.timeline(wanted, 7200, "verdict")) > 1000


def test_groups_are_kept_where_they_are_far_fewer_than_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a name with the same client again and again, and not of one with ever new clients.

    Of one that has the same at first and then ever new ones they are kept in some pieces.
    """
    monkeypatch.setattr(duckdb_often, "LEAST_EVENTS", 4)
    store = DuckDBStore(tmp_path)
    names = ("same.example", "ever.new", "first.same")
    events = [
        event(
            number, time=NOON + number * 5_000_000, qname=names[number % 3],
            registered_domain=None, action="nxdomain" if number % 5 else None,
            client="192.0.2.1" if number % 3 == 0 or (number % 3 == 2 and number < 90)
            else f"192.0.2.{number % 256}",
        )
        for number in range(300)
    ]  # fmt: skip
    store.append("one", table(events))
    store._upkeep.settle(LATER)
    with store._file.reading() as connection:
        found = connection.execute(
            "SELECT value, count(DISTINCT piece) FROM sums_of_often GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert [value for value, _ in found] == ["first.same", "same.example"]
    assert found[0][1] < found[1][1]
    for most_kept in (10, 1000):
        monkeypatch.setattr(duckdb_rows, "MOST_KEPT", most_kept)
        monkeypatch.setattr(duckdb_rows, "FEW_EVENTS", most_kept)
        for name in names:
            assert_sums(store, Filter(qname=name))
            assert_sums(store, Filter(qname=name, action="nxdomain"))
    store.close()


@pytest.mark.parametrize("asked", [{"domain": "example.org"}, {"domains": ("example.org",)}])
def test_a_name_that_had_another_domain(
    tmp_path: Path, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first half of the history a third of its queries are not of the domain."""
    monkeypatch.setattr(duckdb_rows, "MOST_KEPT", 0)
    store = DuckDBStore(tmp_path)
    known = ("example.org", "example.org", None)
    events = [
        event(
            number, time=NOON + number * 5_000_000, qname="www.example.org",
            registered_domain=known[number % 3] if number < 150 else "example.org",
        )
        for number in range(300)
    ]  # fmt: skip
    store.append("one", table(events))
    store._upkeep.settle(LATER)
    assert len(pieces(store)) > 4
    assert store.top(Filter(**asked), "qname", 1)[0].queries == 250
    with store._file.writing() as connection:
        for name in ("sums_by_asker", duckdb_often.GROUPS):
            connection.execute(f"UPDATE {name} SET n = n + 1000")  # noqa: S608
    assert store.top(Filter(**asked), "qname", 1)[0].queries > 1000, "the other half is added up"
    store.close()


def test_a_subnet_is_looked_up_among_the_clients_of_its_times(filled: DuckDBStore) -> None:
    def among(wanted: Filter) -> set[str]:
        with filled._file.reading() as connection:
            (clients,) = (
                one for one in Chosen(connection, wanted).condition().parameters
                if isinstance(one, list)
            )  # fmt: skip
            return set(clients)

    subnet = ip_network("192.0.2.0/24")
    begin = BEGIN + timedelta(hours=30)
    rows = filled.search(Filter(since=begin, until=begin + timedelta(hours=1)), 1000).rows
    there = {row["client"] for row in rows}
    assert 0 < len(there) < 6
    assert among(Filter(client=subnet, since=begin, until=begin + timedelta(hours=1))) == there
    # What is summed up is not read again: seen by sums that are not true.
    with filled._file.writing() as connection:
        connection.execute("UPDATE sums_by_client SET client = '192.0.2.99'")
    assert "192.0.2.99" in among(Filter(client=subnet))


@pytest.mark.parametrize("most", [0, 2, 1000])
def test_a_subnet_of_many_clients_has_the_same_queries(
    filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(duckdb_query, "MOST_LISTED", most)
    rows = filled.search(Filter(), 100_000).rows
    for text, clients in (("192.0.2.0/30", 4), ("192.0.2.2/31", 2), ("10.0.0.0/8", 0)):
        subnet = ip_network(text)
        there = [row for row in rows if ip_address(row["client"]) in subnet]
        assert len({row["client"] for row in there}) == clients
        wanted = Filter(client=subnet)
        assert_sums(filled, wanted)
        first = filled.search(wanted, 7)
        assert (first.rows, first.total) == (there[:7], len(there))
        if clients:
            assert filled.search(wanted, 7, first.next).rows == there[7:14]
        oldest = filled.search(wanted, 7, None, Order.OLDEST).rows
        assert oldest == there[::-1][:7]


def test_only_few_groups_are_kept_aside(
    filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Filter(domain="example.org")
    kept = filled.summary(wanted, ("qname", "answer"), 10)
    monkeypatch.setattr(duckdb_rows, "MOST_KEPT", 0)
    monkeypatch.setattr(duckdb_rows, "FEW_EVENTS", 0)
    monkeypatch.setattr(duckdb_rows, "KEPT", "no query")
    assert filled.summary(wanted, ("qname", "answer"), 10) == kept


def test_what_is_not_summed_up_yet_is_not_kept_aside_for_its_groups_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a history that is being summed up anew few pieces are there, and of all else events."""
    monkeypatch.setattr(duckdb_rows, "MOST_KEPT", 90)
    store = DuckDBStore(tmp_path)
    events = [
        event(
            number, time=NOON + number * 5_000_000, qname="www.example.org",
            client=f"192.0.2.{number % 100 if number >= 100 else 1}",
        )
        for number in range(200)
    ]  # fmt: skip
    store.append("one", table(events[:100]))
    store._upkeep.settle(LATER)
    wanted = Filter(qname="www.example.org")

    def few() -> bool:
        with store._file.reading() as connection:
            return Chosen(connection, wanted).few

    assert few(), "all of it is in groups"
    store.append("one", table(events[100:150]))
    assert few()
    store.append("one", table(events[150:]))
    assert not few()
    store.close()


# Which pieces a range is added up from


def piece(number: int, level: int, since: int, until: int) -> Piece:
    begin = datetime(2026, 1, 1)  # noqa: DTZ001 - as the columns have it
    return Piece(number, level, begin + timedelta(hours=since), begin + timedelta(hours=until))


def hour(number: float) -> datetime:
    return datetime(2026, 1, 1) + timedelta(hours=number)  # noqa: DTZ001


def test_cover() -> None:
    every = [piece(9, 1, 0, 4), piece(1, 0, 0, 2), piece(2, 0, 2, 4), piece(3, 0, 6, 7)]
    found = cover(every, (None, None))
    assert (found.leaves, found.tops) == ([1, 2, 3], [9, 3])
    assert found.rest == [(None, hour(0)), (hour(4), hour(6)), (hour(7), None)]
    found = cover(every, (hour(1), hour(6.5)))
    assert (found.leaves, found.tops, found.rest) == (
        [2], [2], [(hour(1), hour(2)), (hour(4), hour(6.5))],
    )  # fmt: skip
    found = cover(every, (hour(5), hour(3)))
    assert (found.leaves, found.rest) == ([], [])
    assert gaps((hour(0), hour(4)), every[1:3]) == []


def test_pieces_beside_each_other_are_read_as_one() -> None:
    every = [piece(1, 0, 0, 2), piece(2, 0, 2, 4), piece(3, 0, 4, 5), piece(4, 0, 6, 7)]
    assert joined(every) == [(hour(0), hour(5)), (hour(6), hour(7))]
    assert joined([every[0], every[2]]) == [(hour(0), hour(2)), (hour(4), hour(5))]
    assert joined([]) == []


@pytest.mark.parametrize("many", [0, 1, 2, 16, 17, 200])
@pytest.mark.parametrize("ends", ["open", "closed"])
def test_a_time_is_in_one_of_many_ranges(many: int, ends: str) -> None:
    """Every other hour; of many ranges a time is compared with few bounds."""
    ranges = [(hour(2 * number), hour(2 * number + 1)) for number in range(many)]
    if many and ends == "open":
        ranges[0], ranges[-1] = (None, ranges[0][1]), (ranges[-1][0], None)
    text, parameters = within(ranges)
    query = f"SELECT time FROM (SELECT unnest(?::TIMESTAMP[]) AS time) WHERE {text}"  # noqa: S608
    times = [hour(number / 2) for number in range(-4, 4 * many + 8)]
    found = duckdb.execute(query, [times, *parameters]).fetchall()
    assert [time for (time,) in found] == [
        time for time in times
        if any((since is None or since <= time) and (until is None or time < until)
               for since, until in ranges)
    ]  # fmt: skip
    assert max(part.count("time") for part in re.split("CASE|ELSE|THEN", text)) <= 32


def test_nothing_to_sum_up(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path)
    store.settle()
    store.append("one", EVENTS.empty_table())
    store.settle()
    assert pieces(store) == []
    store.close()
