"""What the routes about one name say of its registration, and of what the model thinks of it."""

from __future__ import annotations

import math

from tests.api.conftest import Live


def test_registration_without_a_network(live: Live) -> None:
    found = live.ask("GET", "/api/v1/domains/www.wikipedia.org/registration")
    assert found.status == 200
    assert "no network" in found.json["error"]
    assert found.json["domain"] == "wikipedia.org"


def test_registration_of_what_is_not_public(live: Live) -> None:
    for name in ("printer.lan", "localhost", "com", "1.168.192.in-addr.arpa"):
        found = live.ask("GET", f"/api/v1/domains/{name}/registration").json
        assert "no public domain" in found["error"], name
    assert live.ask("GET", "/api/v1/domains/a..b/registration").status == 422


def test_other_sites_cannot_set_off_questions(live: Live) -> None:
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site}
        found = live.ask("GET", "/api/v1/domains/wikipedia.org/registration", headers=headers)
        assert found.status == 403


def test_opinion_is_the_models_whatever_people_decided(live: Live) -> None:
    name = "xkqvbzjwq.com"
    live.service.vetting.decide(name, "benign", who="test")
    found = live.ask("GET", f"/api/v1/domains/{name}/opinion").json
    assert found["verdict"]["source"] == "model"
    assert len(found["letters"]) == len(name)
    assert set(found["thresholds"]) == {"suspicious", "malicious"}
    assert set(found["verdict"]["scores"]) >= {"dga", "phishing"}
    assert all(math.isfinite(weight) for weight in found["letters"])
    assert live.ask("GET", "/api/v1/domains/printer.lan/opinion").json["letters"] is None
    assert live.ask("GET", "/api/v1/domains/a..b/opinion").status == 422
