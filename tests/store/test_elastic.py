"""A real cluster, where it differs from a file: replicas, copies, migrations, blocks, nodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from mlplugin.bundled.ports import free_port
from mlplugin.cli import main
from mlplugin.errors import StoreError
from mlplugin.store import Options, open_store
from mlplugin.store.duckdb_store import DuckDBStore
from mlplugin.store.elastic import ElasticStore
from mlplugin.store.port import (
    Appended,
    Change,
    Counters,
    Filter,
    Override,
    StoreBusyError,
    StoreUnavailableError,
)
from tests.support.events import NOON, event, table
from tests.support.search_servers import SearchServer
from tests.support.threads import together

DAY = 86_400_000_000
AT = datetime.fromtimestamp(NOON / 1e6, UTC)
Opener = Callable[..., ElasticStore]


@pytest.fixture
def open_store_(server: SearchServer, index: str, tmp_path: Path) -> Iterator[Opener]:
    """Opens one replica after another on the same indices."""
    opened: list[ElasticStore] = []

    def opening(url: str = server.url) -> ElasticStore:
        store = open_store(url, tmp_path / f"replica{len(opened)}", Options(index=index))
        assert isinstance(store, ElasticStore)
        opened.append(store)
        return store

    yield opening
    for store in opened:
        store.close()


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """What the jobs give, run at the same time; the first error of one is raised."""
    found = together(*jobs)
    for one in found:
        if isinstance(one, Exception) and not isinstance(one, StoreBusyError):
            raise one
    return found


def counted(server: SearchServer, index: str) -> int:
    """The number of documents by the server's own word."""
    server.ask("POST", f"/{index}-events-*/_refresh")
    return int(server.ask("GET", f"/{index}-events-*/_count")["count"])


def test_three_replicas_and_three_sensors(
    open_store_: Opener, server: SearchServer, index: str
) -> None:
    replicas = [open_store_() for _ in range(3)]
    batches = [range(at, at + 100) for at in range(0, 500, 50)]  # each event comes twice

    def send(replica: ElasticStore, turn: int) -> int:
        stored = 0
        for sensor in ("a", "b", "c"):
            for number, batch in enumerate(batches):
                rows = table(event(n, time=NOON + n % 3 * DAY) for n in batch)
                counters = Counters(7, 600 + 100 * turn + number, {"queue_full": turn})
                stored += replica.append(sensor, rows, counters).stored
        return stored

    stored = at_once(*(lambda r=r, n=n: send(r, n) for n, r in enumerate(replicas)))
    assert sum(stored) == 3 * 550
    assert counted(server, index) == 3 * 550
    for replica in replicas:
        sensors = replica.sensors()
        assert [(one.name, one.stored) for one in sensors] == [("a", 550), ("b", 550), ("c", 550)]
        assert {(one.served, one.dropped["queue_full"]) for one in sensors} == {(809, 2)}

    before = AT.replace(hour=0) + timedelta(days=2)

    def trim(replica: ElasticStore) -> int:
        taken = 0
        while step := replica.trim(before, None):
            taken += step
        return taken

    taken = at_once(*(lambda r=r: trim(r) for r in replicas))
    trimmed = [one for one in taken if isinstance(one, int)]
    assert sum(trimmed) + counted(server, index) == 3 * 550
    while replicas[0].trim(before, None):
        pass
    assert counted(server, index) == 3 * 183
    assert replicas[1].stats(Filter()).queries == 3 * 183
    again = table(event(n, time=NOON + n % 3 * DAY) for n in range(550))
    assert replicas[2].append("a", again) == Appended(0, 550), "what was taken away is known"
    assert replicas[2].append("d", table([event(0)])) == Appended(1, 0), "its day is written anew"


def decision(name: str, **changed: Any) -> Override:
    values: dict[str, Any] = {
        "scope": "subdomains", "status": "blocked", "client": None, "expires": None, "reason": "",
        "created": AT, **changed,
    }  # fmt: skip
    return Override(name=name, **values)


def test_decisions_of_many_at_once(open_store_: Opener) -> None:
    replicas = [open_store_() for _ in range(3)]

    def decide(replica: ElasticStore, who: str) -> None:
        for n in range(4):
            replica.put_override(decision("example.org", reason=f"{who}{n}"), who)

    at_once(*(lambda r=r, n=n: decide(r, f"w{n}") for n, r in enumerate(replicas)))
    (left,) = replicas[0].overrides()
    assert left.reason in {"w03", "w13", "w23"}
    assert len(replicas[1].changes(100)) == 12, "no change without its entry"

    for n in range(5):
        replicas[0].put_override(decision(f"x{n}.example.org", expires=AT), "ann")
    late = AT + timedelta(days=1)
    gone = at_once(*(lambda r=r: r.drop_expired(late, late, "upkeep") for r in replicas))
    assert sum(gone) == 5
    entries = [one for one in replicas[2].changes(100) if one.status == "expired"]
    assert len(entries) == 5, "each is recorded once"


