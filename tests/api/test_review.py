"""The routes that look back give what the service's functions give."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest

from mlplugin.service.history import Asked
from mlplugin.service.review import Policy
from mlplugin.store.past import ASKERS, NAMES
from tests.api.conftest import Live
from tests.support.events import event, ndjson

SINCE = "2026-09-21T14:00:00Z"
UNTIL = "2026-09-21T15:00:00Z"
RANGE = f"since={SINCE}&until={UNTIL}"
ASKED = Asked(since=SINCE, until=UNTIL)


@pytest.fixture
def filled(live: Live) -> Live:
    rows = [
        event(n, qname=f"h{n % 3}.tea-house.com", registered_domain="tea-house.com",
              shadow_verdict="malicious", shadow_score=40.0, shadow_model="2.0")
        for n in range(9)
    ]  # fmt: skip
    rows.append(event(9, qname="tea-shop.com", registered_domain=None, verdict="malicious"))
    assert live.send(ndjson(rows)).status == 200
    return live


def test_each_route_gives_what_its_function_gives(filled: Live) -> None:
    review = filled.service.review
    body = {"deny": ["h1.tea-house.com"], "on": ["malicious drop"], "suspicious": 5, "limit": 2}
    policy = Policy(deny=["h1.tea-house.com"], on=["malicious drop"], suspicious=5.0)
    for method, path, sent, expected in (
        ("GET", f"/api/v1/shadow?{RANGE}&limit=2", None, review.shadow(ASKED, 2)),
        ("GET", "/api/v1/shadow?shadow_model=1.0", None, review.shadow(Asked(shadow_model="1.0"))),
        ("POST", f"/api/v1/hindsight?{RANGE}", body, review.hindsight(ASKED, policy, 2)),
        ("GET", "/api/v1/hunts", None, filled.service.hunting.results()),
    ):
        answer = filled.ask(method, path, sent)
        assert (answer.status, answer.json) == (200, expected), path
    assert expected == {"running": None, "hunts": []}


def test_queries_tell_of_the_candidate(filled: Live) -> None:
    found = filled.ask("GET", "/api/v1/queries?shadow=malicious&limit=1").json
    assert found["total"] == 9
    (row,) = found["queries"]
    assert (row["shadow_verdict"], row["shadow_score"], row["shadow_model"]) == (
        "malicious", 40.0, "2.0",
    )  # fmt: skip
    top = filled.ask("GET", "/api/v1/top?column=shadow_model").json
    assert [one["value"] for one in top["values"]] == ["2.0"]


def test_names_and_clients_as_columns(filled: Live) -> None:
    answer = filled.ask("GET", f"/api/v1/names?{RANGE}&domain=tea-house.com")
    names = pa.ipc.open_stream(io.BytesIO(answer.body)).read_all()
    assert names.schema == NAMES
    assert sorted(names["qname"].to_pylist()) == [f"h{n}.tea-house.com" for n in range(3)]
    sent = {"names": ["h1.tea-house.com", "none.example"]}
    answer = filled.ask("POST", "/api/v1/names/clients", sent)
    askers = pa.ipc.open_stream(io.BytesIO(answer.body)).read_all()
    assert askers.schema == ASKERS
    assert askers.to_pylist()[0]["queries"] == 3


def test_an_empty_history(live: Live) -> None:
    assert live.ask("GET", "/api/v1/shadow").json["model"] is None
    assert live.ask("POST", "/api/v1/hindsight", {}).json["names"] == 0
    answer = live.ask("GET", "/api/v1/names")
    assert pa.ipc.open_stream(io.BytesIO(answer.body)).read_all().num_rows == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/shadow?shadow=evil", None, 422),
        ("GET", "/api/v1/shadow?limit=0", None, 422),
        ("POST", "/api/v1/hindsight", {"model": "9.9"}, 422),
        ("POST", "/api/v1/hindsight", {"model": "../../etc"}, 422),
        ("POST", "/api/v1/hindsight", {"suspicious": 61}, 422),
        ("POST", "/api/v1/hindsight", {"suspicious": 50, "malicious": 40}, 422),
        ("POST", "/api/v1/hindsight", {"on": ["malicious explode"]}, 422),
        ("POST", "/api/v1/hindsight", {"deny": ["a b c"]}, 422),
        ("POST", "/api/v1/hindsight", {"lists": []}, 422),
        ("POST", "/api/v1/hindsight?since=tomorrow", {}, 422),
        ("POST", "/api/v1/hindsight", b"{", 415),
        ("POST", "/api/v1/names/clients", {"names": ["a"] * 1001}, 422),
        ("POST", "/api/v1/names/clients", {}, 422),
        ("GET", "/api/v1/hindsight", None, 405),
    ],
)
def test_what_makes_no_sense(live: Live, method: str, path: str, body: object, status: int) -> None:
    answer = live.ask(method, path, body)
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"


def test_one_at_a_time(live: Live) -> None:
    with live.service.review._busy:
        answer = live.ask("POST", "/api/v1/hindsight", {})
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
