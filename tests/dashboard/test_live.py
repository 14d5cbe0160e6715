"""What is new shows by itself, until it is paused."""

from __future__ import annotations

import time
from pathlib import Path

from playwright.sync_api import Browser, Route

from tests.dashboard.conftest import Open, Site, running, settled
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
