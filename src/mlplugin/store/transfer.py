"""From one store into another: events, counters, decisions and their record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlplugin.store.columns import EVENTS
from mlplugin.store.port import Filter, Store
from mlplugin.store.sequences import Intervals

MOST = 2**31
# Between the values of a row, and in place of one that is absent: no value has them.
BETWEEN, ABSENT = "\x1f", "\x00"


@dataclass(slots=True)
class Copied:
    """What became of a copy.

    Attributes:
        events: of the source.
        stored: written now; the others were there.
        refused: never taken by the target.
        missing: not found in the target when all was done.
        different: found there by their ids, and with other values.
        later: of the source, and not yet there when they would have been read.
        decisions: decisions and entries of the record that were written or taken back.
    """

    events: int = 0
    stored: int = 0
    refused: int = 0
    missing: int = 0
    different: int = 0
    later: int = 0
    decisions: int = 0


def copy(source: Store, target: Store, advance: Callable[[int], None]) -> Copied:
    """Copy what is not there yet; broken off, it goes on where it was when called again.

    The source may be written to meanwhile: what it did not have yet is left for the next time.

    Args:
        source: what to read.
        target: what to write.
        advance: told of each number of events, once when written and once when looked for.
    """
    done = Copied()
    runs = source.runs()  # before the events: no counter may tell of one that is not copied
    read: dict[str, Intervals] = {}
    for batch in source.columns(Filter()):
        for sensor in pc.unique(batch["sensor"]).to_pylist():
            events = _events(batch, sensor)
            _note(read.setdefault(sensor, Intervals.empty()), events)
            part = target.append(sensor, events)
            done.stored += part.stored
            done.refused += part.refused
        done.events += batch.num_rows
        advance(batch.num_rows)
    for sensor, counters in runs:
        target.append(sensor, EVENTS.empty_table(), counters)
    done.decisions = target.take_over(source.overrides(), source.changes(MOST))
    for batch in source.columns(Filter()):
        _compare(batch, target, read, done)
        advance(batch.num_rows)
    return done


def _events(batch: pa.RecordBatch, sensor: str) -> pa.Table:
    """The rows of a sensor as a store takes them."""
    rows = pa.Table.from_batches([batch.filter(pc.equal(batch["sensor"], sensor))])
    columns = []
    for field in EVENTS:
        column = rows[field.name]
        if field.name == "time":
            column = column.cast(pa.int64())
        elif field.name == "answers":
            column = pc.binary_join(column, " ")
        columns.append(column.cast(field.type))
    return pa.Table.from_arrays(columns, schema=EVENTS)


def _note(read: Intervals, events: pa.Table) -> None:
    if (growth := read.growth(events["sequence"].to_numpy())) is not None:
        read.grow(growth)


def _compare(
    batch: pa.RecordBatch, target: Store, read: dict[str, Intervals], done: Copied
) -> None:
    """Look for the rows of a batch in the target, those that were read before."""
    mine = np.zeros(batch.num_rows, np.bool_)
    for sensor in pc.unique(batch["sensor"]).to_pylist():
        here = pc.equal(batch["sensor"], sensor).to_numpy(zero_copy_only=False)
        numbers = batch["sequence"].to_numpy()
        mine |= here & read.get(sensor, Intervals.empty()).holds(numbers)
    done.later += int((~mine).sum())
    batch = batch.filter(pa.array(mine))
    if not batch.num_rows:
        return
    span = pc.min_max(batch["time"])
    until = span["max"].as_py() + timedelta(microseconds=1)
    there = list(target.columns(Filter(since=span["min"].as_py(), until=until)))
    found = pc.is_in(_ids(batch), _all(_ids(one) for one in there))
    same = pc.is_in(_rows(batch), _all(_rows(one) for one in there))
    done.missing += batch.num_rows - pc.sum(found).as_py()
    done.different += pc.sum(pc.and_not(found, same)).as_py()


def _all(parts: Iterable[pa.Array]) -> pa.ChunkedArray:
    return pa.chunked_array(list(parts), pa.string())


def _ids(batch: pa.RecordBatch) -> pa.Array:
    """Each row's sensor and sequence as one text."""
    return _joined([batch["sensor"], batch["sequence"]])


def _rows(batch: pa.RecordBatch) -> pa.Array:
    """Each row as one text, whatever it has."""
    return _joined(
        [
            pc.fill_null(pc.binary_join(one, " "), "") if pa.types.is_list(one.type) else one
            for one in batch.columns
        ]
    )


def _joined(columns: list[pa.Array]) -> pa.Array:
    texts = [pc.fill_null(one.cast(pa.string()), ABSENT) for one in columns]
    return pc.binary_join_element_wise(*texts, BETWEEN)
