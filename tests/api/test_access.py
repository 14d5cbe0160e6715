"""Who may ask, and who is sent away."""

from __future__ import annotations

import base64

import pytest

from mlplugin.api.access import Access, names_this_machine
from tests.api.conftest import Live, Start

TOKEN = "correct horse battery staple"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:5000", "127.9.9.9", "localhost", "LOCALHOST:5000", "a.localhost",
     "[::1]", "[::1]:5000", "localhost."],
)  # fmt: skip
def test_this_machine(host: str) -> None:
    assert names_this_machine(host)


@pytest.mark.parametrize(
    "host",
    ["", "example.org", "example.org:5000", "192.0.2.1", "localhost.example.org", "0.0.0.0",
     "127.0.0.1.example.org", "[2001:db8::1]:5000", "127.0.0.1@example.org"],
)  # fmt: skip
def test_other_machines(host: str) -> None:
    assert not names_this_machine(host)


def test_names_that_are_made_to_point_here(live: Live) -> None:
    for path in ("/", "/api/v1/queries", "/openapi.json", "/metrics"):
        answer = live.ask("GET", path, headers={"Host": "evil.example.org"})
        assert answer.status == 421, path
    assert live.ask("GET", "/api/v1/queries", headers={"Host": "localhost:1"}).status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_change_nothing(site: str, live: Live) -> None:
    headers = {"Sec-Fetch-Site": site}
    path = "/api/v1/overrides/example.org"
    assert live.ask("PUT", path, {"status": "blocked"}, headers).status == 403
    assert live.ask("DELETE", path, headers=headers).status == 403
    assert live.ask("PUT", path, {"status": "blocked"}).status == 200


def test_nobody_is_let_in_from_another_origin(live: Live) -> None:
    answer = live.ask(
        "OPTIONS",
        "/api/v1/overrides/example.org",
        headers={"Origin": "https://example.org", "Access-Control-Request-Method": "PUT"},
    )
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token(start: Start) -> None:
    live = start(Access(TOKEN, loopback=False))
    for path in ("/", "/api/v1/queries", "/api/v1/policy", "/metrics", "/readyz", "/nothing"):
        for headers in ({}, bearer("wrong"), bearer(""), {"Authorization": "nonsense"}):
            answer = live.ask("GET", path, headers=headers)
            assert answer.status == 401, (path, headers)
            assert "Bearer" in answer.headers["www-authenticate"]
    assert live.ask("GET", "/healthz").status == 200
    headers = {**bearer(TOKEN), "Host": "mlplugin.example.org"}
    assert live.ask("GET", "/api/v1/queries", headers=headers).status == 200
    assert live.ask("GET", "/openapi.json", headers=headers).json["security"] == [{"bearer": []}]


def test_a_browser_gives_the_token_as_password_and_is_on_record(start: Start) -> None:
    live = start(Access(TOKEN))
    given = base64.b64encode(f"ann:{TOKEN}".encode()).decode()
    headers = {"Authorization": f"Basic {given}"}
    assert live.ask("GET", "/", headers=headers).status == 200
    live.ask("PUT", "/api/v1/overrides/example.org", {"status": "blocked"}, headers)
    assert live.service.store.changes(1)[0].who == "ann@127.0.0.1"
