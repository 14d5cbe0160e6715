"""What pages are built of, without a browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import flask
import pytest

from mlplugin.dashboard import html, links
from mlplugin.dashboard.app import create, resolve
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.pages import client, model, overview, queries, vetting
from mlplugin.dashboard.parts import cards, charts, deciding, faults, letters, record, tables, text
from mlplugin.dashboard.parts.timeline import span_text
from mlplugin.dashboard.shared import FRESH_SECONDS, LARGEST_PART, MOST_KEPT, Shared
from mlplugin.service.history import Asked
from mlplugin.service.service import Service
from mlplugin.service.vetting import Vetting
from tests.dashboard import browser, history
from tests.dashboard.conftest import Site, running
from tests.support.events import ndjson


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("xn--mnchen-3ya.example", "münchen.example"),
        ("example.org", None),
        ("xn--.example", None),
        ("xn--a.example", None),
        ("xn--99999999999.example", None),
        ("xn--" + "\u202e".encode("punycode").decode() + ".example", None),
    ],
)
def test_the_readable_form_of_a_name(name: str, shown: str | None) -> None:
    assert text.u_label_form(name) == shown


def test_nothing_steers_the_text_around_it() -> None:
    assert text.plain("a\x1b[31mb\u202ec\ud800") == "a\\x1b[31mb\\u202ec\\ud800"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (9999, "9,999"), (10_000, "10k"), (123_456, "123k"), (1_500_000, "1.5M"),
     (999_999, "1M"), (999_400, "999k"), (2e9, "2G")],
)  # fmt: skip
def test_short_numbers(value: float, shown: str) -> None:
    assert text.short(value) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 10, "0 %"), (1, 3, "33 %"), (1, 1000, "0.1 %"), (1, 0, text.MISSING)],
)
def test_shares(part: float, whole: float, shown: str) -> None:
    assert text.share(part, whole) == shown


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [(3, 0, "none in the range before"), (3, 3, "as in the range before"),
     (3, 2, "+50 % from 2"), (2, 3, "−33 % from 3"), (400, 2, "×200 from 2")],
)  # fmt: skip
def test_changes(now: float, before: float, said: str) -> None:
    assert cards._change(now, before, "bad").children == said


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (30.0, "about one clean name in 1,000 scores"),
        (43.0, "about one clean name in 19,953 scores"),
        (51.5, "fewer than one clean name in 20,000 scores"),
    ],
)
def test_no_score_promises_more_than_was_measured(score: float, said: str) -> None:
    assert text.as_high(score) == said


def test_steps_in_words() -> None:
    assert [span_text(step) for step in (1, 60, 900, 7200, 86400)] == [
        "1 second", "1 minute", "15 minutes", "2 hours", "1 day",
    ]  # fmt: skip


class TestLinks:
    def test_names_of_any_kind(self) -> None:
        assert links.to_domain("a/b?c#d.example") == "/domain/a%2Fb%3Fc%23d.example"
        assert links.to_domain(".") == "/domain?name=."
        assert links.address(links.to_domain("."), {"since": "1h"}) == "/domain?name=.&since=1h"
        assert links.to_client("2001:db8::1", since="1h") == "/client/2001:db8::1?since=1h"
        assert links.to_queries(qname="*.x", client=None, since="") == "/queries?qname=%2A.x"

    def test_what_an_address_asks_for(self) -> None:
        assert links.asked_of(links.read("")) == Asked(since="24h")
        assert links.asked_of(links.read("?since=all")) == Asked()
        assert links.asked_of(links.read("?until=1h")) == Asked(until="1h")
        query = links.read("?qname=+*.example.org&verdict=malicious&cursor=x&sort=time&since=1h")
        assert links.asked_of(query) == Asked(
            qname="*.example.org", verdict="malicious", since="1h"
        )

    def test_what_an_address_hands_on(self) -> None:
        query = links.read("?client=192.0.2.7&since=7d&cursor=x&verdict=malicious,benign")
        assert links.filters_of(query) == {
            "client": "192.0.2.7", "verdict": "malicious,benign", "since": "7d",
        }  # fmt: skip
        assert links.verdicts_of(query, "suspicious,malicious") == "malicious"
        assert links.verdicts_of({"verdict": "benign"}, "suspicious,malicious") == ""
        assert links.verdicts_of({}, "suspicious,malicious") == "suspicious,malicious"

    def test_pages(self) -> None:
        for path, title in (
            ("/", "Overview"), ("/queries", "Queries"), ("/domain/a%2Fb.example", "a/b.example"),
            ("/client/192.0.2.1", "192.0.2.1"), ("/nothing", "No such page"),
            ("/queries/more", "No such page"),
        ):  # fmt: skip
            assert resolve(path)[0] == title


def test_a_form_of_the_queries_loses_no_filter() -> None:
    form = repr(queries.form_of(dict.fromkeys(links.FILTERS, "x")))
    assert [name for name in links.FILTERS if f'name="{name}"' not in form] == []


class TestShared:
    def test_asked_once_while_fresh(self) -> None:
        now, asked = 0.0, []
        shared = Shared(lambda: now)

        def ask() -> int:
            asked.append(now)
            return len(asked)

        assert [shared.get("a", ask), shared.get("a", ask)] == [1, 1]
        assert shared.get("b", ask) == 2
        now += FRESH_SECONDS
        assert shared.get("a", ask) == 3

    def test_what_takes_long_is_asked_more_rarely(self) -> None:
        now = 0.0
        shared = Shared(lambda: now)

        def slow() -> float:
            nonlocal now
            now += 3.0
            return now

        assert shared.get("a", slow) == 3.0
        now += 3.0 / LARGEST_PART - 0.1
        assert shared.get("a", slow) == 3.0
        now += 0.2
        assert shared.get("a", slow) > 3.0

    def test_a_fault_is_not_kept_and_old_ones_go(self) -> None:
        shared = Shared(lambda: 0.0)
        with pytest.raises(ZeroDivisionError):
            shared.get("a", lambda: 1 // 0)
        assert shared.get("a", lambda: 1) == 1
        for number in range(3 * MOST_KEPT):
            shared.get(number, lambda: 0)
        assert len(shared._kept) <= MOST_KEPT

    def test_what_is_old_takes_no_memory(self) -> None:
        now = 0.0
        shared = Shared(lambda: now)
        shared.get("a", lambda: "a page of rows")
        now += FRESH_SECONDS
        shared.get("b", lambda: 1)
        assert list(shared._kept) == ["b"]


def test_what_is_begun_is_asked_once() -> None:
    shared, asked, go_on = Shared(lambda: 0.0), [], threading.Event()

    def ask() -> int:
        go_on.wait(20)
        asked.append(1)
        return len(asked)

    begun = shared.begin("a", ask)
    with pytest.raises(TimeoutError):
        begun.result(0)
    go_on.set()
    assert [begun.result(20), shared.get("a", ask), len(asked)] == [1, 1, 1]


@pytest.mark.parametrize(("count", "said"), [(0, "0 names"), (1, "1 name"), (1200, "1,200 names")])
def test_one_is_one(count: int, said: str) -> None:
    assert text.counted(count, "name", "names") == said


@pytest.mark.parametrize(
    ("said", "threshold"), [("", 30.0), ("x", 30.0), ("12.5", 12.5), ("-3", 0.0), ("nan", 60.0)]
)
def test_a_threshold_of_an_address(said: str, threshold: float) -> None:
    limits = {"suspicious": 30.0, "malicious": 37.0}
    assert model.threshold_of({"threshold": said}, limits) == threshold


def test_flagged_ones_of_a_client_are_led_to() -> None:
    row = {"value": "a.example", "queries": 3, "flagged": 2}
    found = {"flagged_names": [row], "only_here": [], "new_domains": [], "top_domains": [],
             "top_names": [{**row, "flagged": 0}]}  # fmt: skip
    shown = html.rendered(client._tables("192.0.2.1", found, {"since": "1h"}))
    assert shown.count("verdict=suspicious%2Cmalicious") == 1
    assert "client=192.0.2.1&amp;qname=a.example" in shown


def test_a_verdict_that_scores_lower_than_a_threat_is_explained() -> None:
    shown = html.rendered(letters.scores({"dga": 38.8, "scam": 3.0}, 35.9, 30.0, 37.0))
    assert "35.9, is lower than that of dga, 38.8" in shown
    assert "lower than" not in html.rendered(letters.scores({"dga": 35.0}, 35.9, 30.0, 37.0))


def test_names_are_links_with_the_range() -> None:
    shown = text.name("www.example.org", since="1h")
    assert isinstance(shown, Element)
    assert shown.attributes["href"] == "/domain/www.example.org?since=1h"
    assert text.name(None) == text.MISSING


def test_decisions_on_a_name_and_above(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        decisions = site.service.vetting
        decisions.decide("example.org", "blocked", who="ann")
        decisions.decide("a.example.org", "benign", who="ann", client="192.0.2.1")
        shown = repr(record.standing("a.example.org", site.service))
        assert "benign" in shown
        assert "Covered by" in shown
        assert "Covered by" not in repr(record.standing("example.org", site.service))


def test_a_bar_tells_its_count_exactly() -> None:
    shown = tables.bars("Names", "Name", [{"value": "a", "queries": 1_234_567}], str)
    assert 'title="1,234,567"' in repr(shown)
    assert "1.23M" in repr(shown)


def test_a_long_record_is_not_all_looked_at() -> None:
    change = {"name": "example.org"}

    def said(entries: int) -> str:
        decisions = SimpleNamespace(
            changes=lambda limit: {"changes": [change] * min(limit, entries)}
        )
        stub = cast(Service, SimpleNamespace(vetting=decisions))
        return repr(record.recorded("example.net", stub))

    assert "Nobody decided anything" in said(3)
    assert "latest 500" in said(1000)


@pytest.fixture
def asking() -> Iterator[None]:
    """Somebody asks, as the service sees it."""
    with flask.Flask("test").test_request_context(environ_overrides={faults.WHO: "ann"}):
        yield


@pytest.mark.usefixtures("asking")
def test_decisions_on_one_name_are_undone_one_by_one(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        made: list[list[deciding.Made]] = []

        def press(status: str) -> str:
            nonlocal made
            said, made = deciding.pressed(site.service, status, ["example.org"], made, {})
            return " ".join([said.children, *(one.status for one in site.service.vetting.all())])

        for status in ("blocked", "honeypot", "benign"):
            press(status)
        back = [press("undo") for _ in range(4)]
        assert back == [
            "Undone: example.org. honeypot",
            "Undone: example.org. blocked",
            "Undone: example.org.",
            "There is nothing to undo.",
        ]


@pytest.mark.usefixtures("asking")
def test_undo_lets_be_what_was_decided_while_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as site:
        decisions = site.service.vetting
        decisions.decide("example.org", "honeypot", who="ann")
        made = [deciding.decide(site.service, ["example.org"], "blocked")]
        replace = Vetting.replace

        def overtaken(*given: Any, **terms: Any) -> Any:
            decisions.decide("example.org", "benign", who="bob")
            return replace(*given, **terms)

        monkeypatch.setattr(Vetting, "replace", overtaken)
        said, _ = deciding.pressed(site.service, "undo", [], made, {})
        assert "changed since: example.org" in said.children
        assert [one.status for one in decisions.all()] == ["benign"]


ASKED = {"status": "undo", "names": []}


def pressed(site: Site, kind: str, parts: Sequence[str], **state: Any) -> Any:
    """What a page gets for its button, as its browser asks for it."""
    places = [*((part, "children") for part in parts), (f"{kind}-made", "data"),
              (f"{kind}-said", "children")]  # fmt: skip
    body = {
        "output": f"..{'...'.join('.'.join(place) for place in places)}..",
        "outputs": [{"id": name, "property": what} for name, what in places],
        "changedPropIds": [f"{kind}-do.data"],
        "inputs": [{"id": f"{kind}-do", "property": "data", "value": ASKED}],
        "state": [
            {"id": f"{kind}-{name}", "property": "data", "value": state.get(name)}
            for name in ("name", "range", "made")
        ],
    }
    dashboard = create(site.service).server.test_client()
    answer = dashboard.post("/_dash-update-component", json=body)
    assert answer.status_code == 200
    return answer.get_json()["response"]


@pytest.mark.parametrize(
    ("kind", "name", "parts"),
    [("queue", None, ("queue", "queue-decided", "queue-record")),
     ("domain", "a.org", ("domain-judged", "domain-standing", "domain-record"))],
)  # fmt: skip
def test_a_fault_of_a_button_is_told(
    kind: str, name: str | None, parts: tuple[str, ...], tmp_path: Path
) -> None:
    with running(tmp_path) as site:
        odd = pressed(site, kind, parts, name=name, made=[[{}]])
        assert "A fault of the service" in json.dumps(odd[f"{kind}-said"])
        assert odd[f"{kind}-made"]["data"] == [[{}]]
        if kind == "queue":
            cannot = pressed(site, kind, parts, range={"since": "never"})
            assert "no time" in json.dumps(cannot["queue"])
            assert "nothing to undo" in json.dumps(cannot["queue-said"])


def test_a_decision_for_one_client_leaves_a_name_in_the_queue(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        site.service.ingest.take(history.SENSOR, ndjson(history.events()))

        def names() -> list[str]:
            found = vetting.waiting({"since": links.ALL}, site.service, shared)
            return [row["name"] for row in found]

        shared = Shared()
        first, second = names()[:2]
        site.service.vetting.decide(first, "benign", who="ann", client="192.0.2.7")
        assert names()[:2] == [first, second]
        site.service.vetting.decide(first, "benign", who="ann")
        assert names()[0] == second


def test_what_is_taken_back_waits_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the queue was counted while it was decided on, and is kept for a while."""
    with running(tmp_path) as site:
        site.service.ingest.take(history.SENSOR, ndjson(history.events()))

        def names(shared: Shared) -> list[str]:
            found = vetting.waiting({"since": links.ALL}, site.service, shared)
            return [row["name"] for row in found]

        queue = names(Shared())
        site.service.vetting.decide(queue[0], "benign", who="ann")
        shared = Shared(lambda: 0.0)
        assert queue[0] not in names(shared)
        site.service.vetting.take_back(queue[0], None, who="ann")
        assert names(shared) == queue
        counts = []
        count = site.service.insight.queue
        monkeypatch.setattr(
            site.service.insight, "queue", lambda *asked: counts.append(asked) or count(*asked)
        )
        for name in queue[:3]:
            site.service.vetting.decide(name, "benign", who="ann")
            assert name not in names(shared)
        assert counts == [], "what was decided since is left out of what is kept"


