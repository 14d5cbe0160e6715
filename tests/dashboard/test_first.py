"""What is written into pages, and what becomes of it: looked at over HTTP, without a browser."""

from __future__ import annotations

import html
import http.client
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlplugin.dashboard import app, first
from mlplugin.dashboard.builds import MOST_AT_ONCE
from mlplugin.dashboard.first import HANDED_SECONDS, MOST_HANDED, Handed, Written
from tests.dashboard import history
from tests.dashboard.conftest import Site, running
from tests.support.events import ndjson

PATIENCE = 60


def ask(site: Site, target: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Ask for an address as it is; names of headers have `_` for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    try:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, headers={"Accept": "text/html", **said})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Slow:
    """Holds the builds of pages until they may go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = threading.Semaphore(0)
        self.builds: list[str] = []


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """No page is built until it may be, and nobody waits for it."""
    found, built = Slow(), app._built

    def held(path: str, search: str, **options: Any) -> Any:
        found.builds.append(search)
        found.begun.release()
        found.go_on.wait(PATIENCE)
        return built(path, search, **options)

    monkeypatch.setattr(app, "_built", held)
    monkeypatch.setattr(first, "PATIENCE_SECONDS", 0.01)
    yield found
    found.go_on.set()


def test_pages_that_nobody_waits_for_are_bounded(tmp_path: Path, slow: Slow) -> None:
    with running(tmp_path) as site:
        for number in range(3 * MOST_AT_ONCE):
            assert "Counting…" in ask(site, f"/queries?qname=a{number}")[1]
        for _ in range(MOST_AT_ONCE):
            assert slow.begun.acquire(timeout=PATIENCE)
        slow.go_on.set()
    assert sorted(slow.builds) == [f"qname=a{number}" for number in range(MOST_AT_ONCE)]


def test_the_same_page_is_built_once_at_a_time(tmp_path: Path, slow: Slow) -> None:
    with running(tmp_path) as site:
        for search in ("qname=a", "qname=a", "qname=a", "qname=b"):
            assert "Counting…" in ask(site, f"/queries?{search}")[1]
        for _ in range(2):
            assert slow.begun.acquire(timeout=PATIENCE)
        slow.go_on.set()
    assert sorted(slow.builds) == ["qname=a", "qname=b"]


def test_a_page_that_was_not_sent_is_not_handed_over(
    tmp_path: Path, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    give = Handed.give

    def noted(self: Handed, whose: str, path: str, search: str, page: Written) -> None:
        given.append(path)
        give(self, whose, path, search, page)

    monkeypatch.setattr(Handed, "give", noted)
    with running(tmp_path) as site:
        assert "Counting…" in ask(site, "/queries")[1]
        slow.go_on.set()
        monkeypatch.setattr(first, "PATIENCE_SECONDS", PATIENCE)
        assert ask(site, "/learning", "HEAD")[0] == 200
        assert "Counting…" not in ask(site, "/vetting")[1]
    assert given == ["/vetting"]


@pytest.mark.parametrize("headers", [{"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Dest": "image"}])
def test_another_site_has_nothing_counted(headers: dict[str, str], site: Site) -> None:
    assert "Counting…" in ask(site, "/queries?since=all", **headers)[1]
    assert "Counting…" not in ask(site, "/queries?since=all", Sec_Fetch_Dest="document")[1]


@pytest.mark.parametrize(
    ("target", "there"),
    [
        ("/queries?since=all&qname=%22%3E", "/queries?since=all&qname=%22%3E"),
        ("/domain/a%2Fb.example", "/domain/a/b.example"),
        ("//elsewhere.example/x", "/elsewhere.example/x"),
    ],
)
def test_a_page_that_is_not_filled_can_be_loaded_again(target: str, there: str, site: Site) -> None:
    page = ask(site, target, Sec_Fetch_Site="cross-site")[1]
    found = re.findall(r'<noscript><p><a href="([^"]*)">Load again</a></p></noscript>', page)
    assert [html.unescape(one) for one in found] == [there]


def test_an_address_that_says_too_much_is_told(site: Site) -> None:
    much = "&".join(f"a{number}=1" for number in range(51))
    for path in ("/", "/queries", "/domain/example.com"):
        status, page = ask(site, f"{path}?{much}")
        assert status == 200
        assert "an address says more than 50 things" in page
    assert ask(site, f"/nosuch?{much}")[0] == 404


@pytest.mark.parametrize("where", ["mlplugin.dashboard.html.rendered", "_built"])
def test_a_fault_of_ours_is_a_page_and_in_the_log(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rendered = first.html.rendered

    def broken(*arguments: Any, **_options: Any) -> Any:
        if where == "_built" or 'id="queue"' in (text := rendered(*arguments)):
            raise RuntimeError("no page")
        return text

    with running(tmp_path) as site:
        monkeypatch.setattr(where if "." in where else "mlplugin.dashboard.app._built", broken)
        status, page = ask(site, "/vetting")
    assert status == 200
    assert "A fault of the service." in page
    assert "no page" not in page
    assert "a page of the dashboard failed" in caplog.text


def test_what_steers_text_is_not_in_a_page(site: Site) -> None:
    for path in ("/domain/%E2%80%AEgnp.exe", f"/client/%E2%80%AE1?{'&a=1' * 60}"):
        page = ask(site, path)[1]
        assert "\u202e" not in page
        assert "\\u202e" in re.findall("<title>(.*?)</title>", page)[0]


def update(site: Site, path: str, search: str = "") -> str:
    """Ask for a page as Dash does."""
    inputs = [
        {"id": "url", "property": "pathname", "value": path},
        {"id": "url", "property": "search", "value": search},
    ]
    outputs = [
        {"id": "page", "property": "children"}, {"id": "page-title", "property": "data"},
    ]  # fmt: skip
    said = {
        "output": "..page.children...page-title.data..", "outputs": outputs, "inputs": inputs,
        "changedPropIds": [],
    }  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    try:
        connection.request(
            "POST", "/_dash-update-component", json.dumps(said),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_what_is_decided_is_not_in_a_page_of_before(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        site.service.ingest.take(history.SENSOR, ndjson(history.events()))
        (name, *_) = re.findall('data-name="([^"]+)"', ask(site, "/vetting", "GET")[1])
        in_queue = rf'\\u003ctr ((?!\\u003e).)*data-name=\\"{re.escape(name)}\\"'
        assert re.search(in_queue, update(site, "/vetting"))
        site.service.vetting.decide(html.unescape(name), "benign", who="somebody")
        assert not re.search(in_queue, update(site, "/vetting"))


def page_of(title: str, state: object) -> Written:
    return Written(title, "shown", "text", state)


class Clocked:
    """Pages that are handed over, in a time and a state of the test's own."""

    def __init__(self) -> None:
        self.now, self.state = 0.0, object()
        self.handed = Handed(lambda: self.state, lambda: self.now)

    def give(self, path: str, search: str = "", state: object = None, whose: str = "me") -> None:
        self.handed.give(whose, path, search, page_of(path, state or self.state))


