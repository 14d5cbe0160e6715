"""What is new shows by itself, until it is paused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.dashboard import history
from tests.dashboard.conftest import PATIENCE, Open, Site, running, settled
from tests.support.events import event, ndjson


def test_the_newest_come_by_themselves(tmp_path: Path, open_page: Open) -> None:
    with running(tmp_path) as site:
        page = open_page(site)
        assert "No sensor has sent anything yet" in page.locator("main").inner_text()
        assert "Nothing was flagged yet" in page.locator("#live").inner_text()

        def flagged(number: int, name: str) -> None:
            said = {"qname": name, "registered_domain": name, "verdict": "malicious"}
            row = event(number, time=int(time.time() * 1e6), threat="dga", score=50.0, **said)
            site.service.ingest.take("edge", ndjson([row]))

        flagged(1, "first.example")
        page.wait_for_selector("#live :text('first.example')")
        page.get_by_role("button", name="Pause").click()
        page.wait_for_selector("#live-state:text('paused')")
        flagged(2, "second.example")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(2500)
        assert asked == []
        page.get_by_role("button", name="Resume").click()
        page.wait_for_selector("#live :text('second.example')")
        settled(page)
        page.close()


def test_new_numbers_leave_the_keyboard_and_what_is_open(tmp_path: Path, open_page: Open) -> None:
    with running(tmp_path) as site:
        site.service.ingest.take(history.SENSOR, ndjson(history.events()))
        page = open_page(site, "/?since=all")
        page.locator("#overview-chart details summary").click()
        link = page.locator("#overview-flagged a").first
        link.focus()
        name = link.inner_text()
        queries = page.locator("#overview-tiles .value").first
        before = queries.inner_text()
        site.service.ingest.take("other-sensor", ndjson(history.events()))
        expect(queries).not_to_have_text(before, timeout=PATIENCE)
        settled(page)
        assert page.evaluate("document.activeElement.textContent") == name
        assert page.locator("#overview-chart details").evaluate("one => one.open")
        page.close()  # which would ask on, of a service that is gone


def test_a_row_keeps_the_keyboard_where_others_come_before_it(
    tmp_path: Path, open_page: Open
) -> None:
    with running(tmp_path) as site:

        def flagged(number: int, name: str) -> None:
            said = {"qname": name, "registered_domain": name, "verdict": "malicious"}
            row = event(number, time=int(time.time() * 1e6), threat="dga", score=50.0, **said)
            site.service.ingest.take("edge", ndjson([row]))

        flagged(1, "first.example")
        page = open_page(site)
        page.locator("#live a", has_text="first.example").first.focus()
        page.evaluate("window.kept = document.activeElement")
        for number, name in ((2, "second.example"), (3, "third.example")):
            flagged(number, name)
            page.wait_for_selector(f"#live :text('{name}')")
            settled(page)
        assert page.evaluate("document.activeElement === window.kept")
        assert page.evaluate("document.activeElement.textContent") == "first.example"
        shown = page.locator("#live tbody tr th, #live tbody tr td:has(a)").all_inner_texts()
        places = [
            next(place for place, said in enumerate(shown) if name in said)
            for name in ("third.example", "second.example", "first.example")
        ]
        assert places == sorted(places)
        page.close()


# What is written, and what is written next: whether that is what stands there then, and how
# many elements are the same as before.
MORPHED = """
([before, now]) => {
  const { createElement } = React;
  const { Markup } = window.mlplugin_markup;
  const place = document.createElement("div");
  const root = ReactDOM.createRoot(place);
  const show = (html) => {
    const given = { tag: "div", attributes: {}, html, key: html };
    ReactDOM.flushSync(() => root.render(createElement(Markup, given)));
    return place.firstChild;
  };
  const kept = [...show(before).querySelectorAll("[id], tr")];
  const shown = show(now);
  const again = document.createElement("div");
  again.innerHTML = now;
  return [shown.innerHTML === again.innerHTML, kept.filter((one) => shown.contains(one)).length];
}
"""
ROW = "<tr data-name='{0}'><td>{0}</td></tr>"


@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [
        ("a<b id=x>c</b>", "d<b id=x class=y>e</b>f", 1),
        ("<b id=x>c</b>", "<i>c</i><b id=x>c</b>", 1),
        ("<b id=x>c</b>", "", 0),
        ("", "<b>c</b>&lt;i&gt;", 0),
        ("<p>a</p><p>b</p><p>c</p>", "<p>c</p>", 0),
        (
            "<svg><path id=x d='M0 0'></path></svg>",
            "<svg viewBox='0 0 1 1'><path id=x></path></svg>",
            1,
        ),
    ],
)
def test_what_is_written_anew_is_as_if_written_at_once(
    before: str, now: str, kept: int, site: Site, open_page: Open
) -> None:
    page = open_page(site, "/learning")
    assert page.evaluate(MORPHED, [before, now]) == [True, kept]


@pytest.mark.parametrize(
    ("now", "kept"), [("abc", 3), ("cba", 3), ("xbya", 2), ("c", 1), ("aab", 2)]
)
def test_rows_go_by_what_they_are_about(now: str, kept: int, site: Site, open_page: Open) -> None:
    page = open_page(site, "/learning")
    written = [
        "<table><tbody>" + "".join(map(ROW.format, one)) + "</tbody></table>"
        for one in ("abc", now)
    ]
    assert page.evaluate(MORPHED, written) == [True, kept]


TURNS = """
new Promise((done) => {
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
    if (turns > 5) { clearInterval(timer); done(); }
  }, 250);
})
"""


def test_nothing_more_is_asked_while_an_answer_is_under_way(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{site.url}/")
    settled(page)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/_dash-update-component*", hold)
    page.evaluate("Object.assign(document.getElementById('overview-pause').dataset, "
                  "{ numbers: '1', live: '1' })")  # fmt: skip
    page.wait_for_selector("html[data-busy]")
    page.evaluate(TURNS)
    parts = [str(route.request.post_data_json["output"]) for route in held]
    assert len(parts) == len(set(parts)) <= 2, "each at most once"
    page.get_by_role("button", name="Pause").click()
    for route in held:
        route.continue_()
    settled(page)
    held.clear()
    page.evaluate(TURNS)
    assert held == [], "it is paused"
    page.get_by_role("button", name="Resume").click()
    page.wait_for_selector("html[data-busy]")
    page.close()
