"""Vetting with keys and mouse: one name, several, for one client, for a time, undone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from mlplugin.dashboard import first
from mlplugin.service.vetting import Vetting, override_json
from tests.dashboard import history
from tests.dashboard.conftest import Open, Site, running, settled
from tests.dashboard.test_first_view import held_back, let_go
from tests.dashboard.test_pages import barriers
from tests.e2e.system import until
from tests.support.events import ndjson


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Site]:
    """A service that the test may change."""
    with running(tmp_path) as found:
        found.service.ingest.take(history.SENSOR, ndjson(history.events()))
        yield found


def names(page: Page) -> list[str]:
    found: list[str] = page.locator("#queue-rows tr").evaluate_all(
        "rows => rows.map((row) => row.dataset.name)"
    )
    return found


def current(page: Page) -> str:
    return page.locator("#queue-rows tr.current").get_attribute("data-name") or ""


def said(page: Page, text: str) -> None:
    page.wait_for_selector(f"#queue-said:has-text('{text}')")
    page.wait_for_selector("#queue-buttons[aria-busy=false]")
    settled(page)


def shows(page: Page, queue: list[str], at: str = "") -> None:
    """Wait until the queue is this, and one row current; what is said may be drawn before it."""
    until(f"the queue is {queue}", lambda: names(page) == queue)
    until(f"{at} is current", lambda: not at or current(page) == at)


def test_keys(own: Site, open_page: Open) -> None:
    page = open_page(own, "/vetting")
    queue = names(page)
    assert current(page) == queue[0]
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert current(page) == queue[1]
    page.keyboard.press("b")
    said(page, "Benign")
    # the next one is in the place of the one that went
    shows(page, [queue[0], *queue[2:]], at=queue[2])
    page.keyboard.press("h")
    said(page, "Honeypot")
    found = {one.name: one.status for one in own.service.vetting.all()}
    assert found == {queue[1]: "benign", queue[2]: "honeypot"}
    page.keyboard.press("u")
    said(page, "Undone")
    page.keyboard.press("u")
    said(page, f"Undone: {queue[1]}")
    page.keyboard.press("u")
    said(page, "nothing to undo")
    assert own.service.vetting.all() == []
    shows(page, queue)


AT = "document.activeElement.closest('tr')?.dataset.name || document.activeElement.tagName"


def test_the_keyboard_stays_in_the_queue(own: Site, open_page: Open) -> None:
    page = open_page(own, "/vetting")
    queue = names(page)
    page.keyboard.press("j")
    assert page.evaluate(AT) == queue[1]
    for name in queue[2:4]:
        page.keyboard.press("b")
        expect(page.locator(f"#queue-rows tr.current[data-name='{name}']")).to_have_count(1)
        said(page, "Benign")
        assert page.evaluate(AT) == name
    page.locator("#queue-blocked").click()
    said(page, "Blocked")
    assert page.evaluate("document.activeElement.id") == "queue-blocked", "it is let be"


def test_the_keyboard_has_a_place_when_the_queue_is_empty(own: Site, open_page: Open) -> None:
    page = open_page(own, "/vetting")
    page.locator("#choose-all").click()
    page.keyboard.press("j")
    page.keyboard.press("b")
    said(page, "Benign")
    shows(page, [])
    expect(page.locator("#main")).to_be_focused()


def test_pressed_twice_is_decided_and_undone_once(
    own: Site, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Vetting.replace

    def slow(*given: Any, **terms: Any) -> Any:
        time.sleep(0.5)
        return replace(*given, **terms)

    monkeypatch.setattr(Vetting, "replace", slow)
    page = open_page(own, "/vetting")
    queue = names(page)
    page.keyboard.press("x")
    page.wait_for_selector("#queue-buttons[aria-busy=true]")
    page.keyboard.press("x")
    said(page, "Blocked")
    assert len(own.service.vetting.changes(10)["changes"]) == 1
    page.keyboard.press("u")
    said(page, f"Undone: {queue[0]}")
    assert own.service.vetting.all() == []


def test_several_at_once(own: Site, open_page: Open) -> None:
    page = open_page(own, "/vetting")
    queue = names(page)
    page.keyboard.press("Space")
    page.keyboard.press("j")
    page.keyboard.press("Space")
    assert page.locator("#chosen-count").inner_text() == "2 selected"
    page.keyboard.press("x")
    said(page, "2 names: Blocked")
    assert sorted(one.name for one in own.service.vetting.all()) == sorted(queue[:2])
    expect(page.locator("#chosen-count")).to_have_text("")
    page.keyboard.press("u")
    said(page, "Undone: 2 names")
    assert own.service.vetting.all() == []


def test_for_a_client_for_a_time_with_a_reason(own: Site, open_page: Open) -> None:
    page = open_page(own, "/vetting")
    page.get_by_label("Whom").fill("192.0.2.7")
    page.get_by_label("How long").select_option("24 h")
    page.get_by_label("What", exact=True).select_option("this name only")
    page.get_by_label("Why", exact=True).fill("the <b>payroll</b> supplier")
    page.locator("#queue-benign").click()
    said(page, "for 192.0.2.7 until")
    (found,) = (override_json(one) for one in own.service.vetting.all())
    assert (found["client"], found["status"], found["scope"], found["reason"]) == (
        "192.0.2.7", "benign", "name", "the <b>payroll</b> supplier",
    )  # fmt: skip
    assert found["expires"] is not None
    assert "the <b>payroll</b> supplier" in page.locator("#queue-decided").inner_text()


def test_bad_client_is_told(own: Site, open_page: Open) -> None:
    page = open_page(own, "/vetting")
    page.get_by_label("Whom").fill("nobody")
    page.locator("#queue-blocked").click()
    said(page, "no address")
    assert own.service.vetting.all() == []


def test_what_others_changed_is_not_undone(own: Site, open_page: Open) -> None:
    page = open_page(own, "/vetting")
    name = names(page)[0]
    page.keyboard.press("x")
    said(page, "Blocked")
    own.service.vetting.decide(name, "benign", who="another")
    page.keyboard.press("u")
    said(page, "changed since")
    assert [one.status for one in own.service.vetting.all()] == ["benign"]


def test_keys_do_nothing_where_one_writes_or_when_they_are_off(own: Site, open_page: Open) -> None:
    page = open_page(own, "/vetting")
    page.get_by_label("Why", exact=True).click()
    page.keyboard.type("box hub jukebox ?")
    assert page.get_by_label("Why", exact=True).input_value() == "box hub jukebox ?"
    page.locator("h1").click()
    page.keyboard.press("?")
    page.locator("#keys-on").click()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("x")
    page.keyboard.press("j")
    assert current(page) == names(page)[0]
    assert own.service.vetting.all() == []


def test_no_barrier_with_a_decision_and_help(own: Site, open_page: Open) -> None:
    page = open_page(own, "/vetting")
    page.keyboard.press("x")
    said(page, "Blocked")
    page.keyboard.press("?")
    assert barriers(page) == []


def test_on_the_page_of_a_name(own: Site, open_page: Open) -> None:
    page = open_page(own, "/domain/www.example.com")
    assert "not vetted" in page.locator("#domain-standing").inner_text()
    page.keyboard.press("x")
    page.wait_for_selector("#domain-standing :text('blocked')")
    assert "127.0.0.1" in page.locator("#domain-record").inner_text(), "who did it"
    page.keyboard.press("u")
    page.wait_for_selector("#domain-standing :text('not vetted')")
    assert own.service.vetting.all() == []


def test_a_block_is_taken_back_after_the_page_was_loaded_again(own: Site, open_page: Open) -> None:
    own.service.vetting.decide("www.example.com", "benign", who="ann", client="192.0.2.7")
    page = open_page(own, "/domain/www.example.com")
    page.keyboard.press("x")
    page.wait_for_selector("#domain-standing :text('blocked')")
    page.reload()
    settled(page)
    assert "blocked for everybody" in page.locator("#domain-standing").inner_text()
    assert barriers(page) == []
    page.get_by_role("button", name="Take back: blocked for everybody").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#domain-said:has-text('no longer blocked for everybody. No decision')")
    settled(page)
    assert [one.status for one in own.service.vetting.all()] == ["benign"], "another one stands"
    latest = own.service.vetting.changes(1)["changes"][0]
    assert (latest["status"], latest["who"], latest["reason"]) == (
        "unvetted", "127.0.0.1", "taken back",
    )  # fmt: skip
    assert page.evaluate("document.activeElement.matches('#domain-standing li')")
    page.get_by_role("button", name="Take back: benign for 192.0.2.7").click()
    page.wait_for_selector("#domain-standing :text('not vetted')")
    settled(page)
    assert page.evaluate("document.activeElement.id") == "domain-said"
    page.keyboard.press("u")
    page.wait_for_selector("#domain-standing :text('benign')")


def test_what_is_decided_is_taken_back_in_its_list(own: Site, open_page: Open) -> None:
    page = open_page(own, "/vetting")
    queue = names(page)
    page.keyboard.press("x")
    said(page, "Blocked")
    page.keyboard.press("h")
    said(page, "Honeypot")
    page.reload()
    settled(page)
    page.get_by_role("button", name=f"Take back: {queue[0]}, blocked for everybody").click()
    said(page, f"{queue[0]}: no longer blocked for everybody")
    assert [one.name for one in own.service.vetting.all()] == [queue[1]]
    assert names(page)[0] == queue[0], "it waits again"
    expect(page.locator("#queue-record")).to_contain_text("unvetted")
    page.keyboard.press("u")
    said(page, f"Undone: {queue[0]}")
    assert len(own.service.vetting.all()) == 2


def test_take_back_that_is_pressed_before_dash_is_there_waits(own: Site, browser: Browser) -> None:
    own.service.vetting.decide("www.example.com", "blocked", who="ann")
    page = browser.new_page()
    held = held_back(page, "**/_dash-layout")
    page.goto(f"{own.url}/domain/www.example.com")
    page.get_by_role("button", name="Take back: blocked").click()
    assert page.locator("#first [data-take]").get_attribute("aria-busy") == "true"
    let_go(page, held)
    page.wait_for_selector("#domain-said:has-text('no longer blocked')")
    page.wait_for_selector("#domain-standing :text('not vetted')")
    assert own.service.vetting.all() == []
    page.close()


def test_what_others_decided_meanwhile_is_not_taken_back(own: Site, open_page: Open) -> None:
    own.service.vetting.decide("www.example.com", "blocked", who="ann")
    page = open_page(own, "/domain/www.example.com")
    own.service.vetting.decide("www.example.com", "honeypot", who="bob")
    page.get_by_role("button", name="Take back: blocked").click()
    page.wait_for_selector("#domain-said:has-text('It is honeypot for everybody now')")
    settled(page)
    assert [one.status for one in own.service.vetting.all()] == ["honeypot"]
    assert page.get_by_role("button", name="Take back: honeypot for everybody").count() == 1


def test_a_key_works_on_a_page_that_was_filled_later(
    own: Site, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first, "PATIENCE_SECONDS", 0)
    page = open_page(own, "/vetting")
    queue = names(page)
    page.keyboard.press("x")
    said(page, f"{queue[0]}: Blocked")
