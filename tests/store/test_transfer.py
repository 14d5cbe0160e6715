"""Copies from one store into another: checked row by row, also where the source is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from mlplugin.store.duckdb_store import DuckDBStore
from mlplugin.store.port import Counters, Filter
from mlplugin.store.transfer import Copied, copy
from tests.support.events import event, table


class Busy(DuckDBStore):
    """A store to which something happens each time that it was read."""

    happens: Callable[[], object] | None = None

    def columns(self, wanted: Filter) -> Iterator[pa.RecordBatch]:
        yield from super().columns(wanted)
        if self.happens is not None:
            self.happens()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Busy]:
    store = Busy(tmp_path / "source")
    store.append("one", table(event(n) for n in range(10)), Counters(0, 10, {}))
    yield store
    store.close()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[DuckDBStore]:
    store = DuckDBStore(tmp_path / "target")
    yield store
    store.close()


def copied(source: Busy, target: DuckDBStore) -> Copied:
    return copy(source, target, lambda _count: None)


def test_what_comes_meanwhile_is_told_and_left(source: Busy, target: DuckDBStore) -> None:
    source.happens = lambda: source.append(
        "one", table(event(n) for n in range(13)), Counters(0, 13, {})
    )
    done = copied(source, target)
    assert (done.events, done.stored, done.missing, done.different) == (10, 10, 0, 0)
    assert done.later == 3
    (sensor,) = target.sensors()
    assert (sensor.stored, sensor.served) == (10, 10), "no counter is ahead of the events"
    done = copied(source, target)
    assert (done.stored, done.missing, done.later) == (3, 0, 0)


def test_what_is_there_with_other_values_is_told(source: Busy, target: DuckDBStore) -> None:
    rows = [event(n) for n in range(10)]
    rows[2] |= {"rcode": "NXDOMAIN"}
    rows[5] = event(5, answers=None)
    rows[7] |= {"time": rows[7]["time"] + 10**9}  # not where it is looked for
    target.append("one", table(rows))
    done = copied(source, target)
    assert (done.stored, done.different, done.missing) == (0, 2, 1)
