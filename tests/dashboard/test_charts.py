"""Charts: what stands below them, in whatever range and wherever."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from mlplugin.dashboard import html
from mlplugin.dashboard.parts import charts
from tests.dashboard.conftest import Open, Site, settled


def labels(since: str, until: str) -> list[str]:
    found = charts.time_labels(charts.moment(since), charts.moment(until), 200)
    assert len(found) <= charts.MOST_LABELS
    return re.findall(r">([^<]+)<", html.rendered(found))


@pytest.mark.parametrize(("since", "until", "said"), [
    ("2025-03-01T00:00Z", "2025-03-01T00:04Z", ["1 Mar", "00:01", "00:02", "00:03", "00:04"]),
    ("2025-03-01T18:00Z", "2025-03-02T18:00Z", ["18:00", "2 Mar", "06:00", "12:00", "18:00"]),
    ("2024-12-30T12:00Z", "2025-01-03T12:00Z", ["31 Dec 2024", "1 Jan 2025", "2 Jan", "3 Jan"]),
    ("2025-01-15T00:00Z", "2025-05-15T00:00Z", ["Feb", "Mar", "Apr", "May"]),
    ("2024-09-15T00:00Z", "2025-03-15T00:00Z",
     ["Oct 2024", "Nov 2024", "Dec 2024", "Jan 2025", "Feb 2025", "Mar 2025"]),
    ("2024-06-15T00:00Z", "2025-08-15T00:00Z",
     ["Jul 2024", "Oct 2024", "Jan 2025", "Apr 2025", "Jul 2025"]),
    ("2021-06-01T00:00Z", "2026-02-01T00:00Z", ["2022", "2023", "2024", "2025", "2026"]),
    ("1970-01-01T00:00Z", "2026-01-01T00:00Z", ["1970", "1980", "1990", "2000", "2010", "2020"]),
    ("0001-01-01T00:00Z", "9999-12-31T00:00Z", ["2000", "4000", "6000", "8000"]),
])  # fmt: skip
def test_times_are_few_and_say_their_year(since: str, until: str, said: list[str]) -> None:
    assert labels(since, until) == said


def test_a_year_stands_where_it_begins() -> None:
    (first, *_) = charts.time_labels(
        charts.moment("2021-06-01T00:00Z"), charts.moment("2026-02-01T00:00Z"), 200
    )
    assert first.attributes["data-at"] == "2022-01-01T00:00:00Z"


def test_all_of_time_makes_no_more_labels_than_an_hour(site: Site, open_page: Open) -> None:
    page = open_page(site, "/queries?since=0001-01-01T00:00Z&until=9999-12-31T00:00Z")
    plots = page.locator(".plot")
    assert plots.count() > 0
    assert page.locator(".plot text[data-at]").count() <= charts.MOST_LABELS * plots.count()


def test_months_and_years_are_the_same_everywhere(site: Site, browser: Browser) -> None:
    context = browser.new_context(timezone_id="America/New_York")
    page = context.new_page()
    for since, until in (("2021-06-01", "2026-02-01"), ("2024-09-15", "2025-03-15")):
        page.goto(f"{site.url}/queries?since={since}T00:00Z&until={until}T00:00Z")
        settled(page)
        written = page.locator(".plot text[data-at]")
        before = written.all_inner_texts()
        assert len(before) >= 4
        page.locator("#clock").click()
        expect(page.locator("#clock")).to_have_text("Local")
        assert written.all_inner_texts() == before
        page.locator("#clock").click()
    context.close()


SHOW = """
document.querySelector(".plot[data-series]").dispatchEvent(new PointerEvent("pointermove", {
  bubbles: true, pointerType: "touch", clientX: 400, clientY: 300,
}))
"""
ENDS = (
    'document.dispatchEvent(new PointerEvent("pointerup", { pointerType: "touch" }))',
    'document.dispatchEvent(new PointerEvent("pointercancel"))',
    'document.dispatchEvent(new Event("scroll"))',
    'document.querySelector(".plot").remove()',
)


def test_a_tip_goes_with_the_finger(site: Site, open_page: Open) -> None:
    page = open_page(site, "/queries?since=all")
    for end in ENDS:
        page.evaluate(SHOW)
        expect(page.locator(".tip")).to_have_count(1)
        page.evaluate(end)
        expect(page.locator(".tip")).to_have_count(0)
