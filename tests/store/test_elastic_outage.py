"""A cluster that hangs, is blocked or has lost a part: what still can be done is done."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlplugin.errors import StoreError
from mlplugin.store import open_store
from mlplugin.store.elastic import ElasticStore
from mlplugin.store.port import Filter, StoreUnavailableError
from tests.support.events import event, table
from tests.support.search_stub import BLOCK, VERSION, Script, answering, error


def test_a_cluster_where_nothing_can_be_made_is_read(tmp_path: Path) -> None:
    def script(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/":
            return 200, VERSION
        if "/_search" in path:
            return 200, {"hits": {"hits": [], "total": {"value": 0}}}
        if method == "PUT":
            return 403, error(BLOCK, "blocked by: [FORBIDDEN/6/cluster read-only (api)];")
        return 404, {}

    with answering(script) as stub:
        store = open_store(stub.url, tmp_path)
        assert store.overrides() == []
        assert store.stats(Filter()).queries == 0
        with pytest.raises(StoreUnavailableError, match="read-only"):
            store.append("one", table([event(0)]))
        store.close()


@pytest.mark.parametrize("status", [403, 429])
def test_room_is_made_where_no_lease_can_be_written(status: int, tmp_path: Path) -> None:
    gone: list[str] = []

    def script(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/":
            return 200, VERSION
        if "/_stats" in path:
            part = {"docs": {"count": 5}, "store": {"size_in_bytes": 9}}
            held = {"primaries": part, "total": part}
            days = ("2026.11.01", "2026.11.02", "2026.13.45", "9999", "0000")
            return 200, {"indices": {f"mlplugin-events-{day}": held for day in days}}
        if method == "DELETE" and "-events-" in path:
            gone.append(path)
            return 200, {}
        if method in {"PUT", "DELETE"}:
            return status, error(BLOCK, "blocked by: [x/12/read-only-allow-delete];")
        return 404, {}

    with answering(script) as stub:
        store = open_store(stub.url, tmp_path)
        assert store.trim(datetime.datetime(2026, 11, 2, tzinfo=datetime.UTC), None) == 5
        assert gone == ["/mlplugin-events-2026.11.01"]
        store.close()


@pytest.mark.parametrize(
    ("part", "says"),
    [({"_shards": {"failed": 2}}, "2 shards are missing"), ({"timed_out": True}, "took too long")],
)
def test_a_part_is_never_taken_for_all(part: dict[str, Any], says: str, tmp_path: Path) -> None:
    whole: dict[str, Any] = {"hits": {"hits": [], "total": {"value": 0}}}

    def script(method: str, path: str, body: bytes) -> tuple[int, Any]:
        return 200, VERSION if path == "/" else {**whole, **part}

    with answering(script) as stub:
        store = ElasticStore(stub.url, tmp_path, read_only=True)
        reads: tuple[Callable[[], object], ...] = (
            lambda: store.search(Filter(), 10),
            lambda: store.stats(Filter()),
            lambda: store.top(Filter(), "qname", 10),
            lambda: list(store.columns(Filter())),
            store.overrides,
            lambda: store.changes(10),
            store.sensors,
        )
        for read in reads:
            with pytest.raises(StoreUnavailableError, match=says):
                read()
        searches = [path for _, path in stub.asked if "_search" in path]
        assert len(searches) == len(reads)
        assert all("allow_partial_search_results=false" in path for path in searches)
        store.close()


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"hits": []},
        {"hits": {"total": 3}},
        {"hits": {"hits": [{"_id": "x"}], "total": {"value": 1}}},
        {"hits": {"hits": [{"_source": {"a": 1}, "sort": []}], "total": {"value": 1}}},
        {"indices": {"mlplugin-events-2026.11.26": {}}},
    ],
)
def test_answers_of_another_shape(odd: dict[str, Any], tmp_path: Path) -> None:
    with answering(lambda _method, path, _body: (200, VERSION if path == "/" else odd)) as stub:
        store = ElasticStore(stub.url, tmp_path, read_only=True)
        reads: tuple[Callable[[], object], ...] = (
            lambda: store.search(Filter(), 10),
            lambda: list(store.columns(Filter())),
            store.overrides,
            lambda: store.changes(10),
            store.sensors,
        )
        for read in (store.size,) if "indices" in odd else reads:
            with pytest.raises(StoreError, match="is no search server"):
                read()
        store.close()


def test_the_index_of_a_new_day_is_waited_for(tmp_path: Path) -> None:
    missing = error("search_phase_execution_exception", "")
    missing["error"]["caused_by"] = {"reason": "Search rejected due to missing shards [[x][0]]."}
    replies = [(503, missing)] * 2

    def script(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/":
            return 200, VERSION
        return replies.pop() if replies else (200, {"hits": {"hits": []}})

    with answering(script) as stub:
        store = ElasticStore(stub.url, tmp_path, read_only=True)
        assert store.overrides() == []
        replies += [(503, missing)] * 1000
        with pytest.raises(StoreUnavailableError, match=r"status 503\): Search rejected"):
            store.overrides()
        store.close()


def test_a_cluster_that_hangs_holds_few_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlplugin.store.elastic.hanging.HANG_SECONDS", 60.0)
    hang = threading.Event()

    def script(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/":
            return 200, VERSION
        hang.wait(20)
        return 200, {}

    with answering(script) as stub:
        store = ElasticStore(stub.url, tmp_path, read_only=True)
        store.connect()
        with pytest.raises(StoreUnavailableError, match="did not answer within"):
            store.client.ask("GET", "/x", seconds=0.2)
        before = len(stub.asked)
        for _ in range(20):
            with pytest.raises(StoreUnavailableError, match="hangs"):
                store.overrides()
        assert len(stub.asked) == before, "nobody waits again for what just hung"
        hang.set()
        store.close()


def hanging(hang: threading.Event, part: str) -> Script:
    """A cluster that answers everything but what has a part in its path."""

    def script(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if part in path:
            hang.wait(20)
        if path == "/":
            return 200, VERSION
        return 200, {"hits": {"hits": [], "total": {"value": 0}}}

    return script


def test_a_search_that_hangs_stops_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlplugin.store.elastic.hanging.HANG_SECONDS", 60.0)
    hang = threading.Event()
    with answering(hanging(hang, "/slow/")) as stub:
        client = ElasticStore(stub.url, tmp_path, read_only=True).client
        for _ in range(3):
            with pytest.raises(StoreUnavailableError, match="did not answer within"):
                client.search("slow", {}, 0.2)
        assert client.ask("POST", "/x/_bulk", b"").status == 200
        assert client.ask("GET", "/x/_doc/1").status == 200
        assert client.search("fast", {})["hits"]
        hang.set()
        client.close()


def test_writes_that_hang_stop_writes_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlplugin.store.elastic.hanging.HANG_SECONDS", 60.0)
    hang = threading.Event()
    with answering(hanging(hang, "_bulk")) as stub:
        client = ElasticStore(stub.url, tmp_path, read_only=True).client
        with pytest.raises(StoreUnavailableError, match="did not answer within"):
            client.ask("POST", "/x/_bulk", b"", seconds=0.2)
        with pytest.raises(StoreUnavailableError, match="hangs"):
            client.ask("PUT", "/x/_doc/1", {})
        assert client.search("x", {})["hits"]
        hang.set()
        client.close()


def test_a_search_finds_out_that_all_of_it_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlplugin.store.elastic.hanging.HANG_SECONDS", 60.0)
    monkeypatch.setattr("mlplugin.store.elastic.client.PULSE_SECONDS", 0.2)
    hang = threading.Event()
    with answering(hanging(hang, "/")) as stub:
        client = ElasticStore(stub.url, tmp_path, read_only=True).client
        with pytest.raises(StoreUnavailableError, match="did not answer within"):
            client.search("x", {}, 0.2)
        for method, path in (("GET", "/x"), ("POST", "/x/_bulk")):
            with pytest.raises(StoreUnavailableError, match="hangs"):
                client.ask(method, path)
        hang.set()
        client.close()


def test_one_node_of_two_that_hangs_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlplugin.store.elastic.hanging.HANG_SECONDS", 60.0)
    hang = threading.Event()
    with answering(hanging(hang, "/")) as bad, answering(hanging(hang, "nothing")) as good:
        url = f"{bad.url},{good.url.removeprefix('http://')}"
        client = ElasticStore(url, tmp_path, read_only=True).client
        for _ in range(4):
            assert client.ask("GET", "/x", seconds=1.0).status == 200
        assert client.ask("POST", "/x/_bulk", b"", seconds=1.0).status == 200
        assert bad.asked, "it was asked"
        hang.set()
        client.close()
