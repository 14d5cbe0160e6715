"""When the embedded store sums its history up, and takes back what is not true any more."""

from __future__ import annotations

import contextlib
import itertools
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mlplugin.cli.main import main
from mlplugin.model import load
from mlplugin.service.batch import LATEST_TIME
from mlplugin.service.service import assemble
from mlplugin.store import duckdb_summing, duckdb_upkeep, schema
from mlplugin.store.duckdb_file import DuckDBFile
from mlplugin.store.duckdb_pieces import leaves, read
from mlplugin.store.duckdb_query import naive
from mlplugin.store.duckdb_store import FILE, DuckDBStore
from mlplugin.store.port import Filter, StoreBusyError, StoreUnavailableError
from tests.support.events import NOON, event, table
from tests.support.models import TINY
from tests.support.pieces import (
    BEGIN,
    DAY,
    LATER,
    assert_quickly,
    assert_sums,
    assert_true,
    made_small,
    pieces,
    some,
)  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of few events, so that there are many; the thread is not begun by itself."""
    made_small(monkeypatch)
    monkeypatch.setattr(duckdb_upkeep, "now", lambda: LATER)


def micros(moment: datetime) -> int:
    """A column's time as events have it."""
    return int(moment.replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[DuckDBStore]:
    store = DuckDBStore(tmp_path)
    store.append("one", table(some(random.Random(1), range(300), 0, 3 * DAY)))
    store._upkeep.settle(LATER)
    yield store
    store.close()


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


def test_the_end_is_left_where_events_still_come(
    filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sensor that is behind does not have the last piece made again and again."""
    monkeypatch.setattr(duckdb_upkeep, "CALM_SECONDS", 3600.0)
    last = leaves(pieces(filled))[-1]
    when = int((last.since - BEGIN.replace(tzinfo=None)).total_seconds()) + 120
    filled.append("two", table(some(random.Random(2), range(1000, 1001), when, 1)))
    filled._upkeep.settle(LATER)
    assert leaves(pieces(filled))[-1].until == last.since
    assert_quickly(filled)
    monkeypatch.setattr(duckdb_upkeep, "CALM_SECONDS", 0.0)
    filled._upkeep.settle(LATER)
    assert leaves(pieces(filled))[-1].until > last.since
    assert_true(filled)


def test_late_events_hold_up_only_where_they_fall(
    filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch with one of 1970 and one of just now says nothing of all that lies between."""
    before = leaves(pieces(filled))
    filled.append("two", table([event(0, time=micros(before[3].since))]))
    assert before[3] not in pieces(filled)
    monkeypatch.setattr(duckdb_upkeep, "CALM_SECONDS", 3600.0)
    filled._upkeep._late.clear()
    for number in range(1, 41, 2):
        ends = [event(number, time=0), event(number + 1, time=micros(before[-1].since))]
        filled.append("two", table(ends))
    assert len(filled._upkeep._late) == 1
    filled._upkeep.settle(LATER)
    after = leaves(pieces(filled))
    assert [one[2:] for one in after] == [one[2:] for one in before[:-1]]
    assert_true(filled)


def test_a_clock_that_ran_ahead(filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that reaches into the future does not hold up what comes in the meantime."""
    filled.append("one", table(some(random.Random(2), range(300, 400), 300 * DAY, DAY)))
    filled._upkeep.settle(LATER)
    assert leaves(pieces(filled))[-1].since > BEGIN.replace(tzinfo=None) + timedelta(days=300)
    monkeypatch.setattr(duckdb_upkeep, "CALM_SECONDS", 3600.0)
    for day in range(5, 8):
        today = BEGIN + timedelta(days=day)
        monkeypatch.setattr(duckdb_upkeep, "now", lambda today=today: today)
        numbers = range(day * 100, day * 100 + 100)
        filled.append("two", table(some(random.Random(day), numbers, day * DAY - 60, 120)))
        filled._upkeep.settle()
        ends = [one.until for one in leaves(pieces(filled)) if one.until <= naive(today)]
        yesterday = naive(today) - timedelta(days=1, minutes=2)
        assert day == 5 or ends[-1] > yesterday
        assert not filled._upkeep._late
        assert_true(filled)


def test_clocks_that_run_wild(filled: DuckDBStore) -> None:
    ends = [event(n, time=time) for n, time in enumerate((0, LATEST_TIME))]
    filled.append("two", table(ends))
    filled._upkeep.settle(LATER)
    assert len(leaves(pieces(filled))) > 5
    assert_true(filled)


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DuckDBStore]:
    """A store that failed right after it had summed a piece up, before anything was noted."""
    store = DuckDBStore(tmp_path)
    store.append("one", table(some(random.Random(1), range(300), 0, 3 * DAY)))
    writing = DuckDBFile.writing

    @contextlib.contextmanager
    def failing(file: DuckDBFile) -> Iterator[duckdb.DuckDBPyConnection]:
        with writing(file) as connection:
            yield connection
            made = bool(read(connection))
        if made:
            raise StoreUnavailableError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(DuckDBFile, "writing", failing)
        with pytest.raises(StoreUnavailableError):
            store._upkeep.settle(LATER)
    assert len(pieces(store)) == 1
    yield store
    store.close()


def test_a_late_event_after_a_fault(faulty: DuckDBStore) -> None:
    (made,) = pieces(faulty)
    when = int((made.since - BEGIN.replace(tzinfo=None)).total_seconds())
    faulty.append("two", table(some(random.Random(2), range(1000, 1001), when, 60)))
    assert_true(faulty)
    assert pieces(faulty) == []


def test_retention_after_a_fault(faulty: DuckDBStore) -> None:
    (made,) = pieces(faulty)
    assert faulty.trim(made.since.replace(tzinfo=UTC) + timedelta(hours=1), None)
    assert_true(faulty)
    assert pieces(faulty) == []


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
        merge = duckdb_summing.next_merge(connection, set())
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


def test_a_merge_that_failed_is_swept(filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with filled._file.writing() as connection:
        connection.execute("DELETE FROM pieces WHERE level > 0")
    filled._upkeep._swept = False
    part_of = duckdb_summing.merge_part

    def failing(connection: Any, merge: duckdb_summing.Merge, part: int) -> bool:
        if part:
            raise StoreUnavailableError("no more")
        return part_of(connection, merge, part)

    with monkeypatch.context() as patch:
        patch.setattr(duckdb_summing, "merge_part", failing)
        with pytest.raises(StoreUnavailableError):
            filled._upkeep.settle(LATER)
    filled._upkeep.settle(LATER)
    with filled._file.reading() as connection:
        assert summed(connection) == {piece.id for piece in read(connection)}


def summed(connection: duckdb.DuckDBPyConnection) -> set[int]:
    return {one for (one,) in connection.execute("SELECT piece FROM sums_by_name").fetchall()}


def test_names_that_are_never_the_same_stay_apart(tmp_path: Path) -> None:
    """Each level would take as much space again."""
    store = DuckDBStore(tmp_path)
    minute = 60_000_000
    names = [f"{number:x}.example.org" for number in range(200)]
    once = [event(n, time=NOON + n * minute, qname=name) for n, name in enumerate(names)]
    store.append("one", table(once))
    store._upkeep.settle(LATER)
    assert len(pieces(store)) > 6
    store.append("one", table(event(n, time=NOON + n * minute) for n in range(200, 400)))
    store._upkeep.settle(LATER)
    levels = {
        piece.level
        for piece in pieces(store)
        if piece.since < naive(BEGIN) + timedelta(minutes=150)
    }
    assert levels == {0}
    assert {piece.level for piece in pieces(store)} >= {0, 1}, "others are merged all the same"
    assert_true(store)
    store.close()


def test_a_thread_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(duckdb_summing, "PIECE_EVENTS", 25)
    monkeypatch.setattr(duckdb_upkeep, "CALM_SECONDS", 0.01)
    done, merge = threading.Event(), duckdb_upkeep.Upkeep._merge

    def merged(upkeep: duckdb_upkeep.Upkeep) -> bool:
        found = merge(upkeep)
        if not found:
            done.set()
        return found

    monkeypatch.setattr(duckdb_upkeep.Upkeep, "_merge", merged)
    store = DuckDBStore(tmp_path)
    store.begin()
    days_ago = int((datetime.now(UTC) - BEGIN).total_seconds()) - 4 * DAY
    store.append("one", table(some(random.Random(1), range(300), days_ago, 3 * DAY)))
    assert done.wait(60)
    store.close()
    store = DuckDBStore(tmp_path, read_only=True)
    assert len(pieces(store)) > 5
    assert_true(store)
    store.close()


def test_others_write_between_two_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(duckdb_summing, "PIECE_EVENTS", 25)
    monkeypatch.setattr(duckdb_summing, "TOGETHER", 2)
    store, numbers, written = DuckDBStore(tmp_path), itertools.count(), threading.Event()

    def write() -> None:
        number = next(numbers)
        store.append("two", table([event(number, time=micros(naive(LATER)))]))
        if number > 5:
            written.set()

    def other(upkeep: duckdb_upkeep.Upkeep) -> None:
        assert threading.current_thread() is upkeep._thread
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(60)

    monkeypatch.setattr(duckdb_upkeep.Upkeep, "_make_room", other)
    days_ago = int((datetime.now(UTC) - BEGIN).total_seconds()) - 4 * DAY
    store.append("one", table(some(random.Random(1), range(300), days_ago, 3 * DAY)))
    store.begin()
    assert written.wait(120)
    store.close()


@pytest.fixture
def going_on() -> threading.Event:
    return threading.Event()


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch, going_on: threading.Event) -> Iterator[threading.Event]:
    """Set when somebody looks what is to be summed up: who does so stays there, and reads."""
    looked = threading.Event()

    def plan(*_: object) -> list[duckdb_summing.Stretch]:
        looked.set()
        going_on.wait(60)
        return []

    monkeypatch.undo()
    monkeypatch.setattr(duckdb_summing, "PIECE_EVENTS", 25)
    monkeypatch.setattr(duckdb_summing, "plan", plan)
    yield looked
    going_on.set()


def test_who_is_no_service_does_not_sum_up(tmp_path: Path, stuck: threading.Event) -> None:
    """Readers hold retention up."""
    store = DuckDBStore(tmp_path)
    store.append("one", table(some(random.Random(1), range(300), 0, 3 * DAY)))
    store.close()
    assert main(["store", "prune", "--data", str(tmp_path), "--to-bytes", "1KB"]) == 0
    assert not stuck.is_set()
    store = DuckDBStore(tmp_path)
    assert store.size().rows == 0
    store.close()


def test_a_service_sums_up(
    tmp_path: Path, stuck: threading.Event, going_on: threading.Event
) -> None:
    """Meanwhile retention says that it cannot tell, not that nothing is to be done."""
    store = DuckDBStore(tmp_path)
    store.append("one", table(some(random.Random(1), range(300), 0, 3 * DAY)))
    assert not stuck.is_set()
    service = assemble(store, load(TINY))
    assert stuck.wait(60)
    with pytest.raises(StoreBusyError, match="being read"):
        store.trim(None, 0)
    going_on.set()
    service.close()


@pytest.mark.parametrize("fault", [StoreUnavailableError("full"), KeyError("odd")])
def test_a_fault_is_followed_by_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """Also where nothing is appended any more."""
    monkeypatch.undo()
    monkeypatch.setattr(duckdb_summing, "PIECE_EVENTS", 25)
    monkeypatch.setattr(duckdb_upkeep, "CALM_SECONDS", 0.01)
    well, tries, settle = threading.Event(), itertools.count(), duckdb_upkeep.Upkeep.settle

    def settled(upkeep: duckdb_upkeep.Upkeep) -> None:
        if next(tries) < 3:
            raise fault
        settle(upkeep)
        well.set()

    monkeypatch.setattr(duckdb_upkeep.Upkeep, "settle", settled)
    store = DuckDBStore(tmp_path)
    store.append("one", table(some(random.Random(1), range(300), 0, 3 * DAY)))
    store.begin()
    assert well.wait(60)
    store.close()


def test_how_long_nothing_is_done(filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_upkeep, "CALM_SECONDS", 60.0)
    pause = filled._upkeep._pause
    assert [pause(faults) for faults in (0, 1, 2, 5, 2000)] == [None, 60, 120, 960, 3600]
    filled._upkeep._swept = False  # as a merge that was broken off leaves it
    assert pause(0) == 60


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


def test_pieces_of_an_older_version_are_made_anew(tmp_path: Path, filled: DuckDBStore) -> None:
    """They had no groups, and told of fewer domains and names who asked for them."""
    assert {piece.level for piece in pieces(filled)} > {0}
    before = pieces(filled)
    filled.close()
    with duckdb.connect(tmp_path / FILE) as old:
        old.execute("DROP TABLE sums_of_often")
        old.execute("DROP TABLE times_of_often")
        old.execute("DELETE FROM sums_by_asker WHERE n < 4")
        old.execute("UPDATE mlplugin SET version = 3")
    store = DuckDBStore(tmp_path)
    assert pieces(store) == [], "it opens at once"
    assert_sums(store, Filter())
    store._upkeep.settle(LATER)
    there = {piece.id for piece in pieces(store)}
    assert len(there) == len(before)
    assert not there & {piece.id for piece in before}
    assert_true(store)
    assert_sums(store, Filter(domain="example.org"))
    with store._file.reading() as connection:
        for name in duckdb_summing.TABLES:
            found = connection.execute(f"SELECT DISTINCT piece FROM {name}").fetchall()  # noqa: S608
            assert {piece for (piece,) in found} <= there, "nothing is left of those before"
    store.close()


KILLED = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from mlplugin.store import duckdb_summing, duckdb_upkeep
from mlplugin.store.duckdb_store import DuckDBStore
duckdb_summing.PIECE_EVENTS, duckdb_summing.TOGETHER, duckdb_summing.PART_NAMES = 25, 2, 3
duckdb_upkeep.Upkeep._begin = lambda *_: None
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
