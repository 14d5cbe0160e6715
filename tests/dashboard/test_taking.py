"""Decisions that stand are taken back, as a page asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import flask
import pytest

from mlplugin.dashboard.parts import deciding, faults, record, taking
from mlplugin.service.service import Service
from mlplugin.service.vetting import override_json
from tests.dashboard.conftest import running

NAME = "www.example.org"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that ann asks."""
    context = flask.Flask("test").test_request_context(environ_overrides={faults.WHO: "ann"})
    with running(tmp_path) as site, context:
        yield site.service


def decided(service: Service, status: str, name: str = NAME, client: str | None = None) -> str:
    """Decide; give when that was, as a page has it."""
    made = service.vetting.decide(name, status, who="bob", client=client)
    return str(override_json(made)["created"])


def standing(service: Service) -> list[tuple[str, str | None]]:
    found = [override_json(one) for one in service.vetting.all()]
    return [(one["status"], one["client"]) for one in found]


def test_only_the_one_that_is_asked_for_goes(service: Service) -> None:
    decided(service, "blocked")
    created = decided(service, "benign", client="192.0.2.0/24")
    said, was = taking.take_back(service, NAME, "192.0.2.0/24", created)
    assert said == (
        f"{NAME}: no longer benign for 192.0.2.0/24. It is blocked for everybody now. "
        "Sensors have it within seconds."
    )
    assert was is not None
    assert standing(service) == [("blocked", None)]
    (change, *_) = service.vetting.changes(1)["changes"]
    assert (change["who"], change["status"], change["client"], change["reason"]) == (
        "ann", "unvetted", "192.0.2.0/24", "taken back",
    )  # fmt: skip


def test_what_covers_a_name_is_told(service: Service) -> None:
    decided(service, "honeypot", "example.org")
    said, _ = taking.take_back(service, NAME, None, decided(service, "blocked"))
    assert "It is honeypot for everybody now, by the decision on example.org." in said


@pytest.mark.parametrize("client", [None, "192.0.2.7"])
def test_twice_is_told(service: Service, client: str | None) -> None:
    created = decided(service, "blocked", client=client)
    taking.take_back(service, NAME, client, created)
    said, was = taking.take_back(service, NAME, client, created)
    assert said == (
        f"Left as it is, because it was changed since: {NAME}. No decision holds on it now."
    )
    assert was is None
    assert len(service.vetting.changes(10)["changes"]) == 2


def test_a_newer_one_stays(service: Service) -> None:
    created = decided(service, "blocked")
    decided(service, "blocked")
    _, was = taking.take_back(service, NAME, None, created)
    assert was is None
    assert standing(service) == [("blocked", None)]


def taken_back(service: Service, created: str) -> list[list[deciding.Made]]:
    asked = {"status": "take-back", "names": [NAME], "client": "", "created": created}
    _, made = deciding._answered(service, asked, None, [])
    return made


def test_it_is_undone_like_a_decision(service: Service) -> None:
    made = taken_back(service, decided(service, "blocked"))
    assert standing(service) == []
    said, left = deciding.pressed(service, "undo", [], made, {})
    assert said.children == f"Undone: {NAME}."
    assert left == []
    assert standing(service) == [("blocked", None)]


def test_undo_lets_be_what_was_decided_after_it(service: Service) -> None:
    made = taken_back(service, decided(service, "blocked"))
    decided(service, "benign")
    said, _ = deciding.pressed(service, "undo", [], made, {})
    assert "changed since" in said.children
    assert standing(service) == [("benign", None)]


def test_undo_of_what_has_expired_puts_nothing_back(service: Service) -> None:
    (entry,) = taken_back(service, decided(service, "blocked"))
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    entry[0]["before"]["expires"] = past
    deciding.pressed(service, "undo", [], [entry], {})
    assert standing(service) == []


@pytest.mark.parametrize("asked", [{"created": "never", "client": ""}, {"created": ""}])
def test_what_no_page_asks_for_is_told(service: Service, asked: dict[str, str]) -> None:
    decided(service, "blocked")
    said, made = deciding._answered(service, {"status": "take-back", **asked}, NAME, [])
    assert "wrong" in repr(said) or "fault" in repr(said)
    assert made == []
    assert standing(service) == [("blocked", None)]


def test_a_button_says_which_decision_it_takes_back(service: Service) -> None:
    decided(service, "blocked")
    service.vetting.decide(
        NAME,
        "benign",
        who="bob",
        client="192.0.2.7",
        expires=datetime(2999, 1, 2, 3, 4, tzinfo=UTC),
    )
    shown = repr(record.standing(NAME, service))
    assert 'aria-label="Take back: blocked for everybody"' in shown
    assert 'aria-label="Take back: benign for 192.0.2.7 until 2999-01-02 03:04 UTC"' in shown