def test_a_page_is_handed_over_once() -> None:
    clocked = Clocked()
    clocked.give("/domain/a%2Fb.example", "since=1h")
    taken = clocked.handed.take("me", "/domain/a/b.example", "?since=1h")
    assert taken == ("/domain/a%2Fb.example", "shown")
    assert clocked.handed.take("me", "/domain/a/b.example", "?since=1h") is None


def test_a_page_is_handed_over_to_whom_it_was_written_for() -> None:
    clocked = Clocked()
    clocked.give("/", whose="me")
    assert clocked.handed.take("another", "/", "") is None
    assert clocked.handed.take("me", "/", "") is not None


def test_a_page_is_handed_over_soon_or_dropped() -> None:
    clocked = Clocked()
    clocked.give("/")
    clocked.now += HANDED_SECONDS + 1
    assert clocked.handed.take("me", "/elsewhere", "") is None
    assert clocked.handed._kept == {}


def test_pages_of_before_a_decision_are_dropped() -> None:
    clocked = Clocked()
    before = clocked.state
    clocked.give("/")
    clocked.state = object()
    assert clocked.handed.take("me", "/", "") is None
    clocked.give("/", state=before)  # its build began before the decision
    assert clocked.handed._kept == {}


def test_pages_that_nobody_takes_are_bounded() -> None:
    clocked = Clocked()
    for number in range(2 * MOST_HANDED):
        clocked.give(f"/{number}")
    assert len(clocked.handed._kept) == MOST_HANDED
    assert clocked.handed.take("me", "/0", "") is None


def test_where_decisions_cannot_be_read_nothing_is_handed_over() -> None:
    def gone() -> object:
        raise RuntimeError("gone")

    handed = Handed(gone)
    handed.give("me", "/", "", page_of("", handed.state()))
    assert handed.take("me", "/", "") is None
