"""What services and readers of one cluster do in turns: refreshes, and jobs that one does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from mlplugin.cli import store as cli_store
from mlplugin.store import Store
from mlplugin.store.elastic import ElasticStore
from mlplugin.store.elastic.retention import LEASE_SECONDS, Lease
from mlplugin.store.port import Filter, StoreBusyError
from tests.support.search_stub import VERSION, Stub, answering
from tests.support.threads import together


class Documents:
    """A cluster that keeps documents under optimistic concurrency, and finds nothing."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[int, Any]] = {}
        self.changes = 0

    def __call__(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        where, _, asked = path.partition("?")
        if where == "/":
            return 200, VERSION
        if where.endswith("/_search"):
            return 200, {"hits": {"hits": [], "total": {"value": 0}}}
        if "/_doc/" not in where:
            return 200, {}
        number, source = self.held.get(where, (None, None))
        if method == "GET":
            found = {"_seq_no": number, "_primary_term": 1, "_source": source}
            return (404, {}) if number is None else (200, found)
        based = f"if_seq_no={number}&" in f"{asked}&"
        if not (based or ("op_type=create" in asked and number is None)):
            return 409, {}
        self.changes += 1
        if method == "DELETE":
            del self.held[where]
        else:
            self.held[where] = self.changes, json.loads(body)
        return 200, {"_seq_no": self.changes, "_primary_term": 1}


@pytest.fixture
def documents() -> Documents:
    return Documents()


@pytest.fixture
def stub(documents: Documents) -> Iterator[Stub]:
    with answering(documents) as found:
        yield found


@pytest.fixture
def store(stub: Stub, tmp_path: Path) -> Iterator[ElasticStore]:
    store = ElasticStore(stub.url, tmp_path, read_only=True)
    yield store
    store.close()


def refreshes(stub: Stub) -> list[str]:
    return [path.partition("?")[0] for _, path in stub.asked if "_refresh" in path]


def test_of_many_readers_one_refreshes(
    store: ElasticStore, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlplugin.store.elastic.freshness.SECONDS", 3600.0)

    def read() -> None:
        for _ in range(10):
            store._freshness.written("mlplugin-events-2026.11.26")
            store.stats(Filter())
            store.sensors()

    assert together(*[read] * 8) == [None] * 8
    assert refreshes(stub) == ["/mlplugin-events-2026.11.26/_refresh"]
    store._freshness.refresh(at_once=True)
    assert len(refreshes(stub)) == 2, "for what must not be missed"


def test_what_nobody_wrote_is_not_refreshed(store: ElasticStore, stub: Stub) -> None:
    store.stats(Filter())
    assert refreshes(stub) == []


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self, start: float) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clocks() -> tuple[Clock, Clock]:
    return Clock(5.0), Clock(-1e9)


@pytest.fixture
def leases(store: ElasticStore, clocks: tuple[Clock, Clock]) -> list[Lease]:
    """The same job at two services whose clocks have nothing in common."""
    return [Lease(store.client, store.indices, "job", clock) for clock in clocks]


def test_a_job_is_one_services_as_long_as_it_goes_on(
    leases: list[Lease], clocks: tuple[Clock, Clock]
) -> None:
    one, other = leases
    for _ in range(5):
        assert one.take()
        assert not other.take()
        for clock in clocks:
            clock.now += LEASE_SECONDS * 0.9
    one.release()
    assert other.take()
    assert not one.take()


def test_the_job_of_a_service_that_ended_is_taken_when_it_was_seen_to_stand_still(
    leases: list[Lease], clocks: tuple[Clock, Clock]
) -> None:
    one, other = leases
    assert one.take()
    clocks[1].now += 1e6  # not looked at meanwhile
    assert not other.take()
    clocks[1].now += LEASE_SECONDS - 1
    assert not other.take()
    clocks[1].now += 1
    assert other.take()
    clocks[0].now += LEASE_SECONDS
    assert not one.take(), "who comes back asks first"
    one.release()
    assert other.take(), "and gives back only what it holds"


def test_no_time_of_day_is_written_for_others(leases: list[Lease], documents: Documents) -> None:
    assert leases[0].take()
    (path, (number, source)) = next(iter(documents.held.items()))
    assert path.endswith("/_doc/lease-job")
    assert set(source["content"]) == {"holder"}, "no time of day that others would read"
    assert number == 1


class Busy:
    """A store that another service trims, so many times that it is asked."""

    def __init__(self, times: int) -> None:
        self.answers: list[int | None] = [*[None] * times, 7, 5, 0]

    def trim(self, _before: object, _most: object) -> int:
        answer = self.answers.pop(0)
        if answer is None:
            raise StoreBusyError("store: another service trims it just now")
        return answer


def test_prune_waits_for_who_trims_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli_store, "BUSY_PAUSE", 0.0)
    assert list(cli_store._steps(cast("Store", Busy(3)), None, 1)) == [7, 5]
    assert capsys.readouterr().err.count("waiting for it") == 1
    monkeypatch.setattr(cli_store, "BUSY_SECONDS", 0.0)
    with pytest.raises(StoreBusyError):
        list(cli_store._steps(cast("Store", Busy(3)), None, 1))