def test_what_is_taken_back_while_the_queue_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as site:
        site.service.ingest.take(history.SENSOR, ndjson(history.events()))
        queue = [row["name"] for row in site.service.insight.queue(Asked(), 100)["names"]]
        site.service.vetting.decide(queue[0], "benign", who="ann")
        count, shared = site.service.insight.queue, Shared(lambda: 0.0)

        def meanwhile(*asked: object) -> object:
            found = count(*asked)  # type: ignore[arg-type]
            monkeypatch.setattr(site.service.insight, "queue", count)
            site.service.vetting.take_back(queue[0], None, who="ann")
            return found

        monkeypatch.setattr(site.service.insight, "queue", meanwhile)
        found = vetting.waiting({"since": links.ALL}, site.service, shared)
        assert queue[0] in [row["qname"] for row in found]


def test_an_end_without_a_beginning(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        until = {"until": "1h"}
        assert "start to 1h" in repr(vetting.layout(until, site.service, Shared()))
        assert "7d" in repr(vetting.layout({}, site.service, Shared()))
    new = {"new_domains": []}
    assert "Choose a beginning" in repr(client._new(new, until))
    assert "Choose a beginning" in repr(client._new(new, {"since": links.ALL}))
    for kept in ({}, {"since": "1h"}, {"since": "2h", "until": "1h"}):
        assert "not asked for before." in repr(client._new(new, kept))


def test_links_of_the_overview_have_its_filter(tmp_path: Path) -> None:
    query = {"client": "192.0.2.1", "sensor": "edge", "verdict": "malicious"}
    with running(tmp_path) as site:
        site.service.ingest.take(history.SENSOR, ndjson(history.events()))
        compared = overview._compared(site.service, Shared(), query)
        shown = repr(overview.layout(query, site.service, Shared()))
    narrowed = "client=192.0.2.1&amp;verdict=malicious&amp;sensor=edge"
    assert f"/?{narrowed}" in shown, "where the chart is drawn over"
    tiles = repr(overview._tiles(compared, query))
    assert tiles.count(f"/queries?{narrowed}") == 2
    assert (
        "/queries?" not in repr(overview._tiles(compared, {"verdict": "benign"})).split("Flag")[1]
    )
    stats = {"by_threat": {"dga": 1}, "by_action": {"observe": 1}}
    kinds = repr(overview._threats(stats, query))
    assert f"{narrowed}&amp;threat=dga" in kinds


def test_what_may_be_undone_fits_into_a_body() -> None:
    made = [[{"number": number}] * 60 for number in range(50)]
    assert deciding.latest(made) == made[-10:]
    assert deciding.latest(made[:3]) == made[:3]


def test_without_a_browser_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(AssertionError, match="apt-get install"):
        browser.chromium()
    monkeypatch.setenv("CHROMIUM", "/opt/chromium")
    assert browser.chromium() == "/opt/chromium"


@pytest.mark.parametrize(("most", "ticks"), [
    (0, [0]), (1, [0, 1]), (3, [0, 1, 2, 3]), (4000, [0, 1000, 2000, 3000, 4000]),
    (300, [0, 100, 200, 300]),
])  # fmt: skip
def test_axes_of_counts_have_no_ticks_between_them(most: int, ticks: list[int]) -> None:
    assert charts.count_ticks(most, 5) == ticks
