"""Signing in, as people do it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlplugin.api.access import Access
from mlplugin.service.password import Password
from tests.dashboard.conftest import Open, Site, running, settled
from tests.dashboard.test_pages import barriers

SECRET = "correct horse battery"


@pytest.fixture
def closed(tmp_path: Path):  # type: ignore[no-untyped-def]
    password = Password(tmp_path)
    password.set(SECRET)
    with running(tmp_path / "data", Access(None, loopback=False, password=password)) as site:
        yield site


def test_in_and_out(closed: Site, open_page: Open) -> None:
    page = open_page(closed, "/queries?since=all", fresh=True)
    assert page.url == f"{closed.url}/sign-in?next=%2Fqueries%3Fsince%3Dall"
    assert barriers(page) == []
    page.get_by_label("Your name").fill("ann")
    page.get_by_label("Password").fill(SECRET)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{closed.url}/queries?since=all")
    settled(page)
    status = page.evaluate(
        "fetch('/api/v1/overrides/example.org', {method: 'PUT', headers: {"
        "'Content-Type': 'application/json', 'X-CSRFToken': "
        "document.cookie.match(/_csrf_token=([^;]*)/)[1]}, "
        "body: JSON.stringify({status: 'blocked'})}).then((answer) => answer.status)"
    )
    assert status == 200
    assert closed.service.vetting.changes(1)["changes"][0]["who"] == "ann@127.0.0.1"
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto(f"{closed.url}/")
    assert "/sign-in" in page.url
