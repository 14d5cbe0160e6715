"""Every route as a client sees it, over a real connection."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlplugin.api import pages, server
from mlplugin.errors import StoreError
from mlplugin.service.history import History
from mlplugin.store.columns import QUERIES
from mlplugin.store.port import StoreUnavailableError
from tests.api.conftest import Answer, Live, Start
from tests.support.events import event, ndjson


def is_problem(answer: Answer, status: int) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status == answer.json["status"] == status
    assert answer.json["type"] == "about:blank"
    assert answer.json["detail"]
    return True


# Events


def test_a_batch_once_and_again(live: Live) -> None:
    body = ndjson(event(n) for n in range(100))
    answer = live.send(body, Mlplugin_Counters='{"started": 0, "served": 100, "dropped": {}}')
    assert (answer.status, answer.json) == (200, {"stored": 100, "known": 0})
    assert live.send(body).json == {"stored": 0, "known": 100}
    packed = gzip.compress(ndjson(event(n) for n in range(150)))
    assert live.send(packed, Content_Encoding="gzip").json == {"stored": 50, "known": 100}
    assert live.send(b"").json == {"stored": 0, "known": 0}
    stats = live.ask("GET", "/api/v1/stats").json
    assert (stats["queries"], stats["served"], stats["dropped"]) == (150, 100, 0)


def test_batches_from_many_connections(live: Live) -> None:
    answers: list[Answer] = []

    def send(number: int) -> None:
        for at in range(0, 500, 50):
            rows = ndjson(event(n) for n in range(at, at + 100))
            answers.append(live.send(rows, sensor=f"s{number % 2}"))

    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} == {200}
    assert sum(answer.json["stored"] for answer in answers) == 2 * 550
    assert live.ask("GET", "/api/v1/stats").json["queries"] == 2 * 550


def test_a_bad_line_is_named(live: Live) -> None:
    answer = live.send(ndjson([event(1), event(2, verdict="evil")]))
    assert is_problem(answer, 422)
    assert answer.json["line"] == 2
    assert is_problem(live.send(b"nonsense\n"), 400)
    assert live.service.store.size().rows == 0


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({}, b"{}", 415),
        ({"Content-Type": "application/x-ndjson", "Content-Encoding": "br"}, b"{}", 415),
        ({"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}, b"{}", 400),
        (
            {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"},
            gzip.compress(bytes(33 << 20)),
            413,
        ),
        ({"Content-Type": "application/x-ndjson", "Mlplugin-Counters": "x"}, b"", 422),
    ],
    ids=["json", "text", "no type", "brotli", "no gzip", "bomb", "counters"],
)
def test_refused_batches(headers: dict[str, str], body: bytes, status: int, live: Live) -> None:
    assert is_problem(live.ask("POST", "/api/v1/events?sensor=edge", body, headers), status)


def test_a_body_that_is_too_long(live: Live) -> None:
    assert is_problem(live.send(b"\n" * ((32 << 20) + 1000)), 413)


@pytest.mark.parametrize("query", ["", "?sensor=", f"?sensor={'x' * 256}", "?sensor=a&more=1"])
def test_events_of_nobody(query: str, live: Live) -> None:
    headers = {"Content-Type": "application/x-ndjson"}
    assert is_problem(live.ask("POST", f"/api/v1/events{query}", b"", headers), 422)


def test_a_store_without_space(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreUnavailableError("the disk is full: make space there")

    monkeypatch.setattr(type(live.service.store), "append", full)
    answer = live.send(ndjson([event(1)]))
    assert is_problem(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    monkeypatch.undo()
    assert live.send(ndjson([event(1)])).json["stored"] == 1
    assert 'mlplugin_ingest_batches_total{result="unavailable"} 1.0' in metrics(live)


# The history


@pytest.fixture
def filled(live: Live) -> Live:
    rows = [event(n, qname=f"h{n % 7}.example.org", client=f"192.0.2.{n % 5}") for n in range(50)]
    rows.append(
        event(
            50,
            qname="<script>alert(1)</script>.example.com",
            registered_domain="example.com",
            verdict="malicious",
            threat="phishing",
            score=44.4,
            action="sinkhole",
            reason='"><script>alert(2)</script>',
        )
    )
    assert live.send(ndjson(rows)).status == 200
    return live


def test_pages(filled: Live) -> None:
    seen: list[int] = []
    path: str | None = "/api/v1/queries?limit=20"
    while path:
        page = filled.ask("GET", path).json
        assert page["total"] == 51
        seen += [row["sequence"] for row in page["queries"]]
        path = page["next"] and f"/api/v1/queries?limit=20&cursor={page['next']}"
    assert seen == list(range(50, -1, -1))


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("qname=h1.example.org", 7),
        ("qname=H1.EXAMPLE.ORG.", 7),
        ("qname=h*.example.org", 50),
        ("domain=example.com", 1),
        ("client=192.0.2.3", 10),
        ("client=192.0.2.0/30", 41),
        ("verdict=malicious", 1),
        ("threat=phishing&action=sinkhole", 1),
        ("rcode=noerror&qtype=a", 51),
        ("sensor=edge", 51),
        ("sensor=other", 0),
        ("since=2026-09-21T14:14:00Z", 11),
        ("until=2026-09-21T14:14:00%2B00:00", 40),
        ("since=24h", 0),
    ],
)
def test_filters(query: str, total: int, filled: Live) -> None:
    assert filled.ask("GET", f"/api/v1/queries?{query}").json["total"] == total


@pytest.mark.parametrize(
    "query",
    [
        "verdct=malicious",
        "verdict=evil",
        "limit=0",
        "limit=10001",
        "limit=many",
        "cursor=forged",
        "client=nobody",
        "qname=a..b",
        "since=tomorrow",
    ],
)
def test_questions_that_make_no_sense(query: str, live: Live) -> None:
    answer = live.ask("GET", f"/api/v1/queries?{query}")
    assert is_problem(answer, 422)


def test_summaries(filled: Live) -> None:
    domain = filled.ask("GET", "/api/v1/domains/EXAMPLE.org").json
    assert (domain["queries"], domain["clients"], domain["names"]) == (50, 5, 7)
    client = filled.ask("GET", "/api/v1/clients/192.0.2.1").json
    assert client["queries"] == 11
    assert client["top_names"]
    assert is_problem(filled.ask("GET", "/api/v1/clients/nobody"), 422)
    assert is_problem(filled.ask("GET", "/api/v1/domains/a..b"), 422)
    stats = filled.ask("GET", "/api/v1/stats?since=2026-09-21T14:14:10Z").json
    assert (stats["queries"], stats["flagged"], stats["blocked"]) == (1, 1, 1)


def test_names_with_slashes_and_percents(live: Live) -> None:
    name = r"0/25.2.0.192.in-addr.arpa"
    live.send(ndjson([event(1, qname=name, registered_domain=None)]))
    found = live.ask("GET", f"/api/v1/domains/{quote(name, safe='')}").json
    assert (found["name"], found["queries"]) == (name, 1)


def test_export_is_an_arrow_stream(filled: Live) -> None:
    answer = filled.ask("GET", "/api/v1/export?domain=example.org")
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(answer.body).read_all()
    assert table.schema == QUERIES
    assert table["sequence"].to_pylist() == list(range(50))
    empty = filled.ask("GET", "/api/v1/export?sensor=none")
    assert pa.ipc.open_stream(empty.body).read_all().num_rows == 0


def test_export_in_the_form_that_is_asked_for(filled: Live) -> None:
    def export(form: str, filtered: str = "") -> Answer:
        return filled.ask("GET", f"/api/v1/export?format={form}{filtered}")

    answer = export("csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert re.fullmatch(
        r"attachment; filename=queries-[\d-]+\.csv", answer.headers["content-disposition"]
    )
    assert answer.body.count(b"\n") == 52
    lines = export("jsonl", "&verdict=malicious").body.splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [50]
    table = pq.read_table(io.BytesIO(export("parquet").body))
    assert table.schema.equals(QUERIES)
    assert table.num_rows == 51
    for form in ("csv", "jsonl", "parquet"):
        assert export(form, "&sensor=none").status == 200
    assert is_problem(export("xls"), 422)
    assert is_problem(export("csv", "&since=never"), 422)


EXPORT, NAMES, ASKERS = "/api/v1/export", "/api/v1/names", "/api/v1/names/clients"


def test_streams_that_nobody_takes_leave_threads_to_others(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(*_given: object) -> Iterator[pa.RecordBatch]:
        begun.release()
        go_on.wait(20)
        yield from ()

    for name in ("columns", "names", "askers"):
        monkeypatch.setattr(History, name, slow)
    live = start(threads=5)
    asked = [("GET", EXPORT, None), ("GET", NAMES, None), ("POST", ASKERS, {"names": ["a.org"]})]
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda one: answers.append(live.ask(*one).status), args=(one,))
        for one in asked
    ]
    for thread in threads:
        thread.start()
    try:
        assert all(begun.acquire(timeout=20) for _ in threads)
        for one in asked:
            refused = live.ask(*one)
            assert is_problem(refused, 429)
            assert refused.headers["retry-after"] == "5"
        assert live.ask("GET", "/api/v1/stats").status == 200
    finally:
        go_on.set()
    for thread in threads:
        thread.join(20)
    assert answers == [200, 200, 200]
    monkeypatch.undo()
    for path in (EXPORT, NAMES):
        assert is_problem(live.ask("GET", f"{path}?since=never"), 422)
        for _ in range(3):
            assert live.ask("HEAD", path).status == 200


def test_no_spreadsheet_takes_a_name_for_a_formula(live: Live) -> None:
    live.send(ndjson([event(1, qname="=cmd|calc.example.org")]))
    assert b'"\'=cmd|calc.example.org"' in live.ask("GET", "/api/v1/export?format=csv").body


# Vetting

JSON = {"Content-Type": "application/json"}
ONE = "/api/v1/overrides/bad.example.net"


def test_a_decision_and_back(live: Live) -> None:
    assert is_problem(live.ask("GET", ONE), 404)
    body = {"status": "blocked", "client": "192.0.2.9/24", "expires": "2100-01-01T00:00:00Z"}
    put = live.ask("PUT", ONE, body)
    assert put.status == 200
    assert (put.json["client"], put.json["scope"]) == ("192.0.2.0/24", "subdomains")
    assert is_problem(live.ask("GET", ONE), 404), "it is one client's"
    assert live.ask("GET", f"{ONE}?client=192.0.2.0/24").json == put.json
    assert live.ask("GET", "/api/v1/overrides").json == {"overrides": [put.json]}
    assert live.ask("DELETE", f"{ONE}?client=192.0.2.0%2F24").status == 204
    assert is_problem(live.ask("DELETE", f"{ONE}?client=192.0.2.0/24"), 404)
    (back, first) = live.service.store.changes(9)
    assert (back.status, first.status, first.who) == ("unvetted", "blocked", "127.0.0.1")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"nonsense", 400),
        (b"[]", 422),
        (b'"{\\"status\\": \\"blocked\\"}"', 422),
        ({}, 422),
        ({"status": "evil"}, 422),
        ({"status": "blocked", "scope": "galaxy"}, 422),
        ({"status": "blocked", "client": "nobody"}, 422),
        ({"status": "blocked", "expires": "soon"}, 422),
        ({"status": "blocked", "expires": "2020-01-01T00:00:00Z"}, 422),
        ({"status": "blocked", "reason": "x" * 1001}, 422),
        ({"status": "blocked", "expries": None}, 422),
    ],
)
def test_decisions_that_make_no_sense(body: Any, status: int, live: Live) -> None:
    assert is_problem(live.ask("PUT", ONE, body, JSON), status)
    assert live.ask("GET", "/api/v1/overrides").json == {"overrides": []}


def test_only_json_decides(live: Live) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = live.ask("PUT", ONE, b'{"status": "blocked"}', {"Content-Type": kind})
        assert is_problem(answer, 415)
    assert is_problem(live.ask("PUT", ONE, b'{"status": "blocked"}'), 415)


def test_the_policy_is_told_once(live: Live) -> None:
    first = live.ask("GET", "/api/v1/policy")
    tag = first.headers["etag"]
    assert re.fullmatch(r'"[0-9a-f]{64}"', tag), "a strong entity tag"
    again = live.ask("GET", "/api/v1/policy", headers={"If-None-Match": tag})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    live.ask("PUT", ONE, {"status": "honeypot"})
    changed = live.ask("GET", "/api/v1/policy", headers={"If-None-Match": tag})
    assert changed.status == 200
    assert changed.headers["etag"] != tag
    assert changed.json["version"] != first.json["version"]
    assert changed.json["overrides"][0]["name"] == "bad.example.net"


# Verdicts


def test_classify(live: Live) -> None:
    names = ["www.wikipedia.org", "a..b", "xjq7vzk2mwpt9rb.com"]
    answer = live.ask("POST", "/api/v1/classify", {"names": names, "explain": True})
    first, broken, last = answer.json["verdicts"]
    assert first == live.service.model.judge_explained(names[0]).to_json()
    assert last == live.service.model.judge_explained(names[2]).to_json()
    assert set(broken) == {"qname", "error"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ({}, 422),
        ({"names": "example.org"}, 422),
        ({"names": [1]}, 422),
        ({"names": ["example.org"] * 10_001}, 422),
        ({"names": [], "explain": 1}, 422),
        (b"[" * 200_000, 400),
    ],
    ids=["cut", "nothing", "a text", "a number", "too many", "explain", "deep"],
)
def test_classify_what_makes_no_sense(body: Any, status: int, live: Live) -> None:
    assert is_problem(live.ask("POST", "/api/v1/classify", body, JSON), status)


@pytest.mark.parametrize("headers", [JSON, {}, {"Content-Type": "application/json; charset=utf-8"}])
def test_the_original_contract(headers: dict[str, str], live: Live) -> None:
    body = b'{"Domain Name": "www.example.net.", "IP": "192.0.2.1:53412"}'
    answer = live.ask("POST", "/", body, headers)
    assert answer.status == 200
    assert set(answer.json) == {"p"}
    assert re.fullmatch(r"[01]\.\d\d", answer.json["p"])
    live.ask("PUT", "/api/v1/overrides/example.net", {"status": "blocked", "client": "192.0.2.1"})
    body = b'{"Domain Name": "www.example.net", "IP": "192.0.2.1"}'
    assert live.ask("POST", "/", body, headers).json == {"p": "1.00"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"Domain Name": 5}', b'{"Domain Name": "a..b"}']
)
def test_the_original_contract_broken(body: bytes, live: Live) -> None:
    assert is_problem(live.ask("POST", "/", body, JSON), 400)


# Operation


def metrics(live: Live) -> str:
    answer = live.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.body.decode()


def test_metrics(filled: Live) -> None:
    filled.send(
        ndjson([event(50)]), Mlplugin_Counters='{"started":0,"served":60,"dropped":{"x":9}}'
    )
    text = metrics(filled)
    for line in (
        'mlplugin_ingest_events_total{result="stored"} 51.0',
        'mlplugin_ingest_events_total{result="known"} 1.0',
        'mlplugin_ingest_batches_total{result="stored"} 2.0',
        "mlplugin_store_rows 51.0",
        "mlplugin_store_up 1.0",
        'mlplugin_sensor_served_total{sensor="edge"} 60.0',
        'mlplugin_sensor_stored_total{sensor="edge"} 51.0',
        'mlplugin_sensor_dropped_total{reason="x",sensor="edge"} 9.0',
    ):
        assert line in text, line
    assert re.search(r"^mlplugin_store_bytes [1-9]", text, re.M)
    assert 'route="/api/v1/events"' in text
    assert "example.org" not in text
    assert "192.0.2" not in text


def test_health_without_a_store(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    assert live.ask("GET", "/readyz").status == 200

    def gone(*_: object) -> None:
        raise StoreError("gone")

    for name in ("check", "size"):
        monkeypatch.setattr(type(live.service.store), name, gone)
    assert live.ask("GET", "/healthz").status == 200
    assert is_problem(live.ask("GET", "/readyz"), 503)
    assert "mlplugin_store_up 0.0" in metrics(live)


def test_home(filled: Live) -> None:
    answer = filled.ask("GET", "/")
    page = answer.body.decode()
    assert answer.headers["content-type"].startswith("text/html")
    assert not re.search(r'(src|href)="(?![/#])', page), "nothing from elsewhere"
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    (nonce,) = set(re.findall(r"nonce-([\w-]+)", policy))
    assert f'nonce="{nonce}"' in page
    assert nonce not in filled.ask("GET", "/").body.decode()
    for place in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        assert filled.ask("GET", place.replace("&amp;", "&")).status == 200, place


def test_pages_of_the_dashboard(filled: Live) -> None:
    for path in ("/queries?since=1h", "/domain/a%2Fb.example", "/client/192.0.2.1", "/vetting"):
        answer = filled.ask("GET", path)
        assert answer.status == 200, path
        assert answer.headers["content-type"].startswith("text/html")
    assert is_problem(filled.ask("POST", "/queries"), 405)


def test_pages_that_wait_leave_threads_to_others(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(_environ: Any, respond: Any) -> list[bytes]:
        begun.release()
        go_on.wait(20)
        respond("204 No Content", [])
        return []

    monkeypatch.setattr(pages.Pages, "_made", lambda _self: slow)
    live = start(threads=4)
    threads = [threading.Thread(target=live.ask, args=("POST", pages.UPDATE, {})) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert all(begun.acquire(timeout=20) for _ in threads)
        assert is_problem(live.ask("POST", pages.UPDATE, {}), 503)
        assert live.send(ndjson([event(1)])).status == 200
    finally:
        go_on.set()
    for thread in threads:
        thread.join(20)
    assert live.ask("POST", pages.UPDATE, {}).status == 204


def test_the_dashboard_is_made_soon_after_the_start(
    monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    made = threading.Event()
    monkeypatch.setattr(server, "BEGIN_SECONDS", 0)
    monkeypatch.setattr(pages.Pages, "_made", lambda _self: made.set())
    start()
    assert made.wait(20)


def test_texts_are_compressed_for_who_takes_that(filled: Live) -> None:
    for path in ("/queries?since=all", "/assets/shell.js?m=1"):
        plain = filled.ask("GET", path)
        assert "content-encoding" not in plain.headers
        packed = filled.ask("GET", path, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "Accept-Encoding"
        assert len(packed.body) < len(plain.body) / 2
        assert int(packed.headers["content-length"]) == len(packed.body)


def test_assets_are_files_of_theirs_alone(live: Live) -> None:
    answer = live.ask("GET", "/assets/dashboard.css?m=1")
    assert answer.headers["content-type"].startswith("text/css")
    assert is_problem(live.ask("GET", "/assets/../app.py"), 404)
    assert is_problem(live.ask("GET", "/assets/%2e%2e/app.py"), 404)


def test_only_what_an_address_says_is_kept(live: Live) -> None:
    page = live.ask("GET", "/").body.decode()
    listed = re.findall(r'"(/assets/[^"]+[.](?:js|css)[^"]*)"', page)
    assert len(listed) >= 8
    for place in listed:
        answer = live.ask("GET", place)
        assert "immutable" in answer.headers["cache-control"], place
        name, said = place.split("?m=")
        assert said == hashlib.sha256(answer.body).hexdigest()[: len(said)]
        for other in (name, f"{name}?m=", f"{name}?m=1", f"{place}0"):
            kept = live.ask("GET", other).headers["cache-control"]
            assert "immutable" not in kept, other
            assert "no-cache" in kept, other
    assert is_problem(live.ask("GET", "/assets/nothing.js?m=None"), 404)


def test_what_is_not_there(live: Live) -> None:
    assert is_problem(live.ask("GET", "/api/v1/nothing"), 404)
    answer = live.ask("POST", "/api/v1/queries")
    assert is_problem(answer, 405)
    assert "GET" in answer.headers["allow"]


def test_a_fault_of_ours_says_nothing_inside(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(type(live.service.store), "summary", broken)
    answer = live.ask("GET", "/api/v1/stats")
    assert is_problem(answer, 500)
    assert b"secret" not in answer.body