def test_copies_there_and_back(
    server: SearchServer, index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("MLPLUGIN_STORE_INDEX", index)
    monkeypatch.setattr("mlplugin.store.duckdb_store.EXPORT_ROWS", 40)
    monkeypatch.setattr("mlplugin.store.elastic.store.EXPORT_ROWS", 40)
    monkeypatch.setattr("mlplugin.store.elastic.decisions.PAGE", 7)
    source = DuckDBStore(tmp_path / "one")
    for sensor in ("a", "b"):
        source.append(sensor, table(event(n) for n in range(100)), Counters(5, 103, {"x": 3}))
    for n in range(20):
        source.put_override(decision(f"n{n}.example.org", created=AT + timedelta(hours=n)), "ann")
    source.delete_override(
        "n3.example.org", None, Change(AT, "bob", "n3.example.org", None, "unvetted", "")
    )
    expected = [
        list(source.columns(Filter())), source.overrides(), source.changes(100), source.runs()
    ]  # fmt: skip
    source.close()

    there = [f"duckdb://{tmp_path / 'one'}", server.url]
    assert main(["store", "copy", *there]) == 0
    assert "200 written, 0 were there; 40 decisions" in capsys.readouterr().out
    assert main(["store", "copy", *there]) == 0, "what is there is left as it is"
    assert "0 written, 200 were there; 0 decisions" in capsys.readouterr().out
    assert counted(server, index) == 200

    back = f"duckdb://{tmp_path / 'two'}"
    assert main(["store", "copy", server.url, back]) == 0
    assert "200 written" in capsys.readouterr().out
    target = DuckDBStore(tmp_path / "two")
    found = [
        list(target.columns(Filter())), target.overrides(), target.changes(100), target.runs()
    ]  # fmt: skip
    target.close()
    assert found[1:] == expected[1:]
    rows = [[row for batch in part[0] for row in batch.to_pylist()] for part in (expected, found)]
    assert rows[0] == rows[1]

    hits = server.ask("GET", f"/{index}-events-*/_search")["hits"]["hits"]
    server.ask("DELETE", f"/{hits[0]['_index']}/_doc/{hits[0]['_id']}?refresh=true")
    assert main(["store", "copy", *there]) == 1
    assert "1 events are not in" in capsys.readouterr().err


def test_looking_at_a_cluster(
    server: SearchServer, index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("MLPLUGIN_STORE_INDEX", index)
    monkeypatch.setenv("MLPLUGIN_STORE_URL", server.url)
    where = ["--data", str(tmp_path)]
    assert main(["store", "check", *where]) == 0, "an empty cluster is as it should be"
    assert "not there yet" in capsys.readouterr().out
    assert server.ask("GET", f"/{index}-*") == {}, "looking changes nothing"
    assert main(["store", "migrate", *where]) == 0
    assert f"template {index}-events written" in capsys.readouterr().out
    assert main(["store", "migrate", *where]) == 0
    assert "everything is of this version" in capsys.readouterr().out
    store = open_store(server.url, tmp_path, Options(index=index))
    store.append("one", table(event(n, time=NOON + n * DAY) for n in range(3)))
    store.close()
    assert main(["store", "check", *where]) == 0
    said = capsys.readouterr().out
    assert "3 of events, 3 events" in said
    assert "FAULT" not in said
    assert main(["store", "check", "--role", *where]) == 0
    assert f'"{index}-*"' in capsys.readouterr().out
    server.ask("PUT", f"/{index}-state/_settings", {"index.blocks.write": True})
    assert main(["store", "check", *where]) == 1
    assert f"FAULT  blocks: {index}-state" in capsys.readouterr().out
    server.ask("PUT", f"/{index}-state/_settings", {"index.blocks.write": None})
    server.ask("PUT", f"/{index}-*/_settings", {"index.blocks.read_only_allow_delete": True})
    before = (AT + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert main(["store", "prune", *where, "--before", before]) == 0, "also on a full disk"
    assert "1 events taken away, 2 left" in capsys.readouterr().out
    server.ask("PUT", f"/{index}-*/_settings", {"index.blocks.read_only_allow_delete": None})


def test_a_full_disk_is_waited_for(open_store_: Opener, server: SearchServer, index: str) -> None:
    store = open_store_()
    store.append("one", table(event(n) for n in range(3)))
    for block in ("read_only_allow_delete", "read_only"):
        setting = f"index.blocks.{block}"
        server.ask("PUT", f"/{index}-*/_settings", {setting: True})
        with pytest.raises(StoreUnavailableError, match=r"watermark|read-only"):
            store.append("one", table(event(n) for n in range(6)))
        assert store.stats(Filter()).queries == 3, "it is read all the same"
        server.ask("PUT", f"/{index}-*/_settings", {setting: None})
    assert store.append("one", table(event(n) for n in range(6))) == Appended(3, 3)


def test_a_service_that_starts_on_a_full_disk(
    open_store_: Opener, server: SearchServer, index: str
) -> None:
    first = open_store_()
    first.append("one", table(event(n, time=NOON + n * DAY) for n in range(3)))
    first.put_override(decision("example.org"), "ann")
    assert first.stats(Filter()).queries == 3  # what is written can be searched
    setting = "index.blocks.read_only_allow_delete"
    server.ask("PUT", f"/{index}-*/_settings", {setting: True})
    second = open_store_()
    second.check()
    assert second.stats(Filter()).queries == 3
    assert [one.name for one in second.overrides()] == ["example.org"]
    assert [one.stored for one in second.sensors()] == [3]
    with pytest.raises(StoreUnavailableError, match="watermark"):
        second.append("one", table(event(10 + n, time=NOON + n * DAY) for n in range(3)))
    assert second.trim(AT + timedelta(days=2), None) == 1, "room can be made"
    assert second.trim(AT.replace(hour=0) + timedelta(days=2), None) == 1
    assert second.stats(Filter()).queries == 1
    server.ask("PUT", f"/{index}-*/_settings", {setting: None})


def test_an_index_of_somebody_else(open_store_: Opener, server: SearchServer, index: str) -> None:
    store = open_store_()
    name = f"/{index}-events-{AT:%Y.%m.%d}"
    server.ask("PUT", name, {"mappings": {"_meta": {"mlplugin": {"version": 0}}}})
    with pytest.raises(StoreError, match="was made by another program"):
        store.append("one", table([event(0)]))
    server.ask("DELETE", name)
    assert store.append("one", table([event(0)])) == Appended(1, 0)
    server.ask("DELETE", name)
    assert store.append("two", table([event(0)])) == Appended(1, 0), "it is made anew"
    mapping = server.ask("GET", f"{name}/_mapping")[name[1:]]["mappings"]
    assert mapping["dynamic"] == "strict"


def test_templates_of_other_versions(
    open_store_: Opener, server: SearchServer, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlplugin.store.elastic import template

    today = template.VERSION
    with monkeypatch.context() as then:
        for field in [name for name in template.EVENT_FIELDS if ".shadow." in name]:
            then.delitem(template.EVENT_FIELDS, field)
        then.setattr(template, "VERSION", today - 1)
        # what had no such fields wrote documents without them
        store = open_store_()
        store.append("one", table([event(0)]))
    newer = open_store_()
    assert f"index {index}-events-{AT:%Y.%m.%d} brought from version 1 to 2" in newer.prepared
    row = event(1, shadow_verdict="malicious", shadow_score=41.5, shadow_model="2.0")
    assert newer.append("one", table([row])) == Appended(1, 0)
    told = [row["shadow_verdict"] for row in newer.search(Filter(), 10).rows]
    assert told == ["malicious", None]
    monkeypatch.setattr(template, "VERSION", today - 1)
    with pytest.raises(StoreError, match="are of a newer mlplugin"):
        open_store_()


def test_a_document_that_the_engine_refuses(open_store_: Opener, tmp_path: Path) -> None:
    store = open_store_()
    rows = [event(0), event(1, reason="x" * 40_000), event(2)]  # no term is as long
    assert store.append("one", table(rows)) == Appended(2, 0, 1)
    (line,) = (tmp_path / "replica0" / "dead-letters.ndjson").read_text().splitlines()
    assert json.loads(line)["event"]["sequence"] == 1
    (sensor,) = store.sensors()
    assert (sensor.stored, sensor.dropped) == (2, {"rejected": 1})


def test_a_dead_node_is_passed_over(open_store_: Opener, server: SearchServer) -> None:
    store = open_store_(f"http://127.0.0.1:{free_port()},127.0.0.1:{server.port}")
    for n in range(6):
        assert store.append("one", table([event(n)])).stored == 1
    assert store.stats(Filter(client=ip_network("192.0.2.1"))).queries == 6
