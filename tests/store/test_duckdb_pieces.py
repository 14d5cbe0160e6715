"""Sums that the embedded store makes beforehand: always those of the events that are there."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlplugin.store import duckdb_rows, duckdb_summing, duckdb_upkeep, schema
from mlplugin.store.duckdb_pieces import Piece, cover, gaps, leaves, read
from mlplugin.store.duckdb_store import FILE, DuckDBStore
from mlplugin.store.port import EVENTS, Filter
from mlplugin.store.sums import SLICED_BY
from mlplugin.verdict import Level, Threat
from tests.store.test_contract_sums import counted, sliced
from tests.support.events import NOON, event, table

DAY = 86_400
BEGIN = datetime.fromtimestamp(NOON / 1e6, UTC)
FLAGGED = (Level.SUSPICIOUS, Level.MALICIOUS)
DOMAINS = ("example.org", "example.net", "b.de", None)
LATER = BEGIN + timedelta(days=365)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of few events, so that there are many; the thread is not begun by itself."""
    made_small(monkeypatch)


def made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_summing, "PIECE_EVENTS", 25)
    monkeypatch.setattr(duckdb_summing, "TOGETHER", 2)
    monkeypatch.setattr(duckdb_summing, "OFTEN", 4)
    monkeypatch.setattr(duckdb_summing, "PART_NAMES", 10)
    monkeypatch.setattr(duckdb_rows, "FEW_EVENTS", 30)
    monkeypatch.setattr(duckdb_rows, "SELDOM", 60)
    monkeypatch.setattr(duckdb_upkeep, "CALM_SECONDS", 0.0)
    monkeypatch.setattr(duckdb_upkeep.Upkeep, "appended", lambda *_: None)


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
        if domain and found[-1]["qname"].endswith(f".{domain}"):
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
    {"client": ip_network("192.0.2.2")},
    {"client": ip_network("192.0.2.2/31")},
    {"domains": ("example.org", "b.de")},
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
    rows = store.search(wanted, 100_000).rows
    for column in ("qname", "registered_domain", "client", "qtype", "rcode", "sensor", "threat"):
        assert store.top(wanted, column, 3) == counted(rows, column)[:3], (wanted, column)
    stats = store.stats(wanted)
    assert stats.queries == len(rows)
    assert stats.names == len({row["qname"] for row in rows})
    assert stats.clients == len({row["client"] for row in rows})
    assert stats.first == min((row["time"] for row in rows), default=None)
    assert stats.last == max((row["time"] for row in rows), default=None)
    assert stats.by_rcode == {one.value: one.queries for one in counted(rows, "rcode")}
    for by in (*SLICED_BY, None):
        found = store.timeline(wanted, 7200, by)
        assert sorted(found, key=lambda one: (one.time, one.value or "")) == sliced(rows, 7200, by)
    client = wanted.client
    if client is not None and client.prefixlen == client.max_prefixlen:
        others = Filter(since=wanted.since, until=wanted.until)
        shared = {
            row["registered_domain"]
            for row in store.search(others, 100_000).rows
            if row["client"] != str(client.network_address)
        } & {"example.org", "b.de"}
        assert store.shared_domains(wanted, ["example.org", "b.de"]) == shared


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


def assert_quickly(store: DuckDBStore) -> None:
    with store._file.reading() as connection:
        ((queries, names, clients),) = connection.execute(
            "SELECT count(*), count(DISTINCT qname), count(DISTINCT client) FROM events"
        ).fetchall()
    found = store.stats(Filter())
    assert (found.queries, found.names, found.clients) == (queries, names, clients)
    assert sum(one.queries for one in store.timeline(Filter(), 3600, "qtype")) == queries


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[DuckDBStore]:
    store = DuckDBStore(tmp_path)
    store.append("one", table(some(random.Random(1), range(300), 0, 3 * DAY)))
    store._upkeep.settle(LATER)
    yield store
    store.close()


def pieces(store: DuckDBStore) -> list[Piece]:
    with store._file.reading() as connection:
        return read(connection)


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


@pytest.mark.parametrize("wanted", EVERY, ids=str)
def test_each_filter(read_only: DuckDBStore, wanted: Filter) -> None:
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


def test_a_late_event_takes_its_piece_back_alone(filled: DuckDBStore) -> None:
    before = leaves(pieces(filled))
    late = some(random.Random(2), range(1000, 1001), DAY, 60)
    filled.append("two", table(late))
    after = leaves(pieces(filled))
    (gone,) = set(before) - set(after)
    assert gone.since <= BEGIN.replace(tzinfo=None) + timedelta(days=1, minutes=1)
    assert set(after) < set(before)
    filled._upkeep.settle(LATER)
    assert len(leaves(pieces(filled))) == len(before)
    assert_true(filled)


def test_a_gap_where_events_still_come_is_left(
    filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_upkeep, "CALM_SECONDS", 3600.0)
    before = leaves(pieces(filled))
    filled.append("two", table(some(random.Random(2), range(1000, 1001), DAY, 60)))
    filled._upkeep.settle(LATER)
    assert len(leaves(pieces(filled))) == len(before) - 1
    assert_quickly(filled)


def test_what_was_taken_back_is_swept(filled: DuckDBStore) -> None:
    while filled.trim(BEGIN + timedelta(days=2), None):
        pass
    assert pieces(filled), "what is younger stays summed up"
    kept = {piece.id for piece in pieces(filled)}
    with filled._file.reading() as connection:
        for name in duckdb_summing.TABLES:
            found = connection.execute(f"SELECT DISTINCT piece FROM {name}").fetchall()  # noqa: S608
            assert {piece for (piece,) in found} <= kept
    assert_true(filled)


