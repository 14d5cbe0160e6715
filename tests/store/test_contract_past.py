"""What every store tells by name, against sums made by hand."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from mlplugin.store import duckdb_past
from mlplugin.store.elastic import past
from mlplugin.store.past import ASKERS, COUNTED, NAMES
from mlplugin.store.port import Filter, Row, Store
from tests.support.events import NOON, event, table

ROWS = 600
AT = datetime.fromtimestamp(NOON / 1e6, UTC)


def made() -> list[dict[str, Any]]:
    """Events of which names and answers were bad, and of which lists decided."""
    dice = random.Random(5)
    kinds: list[dict[str, Any]] = [
        {},
        {"verdict": "malicious", "score": 41.0, "reason": "model 1 score 41.0"},
        {"verdict": "malicious", "score": 60.0, "source": "denylist", "reason": "denylist x",
         "action": "nxdomain"},
        {"verdict": "malicious", "score": 41.0, "reason": "alias target x.example: model 1",
         "action": "nxdomain"},
        {"verdict": "malicious", "score": 60.0, "source": "denylist", "action": "refuse",
         "reason": "address 192.0.2.1 in 192.0.2.0/24: denylist"},
        {"verdict": "suspicious", "score": 30.0, "source": "answer", "reason": "answer 10.0.0.1"},
        {"source": "allowlist"},
    ]  # fmt: skip
    return [
        event(
            n,
            qname=f"h{dice.randrange(40)}.example.org",
            client=f"192.0.2.{dice.randrange(6)}",
            **dice.choice(kinds),
        )
        for n in range(ROWS)
    ]


@pytest.fixture(scope="module")
def rows(read_store: Store) -> list[Row]:
    read_store.append("one", table(made()))
    return read_store.search(Filter(), 10_000).rows


def counted(rows: list[Row]) -> dict[str, Any]:
    """The counts of some rows."""
    answered = [
        row
        for row in rows
        if row["source"] == "answer" or (row["reason"] or "").startswith(("alias target", "addr"))
    ]
    numbers = {
        "queries": len(rows),
        "malicious": sum(row["verdict"] == "malicious" for row in rows),
        "first": min(row["time"] for row in rows),
        "last": max(row["time"] for row in rows),
    }
    for end, some in (("", rows), ("_by_answer", answered)):
        numbers[f"flagged{end}"] = sum(row["verdict"] != "benign" for row in some)
        numbers[f"blocked{end}"] = sum(row["action"] != "observe" for row in some)
    return numbers


def listed(rows: list[Row]) -> dict[str, int]:
    denied = [row for row in rows if (row["reason"] or "").startswith("denylist")]
    return {"allowed": sum(row["source"] == "allowlist" for row in rows), "denied": len(denied)}


def by(rows: list[Row], *columns: str) -> dict[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[column] for column in columns)].append(row)
    return found


def same(row: Row, expected: dict[str, Any]) -> bool:
    for time in ("first", "last"):
        assert abs(row[time] - expected[time]) < timedelta(milliseconds=1)
    return {name: row[name] for name in expected if name not in ("first", "last")} == {
        name: value for name, value in expected.items() if name not in ("first", "last")
    }


@pytest.fixture(params=["at once", "in parts"])
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in parts":
        monkeypatch.setattr(duckdb_past, "PART", 7)
        monkeypatch.setattr(past, "GROUPS", 7)


@pytest.mark.usefixtures("small")
def test_each_name_comes_once(read_store: Store, rows: list[Row]) -> None:
    since = AT + timedelta(seconds=100)
    for wanted, some in (
        (Filter(), rows),
        (Filter(since=since), [row for row in rows if row["time"] >= since]),
        (Filter(qname="none.example"), []),
    ):
        batches = list(read_store.names(wanted))
        assert all(batch.schema == NAMES for batch in batches)
        found = pa.Table.from_batches(batches, NAMES).to_pylist()
        expected = by(some, "qname")
        assert sorted(row["qname"] for row in found) == sorted(name for (name,) in expected)
        for row in found:
            mine = expected[(row["qname"],)]
            assert same(row, {**counted(mine), **listed(mine)}), row


@pytest.mark.usefixtures("small")
def test_who_asked(read_store: Store, rows: list[Row]) -> None:
    chosen = ["h1.example.org", "h2.example.org", "none.example.org"]
    batches = list(read_store.askers(Filter(), chosen))
    assert all(batch.schema == ASKERS for batch in batches)
    found = pa.Table.from_batches(batches, ASKERS).to_pylist()
    expected = by([row for row in rows if row["qname"] in chosen], "qname", "client")
    assert [(row["qname"], row["client"]) for row in found] == sorted(expected)
    for row in found:
        assert same(row, counted(expected[row["qname"], row["client"]])), row
    assert set(COUNTED) < set(ASKERS.names)
