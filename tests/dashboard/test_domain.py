"""The page of a name: its letters, its time, its registration."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlplugin.dashboard.parts import activity, letters
from tests.dashboard import history
from tests.dashboard.conftest import Open, Site, running, settled
from tests.dashboard.test_pages import barriers
from tests.support.events import event, ndjson
from tests.support.rdap import Registry, registry


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[tuple[Site, Registry]]:
    """A service that asks a registry on this machine."""
    with (
        registry("known.org") as found,
        running(tmp_path, registrations=found.registrations()) as site,
    ):
        yield site, found


def test_registration_is_asked_for_by_a_person(
    asking: tuple[Site, Registry], open_page: Open
) -> None:
    site, found = asking
    page = open_page(site, "/domain/www.known.org")
    assert found.asked == []
    page.get_by_role("button", name="Ask the registry").click()
    page.wait_for_selector("#domain-registration dl")
    shown = page.locator("#domain-registration").inner_text()
    assert "Example Registrar, Inc." in shown
    assert "2026-11-20" in shown
    assert found.asked[-1] == "/rdap/domain/known.org"
    assert barriers(page) == []


def test_registry_that_knows_nothing(asking: tuple[Site, Registry], open_page: Open) -> None:
    page = open_page(asking[0], "/domain/other.org")
    page.get_by_role("button", name="Ask the registry").click()
    page.wait_for_selector("#domain-registration :text('Nobody has registered it')")


def test_days_open_hours_and_hours_minutes(site: Site, open_page: Open) -> None:
    page = open_page(site, "/domain/example.com?since=30d")
    assert page.locator("nav[aria-label='Step of the chart'] [aria-current]").inner_text() == (
        "by day"
    )
    for step in ("hour", "minute"):
        page.get_by_text("As a table").first.click()
        page.locator(".more tbody th a").last.click()
        page.wait_for_url(f"**step={step}*")
        settled(page)
    assert page.locator(".trail li").count() == 3
    page.get_by_text("As a table").first.click()
    page.locator(".more tbody th a").last.click()
    page.wait_for_url("**/queries?domain=example.com*")
    settled(page)


def test_a_bar_opens_its_stretch(site: Site, open_page: Open) -> None:
    page = open_page(site, "/domain/example.com?since=30d")
    box = page.locator(".plot").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    page.wait_for_url("**step=hour*")


def test_letters_say_by_form_and_word_what_they_weigh(site: Site, open_page: Open) -> None:
    page = open_page(site, "/domain/xkqvbzjwq.com")
    drawn = page.locator(".verdict-card .letter")
    assert "".join(drawn.locator("b").all_inner_texts()) == "xkqvbzjwq.com"
    assert page.locator(".verdict-card table.reasons tbody tr").count() > 1
    assert "xkqvbzjwq.com" in (page.locator(".letters").get_attribute("aria-label") or "")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ({"kind": "ngram", "text": "label:^xkq"}, ("xkq", "begins the label")),
        ({"kind": "ngram", "text": "label:wq$"}, ("wq", "ends the label")),
        ({"kind": "ngram", "text": "label:^a$"}, ("a", "the whole label")),
        ({"kind": "ngram", "text": "subdomain:ww"}, ("ww", "in the subdomain")),
        ({"kind": "ngram", "text": "window:^xkqvb"}, ("xkqvb", "second look")),
        ({"kind": "suffix", "text": "co.uk"}, (".co.uk", "public suffix")),
        ({"kind": "override", "text": "blocked: a\nb"}, ("blocked: a\\nb", "a person decided")),
    ],
)
def test_reasons_in_words(reason: dict[str, str], words: tuple[str, str]) -> None:
    assert letters.in_words(reason) == words


def test_strongest_letters_in_words() -> None:
    said = letters.strongest("abcd", [0.5, 0.75, -2.0, 0.0], "dga")
    assert said == "most for dga: “ab” +1.25; most against it: “c” −2.00"
    assert letters.strongest("ab", [0.0, 0.0], "dga") == "no letter weighs much"


@pytest.mark.parametrize(
    ("query", "step"),
    [
        ({"since": "1h"}, "minute"), ({"since": "24h"}, "hour"), ({"since": "7d"}, "hour"),
        ({"since": "30d", "step": "hour"}, "hour"), ({"since": "all"}, "day"),
        ({"since": "2026-11-20T10:00:00Z", "until": "2026-11-20T11:00:00Z"}, "minute"),
    ],
)  # fmt: skip
def test_step_fits_the_range(query: dict[str, str], step: str) -> None:
    assert activity.step_of(query, "2026-01-01T00:00:00Z", "2026-11-01T00:00:00Z") == step


def test_hostile_name_is_text(site: Site, open_page: Open) -> None:
    page = open_page(site, "/client/2001:db8::1?since=all")
    shown = page.locator("main").inner_text()
    assert history.SCRIPT in shown
    assert page.locator("main script, main img").count() == 0


@pytest.mark.parametrize("page", ["domain/rare.example", "client/192.0.2.9"])
def test_what_was_asked_for_once_in_a_long_history(
    page: str, tmp_path: Path, open_page: Open
) -> None:
    with running(tmp_path) as site:
        now = int(time.time() * 1e6)
        rare = {"qname": "rare.example", "registered_domain": "rare.example"}
        rows = [
            event(1, time=now - 9 * 86_400_000_000),
            event(2, time=now - 86_400_000_000, client="192.0.2.9", **rare),
            event(3, time=now),
        ]
        site.service.ingest.take("edge", ndjson(rows))
        shown = open_page(site, f"/{page}?since=all")
        table = shown.locator("details.more table tbody tr")
        assert table.count() == 1


def test_a_domain_whose_names_are_flagged_says_so(site: Site, open_page: Open) -> None:
    page = open_page(site, "/domain/example.com?since=30d")
    said = page.locator(".verdict-card p", has_text="Flagged all the same")
    assert "2 of " in said.inner_text()
    said.get_by_role("link").click()
    page.wait_for_url("**/queries?domain=example.com&verdict=*")
    settled(page)
    assert page.locator("text=2 queries").count()
    page = open_page(site, "/domain/www.example.com?since=30d")
    assert page.locator("text=Flagged all the same").count() == 0