def test_a_merge_that_was_broken_off(filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece below goes between two parts: the rest of the merge is given up and swept."""
    with filled._file.writing() as connection:
        connection.execute("DELETE FROM pieces WHERE level > 0")
        merge = duckdb_summing.next_merge(connection)
        assert merge is not None
        assert merge.parts > 1
        assert duckdb_summing.merge_part(connection, merge, 0)
    when = int((merge.below[0].since - BEGIN.replace(tzinfo=None)).total_seconds())
    filled.append("two", table(some(random.Random(2), range(1000, 1001), when + 60, 1)))
    with filled._file.writing() as connection:
        assert not duckdb_summing.merge_part(connection, merge, 1)
    filled._upkeep.settle(LATER)
    assert all(piece.id != merge.number for piece in pieces(filled))
    assert_true(filled)


def test_only_few_groups_are_kept_aside(
    filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Filter(domain="example.org")
    kept = filled.summary(wanted, ("qname", "answer"), 10)
    monkeypatch.setattr(duckdb_rows, "MOST_KEPT", 0)
    monkeypatch.setattr(duckdb_rows, "FEW_EVENTS", 0)
    monkeypatch.setattr(duckdb_rows, "KEPT", "no query")
    assert filled.summary(wanted, ("qname", "answer"), 10) == kept


def test_a_thread_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(duckdb_summing, "PIECE_EVENTS", 25)
    done, merge = threading.Event(), duckdb_upkeep.Upkeep._merge

    def merged(upkeep: duckdb_upkeep.Upkeep) -> bool:
        found = merge(upkeep)
        if not found:
            done.set()
        return found

    monkeypatch.setattr(duckdb_upkeep.Upkeep, "_merge", merged)
    store = DuckDBStore(tmp_path)
    store.append("one", table(some(random.Random(1), range(300), -7 * DAY, 3 * DAY)))
    assert done.wait(60)
    store.close()
    store = DuckDBStore(tmp_path, read_only=True)
    assert len(pieces(store)) > 5
    assert_true(store)
    store.close()


# Older files, and a process that is killed


def older(place: Path, count: int) -> None:
    """A file of the version before there were pieces."""
    with duckdb.connect(place / FILE) as old:
        old.execute("CREATE TABLE mlplugin (version INTEGER NOT NULL)")
        old.execute("INSERT INTO mlplugin VALUES (2)")
        for step in schema.MIGRATIONS[:2]:
            old.execute(step)
        old.execute("INSERT INTO sensors VALUES (0, 'one')")
        old.execute("INSERT INTO sequences VALUES (0, 0, ?)", [count - 1])
        old.execute(
            "INSERT INTO events SELECT make_timestamp(? + n * 60000000), 0, n, "
            "'192.0.2.' || n % 5, 'udp', 'h' || n % 7 || '.example.org', 11, 'A', 'NOERROR', "
            "NULL, 1, "
            "CASE WHEN n % 10 = 0 THEN 'malicious' ELSE 'benign' END, NULL, 0, 'model', '1', "
            "'observe', NULL, NULL, NULL, NULL FROM range(?) r(n)",
            [NOON, count],
        )


def test_an_older_file_is_summed_up_by_and_by(tmp_path: Path) -> None:
    older(tmp_path, 500)
    store = DuckDBStore(tmp_path)
    assert pieces(store) == [], "it opens at once"
    assert_sums(store, Filter())
    store._upkeep.settle(LATER)
    assert len(leaves(pieces(store))) > 10
    assert_true(store)
    store.close()


KILLED = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from mlplugin.store import duckdb_summing, duckdb_upkeep
from mlplugin.store.duckdb_store import DuckDBStore
duckdb_summing.PIECE_EVENTS, duckdb_summing.TOGETHER, duckdb_summing.PART_NAMES = 25, 2, 3
duckdb_upkeep.Upkeep.appended = lambda *_: None
made, parts = duckdb_summing.sum_up, duckdb_summing.merge_part
def told(function):
    def call(*given):
        found = function(*given)
        print(function.__name__, flush=True)
        sys.stdin.readline()  # goes on when it is told to
        return found
    return call
duckdb_summing.sum_up, duckdb_summing.merge_part = told(made), told(parts)
DuckDBStore(Path(sys.argv[1]))._upkeep.settle(datetime(2030, 1, 1, tzinfo=UTC))
"""


@pytest.mark.parametrize(("step", "times"), [("sum_up", 1), ("sum_up", 4), ("merge_part", 2)])
def test_killed_half_way(step: str, times: int, tmp_path: Path) -> None:
    """Each step is there whole or not at all, and the next start goes on."""
    older(tmp_path, 500)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        while times:
            times -= process.stdout.readline().strip() == step
            if times:
                process.stdin.write("\n")
                process.stdin.flush()
        process.send_signal(signal.SIGKILL)
    store = DuckDBStore(tmp_path)
    assert_true(store)
    store._upkeep.settle(LATER)
    assert_true(store)
    assert len(leaves(pieces(store))) > 10
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


def test_nothing_to_sum_up(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path)
    store.settle()
    store.append("one", EVENTS.empty_table())
    store.settle()
    assert pieces(store) == []
    store.close()
