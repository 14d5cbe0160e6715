"""Sums made by hand, of rows as a store gives them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from mlplugin.store.port import Row
from mlplugin.store.sums import Count, Slice

EPOCH = datetime.fromtimestamp(0, UTC)


def values_of(row: Row, column: str) -> list[str]:
    if column == "answer":
        return sorted(set(row["answers"]))
    return [] if row[column] is None else [row[column]]


def counted(rows: list[Row], column: str) -> list[Count]:
    by: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for value in values_of(row, column):
            by[value].append(row)
    found = [
        Count(
            value,
            len(some),
            sum(row["verdict"] != "benign" for row in some),
            sum(row["action"] != "observe" for row in some),
            len({row["client"] for row in some}),
            min(row["time"] for row in some),
            max(row["time"] for row in some),
            max(row["score"] for row in some),
        )
        for value, some in by.items()
    ]
    return sorted(found, key=lambda count: (-count.queries, count.value))


def sliced(rows: list[Row], step: int, by: str | None) -> list[Slice]:
    found: dict[tuple[datetime, str], list[Row]] = defaultdict(list)
    for row in rows:
        time = EPOCH + (row["time"] - EPOCH) // timedelta(seconds=step) * timedelta(seconds=step)
        found[time, (row[by] if by else None) or ""].append(row)
    return [
        Slice(
            time,
            value or None,
            len(some),
            sum(row["verdict"] != "benign" for row in some),
            sum(row["action"] != "observe" for row in some),
        )
        for (time, value), some in sorted(found.items())
    ]
