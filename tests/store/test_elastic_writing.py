"""Events into a cluster that takes some, none, or complains."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlplugin.errors import StoreError
from mlplugin.store import open_store
from mlplugin.store.elastic import ElasticStore, template
from mlplugin.store.port import Appended, Filter, StoreUnavailableError
from tests.support.events import event, table
from tests.support.search_stub import BLOCK, VERSION, Stub, answering, error


class Cluster:
    """Everything that writing needs; `bulk` says what becomes of a bulk request."""

    def __init__(self) -> None:
        self.bodies: list[list[int]] = []
        self.replies: list[tuple[int, Any]] = []
        self.there: set[str] = set()
        self.refresh = 200

    def __call__(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        where = path.partition("?")[0]
        if where.endswith("/_bulk"):
            return self.bulk(body)
        found: Any = {}
        if where.endswith("/_refresh"):
            return self.refresh, found
        if where.endswith("/_search"):
            return 200, {"hits": {"hits": [], "total": {"value": 0}}}
        if where == "/":
            found = VERSION
        elif where.endswith("/_mapping"):
            index = where.split("/")[1]
            names = [] if "*" in index else [index]
            meta = {"mappings": {"_meta": {"mlplugin": {"version": template.VERSION}}}}
            found = {name: meta for name in names}  # noqa: C420, RUF100 - never changed
        elif method == "HEAD" and where in self.there:
            return 200, found
        elif method in {"GET", "HEAD"}:
            return 404, found
        elif "/_doc/" in where:
            found = {"_seq_no": 1, "_primary_term": 1}
        return 200, found

    def bulk(self, body: bytes) -> tuple[int, Any]:
        lines = [json.loads(line) for line in body.splitlines()[::2]]
        ids = [line["create"]["_id"] for line in lines]
        self.bodies.append([int(one[15:]) for one in ids])
        if self.replies:
            status, reply = self.replies.pop(0)
            return status, reply(ids) if callable(reply) else reply
        return 200, {"errors": False}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def stub(cluster: Cluster) -> Iterator[Stub]:
    with answering(cluster) as found:
        yield found


@pytest.fixture
def store(stub: Stub, tmp_path: Path) -> Iterator[ElasticStore]:
    store = open_store(stub.url, tmp_path / "data")
    assert isinstance(store, ElasticStore)
    yield store
    store.close()


def items(*statuses: int, kind: str = "x", reason: str = "so it is") -> Any:
    """An answer that has these statuses, over and over."""

    def reply(ids: list[str]) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        for place, one in enumerate(ids):
            status = statuses[place % len(statuses)]
            item: dict[str, Any] = {"_id": one, "status": status}
            if status > 201:
                item["error"] = {"type": kind, "reason": reason}
            found.append({"create": item})
        return {"errors": True, "items": found}

    return reply


def send(store: ElasticStore, count: int = 6) -> Appended:
    return store.append("one", table(event(n) for n in range(count)))


def test_templates_come_before_the_indices_that_they_are_for(
    store: ElasticStore, stub: Stub
) -> None:
    made = [path for method, path in stub.asked if method == "PUT"]
    for name in ("state", "overrides", "audit"):
        assert made.index(f"/_index_template/mlplugin-{name}") < made.index(f"/mlplugin-{name}")


def test_only_what_was_not_taken_is_sent_again(store: ElasticStore, cluster: Cluster) -> None:
    cluster.replies = [(200, items(201, 429, 503)), (200, items(201))]
    assert send(store) == Appended(6, 0)
    assert cluster.bodies == [[0, 1, 2, 3, 4, 5], [1, 2, 4, 5]]


def test_a_busy_cluster_is_sent_less_at_once(store: ElasticStore, cluster: Cluster) -> None:
    pace = store._writer.pace
    before = pace.size
    cluster.replies = [(429, error("es_rejected_execution_exception", "full")) for _ in range(3)]
    assert send(store) == Appended(6, 0)
    assert pace.slots == 1
    assert pace.size <= before // 8 + 100
    for _ in range(200):
        pace.faster()
    assert pace.slots > 1
    assert pace.size > before


def test_a_batch_that_is_too_large_is_halved(store: ElasticStore, cluster: Cluster) -> None:
    cluster.replies = [(413, "too large"), (413, "too large")]
    assert send(store) == Appended(6, 0)
    assert cluster.bodies == [[0, 1, 2, 3, 4, 5], [0, 1, 2], [0], [1, 2], [3, 4, 5]]


def test_a_refused_document_is_kept_and_blocks_no_other(
    store: ElasticStore, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.replies = [(200, items(201, 400, kind="document_parsing_exception"))]
    assert send(store) == Appended(3, 0, 3)
    assert send(store) == Appended(0, 6), "it is not tried again"
    path = tmp_path / "data" / "dead-letters.ndjson"
    letters = [json.loads(line) for line in path.read_text().splitlines()]
    assert [letter["event"]["sequence"] for letter in letters] == [1, 3, 5]
    assert letters[0]["reason"] == "document_parsing_exception: so it is"
    assert path.stat().st_mode & 0o077 == 0


def test_under_a_block_what_is_there_is_not_made_again(
    stub: Stub, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.there = {"/mlplugin-state", "/mlplugin-overrides", "/mlplugin-audit"}
    open_store(stub.url, tmp_path).close()
    assert not cluster.there & {path for method, path in stub.asked if method == "PUT"}


def test_a_clock_that_runs_ahead_makes_no_index(
    store: ElasticStore, stub: Stub, tmp_path: Path
) -> None:
    future = int((time.time() + 3 * 86_400) * 1e6)
    rows = [event(0), *(event(n, time=future + n * 86_400_000_000) for n in range(1, 400))]
    assert store.append("one", table(rows)) == Appended(1, 0, 399)
    made = {path for method, path in stub.asked if method == "PUT" and "-events-" in path}
    assert len(made) == 1
    assert len((tmp_path / "data" / "dead-letters.ndjson").read_text().splitlines()) == 399


def test_a_clock_that_stands_in_the_past_makes_one_index_a_year(
    store: ElasticStore, stub: Stub
) -> None:
    rows = [event(n, time=n * 86_400_000_000) for n in range(700)]
    assert store.append("one", table(rows)) == Appended(700, 0)
    made = {path for method, path in stub.asked if method == "PUT" and "-events-" in path}
    assert made == {"/mlplugin-events-1970", "/mlplugin-events-1971"}


FLOOD = "over the flood-stage watermark"
LACKS = {
    "flood stage on 7": (
        403, BLOCK, "blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];", FLOOD,
    ),
    "flood stage on 8": (
        429, BLOCK, "blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage];", FLOOD,
    ),
    "read-only": (403, BLOCK, "blocked by: [FORBIDDEN/5/index read-only (api)];", "read-only"),
    "shards": (
        400, "validation_exception", "this cluster currently has [1000]/[1000] maximum normal "
        "shards open;", "as many shards as it may have",
    ),
    "rights": (403, "security_exception", "action [bulk] is unauthorized", "prints the role"),
}  # fmt: skip


@pytest.mark.parametrize("lack", LACKS)
def test_what_the_cluster_lacks_is_no_fault_of_the_events(
    store: ElasticStore, cluster: Cluster, lack: str, tmp_path: Path
) -> None:
    status, kind, reason, says = LACKS[lack]

    def reply(ids: list[str]) -> dict[str, Any]:
        fault = {"type": kind, "reason": reason}
        one = [{"create": {"_id": one, "status": status, "error": fault}} for one in ids]
        return {"errors": True, "items": one}

    cluster.replies = [(200, reply)]
    with pytest.raises(StoreError, match=says) as caught:
        send(store)
    assert isinstance(caught.value, StoreUnavailableError) == (lack != "rights")
    assert send(store) == Appended(6, 0), "nothing was given up"
    assert not (tmp_path / "data" / "dead-letters.ndjson").exists()


def test_only_a_term_that_is_too_long_is_the_documents_fault(
    store: ElasticStore, cluster: Cluster, tmp_path: Path
) -> None:
    kind = "illegal_argument_exception"
    cluster.replies = [(200, items(400, kind=kind, reason="no write index is defined for alias"))]
    with pytest.raises(StoreError, match="no write index is defined"):
        send(store)
    assert not (tmp_path / "data" / "dead-letters.ndjson").exists()
    immense = "Document contains at least one immense term in field"
    cluster.replies = [(200, items(201, 400, kind=kind, reason=immense))]
    assert send(store) == Appended(3, 0, 3)


def test_a_read_does_without_a_refresh(store: ElasticStore, cluster: Cluster, stub: Stub) -> None:
    send(store)
    cluster.refresh = 429
    for _ in range(2):
        assert store.stats(Filter()).queries == 0
    cluster.refresh = 200
    for _ in range(2):
        assert store.stats(Filter()).queries == 0
    asked = [path for _, path in stub.asked if "_refresh" in path]
    assert len(asked) == 3, "what failed is tried again, what was done is not"


def test_an_index_that_lacks_a_field_gets_it(
    store: ElasticStore, cluster: Cluster, stub: Stub
) -> None:
    cluster.replies = [(200, items(201, 400, 429, kind="strict_dynamic_mapping_exception"))]
    assert send(store) == Appended(6, 0)
    assert cluster.bodies == [[0, 1, 2, 3, 4, 5], [1, 2, 4, 5]]
    assert [path for method, path in stub.asked if method == "PUT" and "/_mapping" in path]
    cluster.replies = [(200, items(400, kind="strict_dynamic_mapping_exception"))] * 2
    with pytest.raises(StoreError, match="strict_dynamic_mapping"):
        store.append("two", table([event(0)]))
    assert store.append("two", table([event(0)])) == Appended(1, 0), "it was not given up"


def test_an_older_index_is_brought_up_to_date_before_it_is_written(
    store: ElasticStore, cluster: Cluster, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlplugin.store.elastic.writer.VERSION", template.VERSION + 1)
    assert send(store) == Appended(6, 0)
    changes = [path for method, path in stub.asked if method == "PUT" and "/_mapping" in path]
    assert len(changes) == 1
    assert len(cluster.bodies) == 1
