"""A service with a history, and a browser to look at it with."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from mlplugin.api import create_app
from mlplugin.api.access import Access
from mlplugin.api.server import Server
from mlplugin.dashboard import first
from mlplugin.model import load
from mlplugin.service.service import Service, assemble
from mlplugin.store import open_store
from mlplugin.whois import Registrations
from tests.dashboard import history
from tests.dashboard.browser import Watch, launched
from tests.support.events import ndjson
from tests.support.rdap import offline

TINY = Path(__file__).resolve().parents[2] / "testdata" / "model-tiny"
WIDE = {"width": 1440, "height": 900}
PATIENCE = 60_000  # milliseconds; a crowded machine takes long
PHONE = {"width": 390, "height": 844}
expect.set_options(timeout=PATIENCE)  # by itself it waits for 5 s, whatever the page waits for


@pytest.fixture(autouse=True)
def pages_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pages written whole however long that takes; tests of the other case say so."""
    monkeypatch.setattr(first, "PATIENCE_SECONDS", PATIENCE / 1000)


@dataclass(frozen=True)
class Site:
    """A running service."""

    port: int
    service: Service

    @property
    def home(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.home}"


@contextmanager
def running(
    data: Path,
    access: Access | None = None,
    registrations: Registrations | None = None,
    model: Path = TINY,
) -> Iterator[Site]:
    service = assemble(open_store(None, data), load(model))
    service = dataclasses.replace(service, registrations=registrations or offline())
    server = Server(create_app(service, access), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Site(server.port, service)
    finally:
        server.stop()
        thread.join(30)
        service.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service whose history tests read and do not change."""
    with running(tmp_path_factory.mktemp("dashboard")) as found:
        found.service.ingest.take(history.SENSOR, ndjson(history.events()))
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


Open = Callable[..., Page]


@pytest.fixture(scope="session")
def contexts(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Gives windows of a look, the same one each time: what a page loads once is kept."""
    known: dict[tuple[str, bool], BrowserContext] = {}

    def of(theme: str, *, phone: bool, fresh: bool) -> BrowserContext:
        if not fresh and (theme, phone) in known:
            return known[theme, phone]
        found = browser.new_context(
            viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]
            color_scheme=theme,  # type: ignore[arg-type]
            timezone_id="Asia/Tokyo",
            reduced_motion="reduce",
        )
        found.set_default_timeout(PATIENCE)
        if not fresh:
            known[theme, phone] = found
        return found

    yield of
    for context in known.values():
        context.close()


@pytest.fixture
def open_page(contexts: Callable[..., BrowserContext]) -> Iterator[Open]:
    """Opens pages of a site, and fails where one of them did what it should not.

    `fresh` is for what leaves something behind in the browser.
    """
    opened: list[tuple[Page, Watch]] = []

    def opening(
        site: Site, path: str = "/", *, theme: str = "light", phone: bool = False,
        fresh: bool = False,
    ) -> Page:  # fmt: skip
        page = contexts(theme, phone=phone, fresh=fresh).new_page()
        watch = Watch(site.home)
        watch.over(page)
        opened.append((page, watch))
        page.goto(site.url + path)
        settled(page)
        return page

    yield opening
    for page, _ in opened:
        page.close()
    assert [fault for _, watch in opened for fault in watch.faults] == []


SETTLED = """
!document.documentElement.dataset.busy && !document.querySelector(".waiting, #first")
"""


def settled(page: Page) -> None:
    """Wait until a page is there and nothing is being asked for.

    The page's policy forbids evaluating, which is what a browser's own waiting does.
    """
    page.wait_for_selector("main h1, main .fault, form[action='/sign-in']")
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(SETTLED):
        assert time.monotonic() < end, "the page does not settle"
        page.wait_for_timeout(20)
