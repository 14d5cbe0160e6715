"""The routes that sum up the history give what the service's functions give."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from mlplugin.service.history import Asked
from tests.api.conftest import Live
from tests.support.events import NOON, event, ndjson

SINCE = "2026-09-21T14:00:00Z"
UNTIL = "2026-09-21T15:00:00Z"
RANGE = f"since={SINCE}&until={UNTIL}"


@pytest.fixture
def filled(live: Live) -> Live:
    rows = [
        event(n, time=NOON + n * 1_000_000, qname=f"h{n % 3}.example.org", score=n % 40 + 0.5)
        for n in range(80)
    ]
    rows += [
        event(n, verdict="malicious", threat="dga", score=41.5, qname="bad.site.net",
              registered_domain="site.net", action="nxdomain", client="192.0.2.9")
        for n in range(80, 90)
    ]  # fmt: skip
    live.send(ndjson(rows))
    return live


def test_each_route_gives_what_its_function_gives(filled: Live) -> None:
    insight, asked = filled.service.insight, Asked(since=SINCE, until=UNTIL)
    narrow = Asked(since=SINCE, until=UNTIL, verdict="suspicious,malicious", min_score=40)
    narrowed = f"{RANGE}&verdict=suspicious,malicious&min_score=40"
    for path, expected in (
        (f"/api/v1/stats/compared?{narrowed}", insight.compared(narrow)),
        (f"/api/v1/timeline?{RANGE}&step=60&by=threat", insight.timeline(asked, 60, "threat")),
        (f"/api/v1/timeline?{narrowed}", insight.timeline(narrow)),
        (f"/api/v1/top?{narrowed}&column=qname", insight.top(narrow, "qname")),
        (f"/api/v1/top?{RANGE}&column=client&limit=1", insight.top(asked, "client", 1)),
        (f"/api/v1/domains/Site.NET?{RANGE}", insight.domain("site.net", asked)),
        (f"/api/v1/domains/sit.net/lookalikes?{RANGE}", insight.lookalikes("sit.net", asked)),
        (f"/api/v1/clients/192.0.2.9?{RANGE}", insight.client("192.0.2.9", asked)),
        (f"/api/v1/scores?{RANGE}", insight.scores(asked)),
        (f"/api/v1/scores/30?{RANGE}&limit=2", insight.would_flag(asked, 30, 2)),
        (f"/api/v1/vetting?{RANGE}", insight.queue(asked)),
        ("/api/v1/changes", filled.service.vetting.changes(100)),
        ("/api/v1/models", insight.models()),
        ("/api/v1/models/current", insight.model("current")),
    ):
        answer = filled.ask("GET", path)
        assert (answer.status, answer.json) == (200, expected), path


def test_queries_in_another_order(filled: Live) -> None:
    first = filled.ask("GET", "/api/v1/queries?sort=-score&limit=12&source=model").json
    assert [row["score"] for row in first["queries"]] == [41.5] * 10 + [39.5] * 2
    rest = filled.ask("GET", f"/api/v1/queries?sort=-score&limit=1&cursor={first['next']}").json
    assert rest["queries"][0]["score"] == 38.5
    assert filled.ask("GET", f"/api/v1/queries?cursor={first['next']}").status == 422


def test_a_name_with_a_slash_has_its_own_page(live: Live) -> None:
    name = r"0/25.2.0.192.in-addr.arpa"
    live.send(ndjson([event(1, qname=name, registered_domain=None)]))
    found = live.ask("GET", f"/api/v1/domains/{quote(name, safe='')}").json
    assert (found["name"], found["queries"]) == (name, 1)
    alike = live.ask("GET", f"/api/v1/domains/{quote(name, safe='')}/lookalikes").json
    assert alike["name"] == name


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/timeline?step=week", 422),
        ("/api/v1/timeline?step=1&since=30d", 422),
        ("/api/v1/timeline?by=client", 422),
        ("/api/v1/timeline?colour=red", 422),
        ("/api/v1/top", 422),
        ("/api/v1/top?column=password", 422),
        ("/api/v1/top?column=qname&limit=1001", 422),
        ("/api/v1/queries?sort=qname", 422),
        ("/api/v1/queries?verdict=malicious,", 422),
        ("/api/v1/queries?min_score=61", 422),
        ("/api/v1/queries?source=rumour", 422),
        ("/api/v1/domains/a..b", 422),
        ("/api/v1/domains/a..b/lookalikes", 422),
        ("/api/v1/clients/nobody", 422),
        ("/api/v1/scores/high", 422),
        ("/api/v1/scores/nan", 422),
        ("/api/v1/models/9999.1.1", 404),
    ],
)
def test_what_makes_no_sense(filled: Live, path: str, status: int) -> None:
    answer = filled.ask("GET", path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
