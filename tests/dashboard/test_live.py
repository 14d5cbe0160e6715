"""What is new shows by itself, until it is paused."""

from __future__ import annotations

import time
from pathlib import Path

from tests.dashboard.conftest import Open, running, settled
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
