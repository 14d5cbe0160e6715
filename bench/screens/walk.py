"""The walk: how long each page and filter takes, whether its figures are true, how it looks."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from bench.performance.results import Results
from bench.screens.browse import Window, window
from bench.screens.figures import CHECKS, Compared
from bench.screens.history import History
from bench.screens.places import Busy, Place, checked, filters, opened
from bench.screens.read import Seen
from bench.screens.truth import FLAGGED, SQL, Truth
from mlplugin.dashboard import links
from tests.dashboard.browser import launched
from tests.e2e.system import Service

FIRST_LIMIT, FILTER_LIMIT = 1.0, 0.5
RANGES = ("15m", "1h", "6h", "24h", "7d", "all")
LOOKS: dict[str, dict[str, Any]] = {
    "light": {}, "dark": {"theme": "dark"}, "phone": {"phone": True}, "small": {"width": 1280},
}  # fmt: skip
# Tables of which a reader does not see all columns.
CUT = """[...document.querySelectorAll("main .scroll")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => `${one.ariaLabel} by ${one.scrollWidth - one.clientWidth} px`)"""
FILE = "history.duckdb"
ALL = "since=all"
# A service is looked at when it has been there for so many seconds.
SETTLED = 5.0


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


@contextlib.contextmanager
def served(data: Path) -> Iterator[Service]:
    """A service on a data directory."""
    with tempfile.TemporaryDirectory() as place:
        service = Service(data, Path(place) / "service.log")
        service.start()
        try:
            yield service
        finally:
            service.stop()


@contextlib.contextmanager
def true_to(history: History, scratch: Path) -> Iterator[SQL]:
    """A copy of the history's file to ask, since the service has the other."""
    copy = scratch / f"copy-{os.getpid()}.duckdb"
    shutil.copyfile(history.data / FILE, copy)
    try:
        yield SQL(copy)
    finally:
        copy.unlink()


def timed(results: Results, history: History, busy: Busy, rounds: int) -> None:
    """Open each page and press each filter, with a new service and a new browser each round."""
    for number in range(rounds):
        if results.has(part="times", round=number):
            continue
        rows: list[dict[str, Any]] = []
        with served(history.data) as service, launched() as found:
            time.sleep(SETTLED)
            _pages(found, service.url, busy, rows)
            with window(found, service.url) as here:
                here.open("/learning")  # the scripts are there from now on
                _filters(here, busy, rows)
        for row in rows:
            results.add(part="times", round=number, **row)
        say(f"times: round {number + 1} of {rounds}, slowest page "
            f"{max(r['seconds'] for r in rows if r['limit'] == FIRST_LIMIT):.2f} s, slowest filter "
            f"{max(r['seconds'] for r in rows if r['limit'] == FILTER_LIMIT):.2f} s")  # fmt: skip


def _pages(found: Browser, url: str, busy: Busy, rows: list[dict[str, Any]]) -> None:
    def add(setting: str, times: tuple[float, float]) -> None:
        shown, still = times
        rows.append({"setting": setting, "seconds": shown, "still": still, "limit": FIRST_LIMIT})

    for place in opened(busy):
        if place.path.endswith(ALL):
            continue
        with window(found, url) as here:
            add(f"first visit, nothing cached: {place.name}", here.opened(place.path))
    with window(found, url) as here:
        here.open("/learning")
        for place in opened(busy):
            here.page.wait_for_timeout(100)
            add(f"open {place.name}", here.opened(place.path))
        here.open("/learning")  # without a range, which the bar would carry on
        for path in ("/queries", "/vetting", "/model", "/learning", "/"):
            took = here.follow(f"nav.pages a[href='{path}']")
            rows.append({"setting": f"go to {path}", "seconds": took, "limit": FIRST_LIMIT})


def _filters(here: Window, busy: Busy, rows: list[dict[str, Any]]) -> None:
    def add(setting: str, took: float) -> None:
        rows.append({"setting": setting, "seconds": took, "limit": FILTER_LIMIT})

    for key, value in filters(busy).items():
        here.open("/queries?since=all")
        choice = key in {"verdict", "threat", "action", "rcode", "qtype"}
        add(f"filter everything by {key}", (here.choose if choice else here.write)(key, value))
    here.open("/queries?since=all")
    add("filter everything by subnet", here.write("client", busy.subnet))
    for column, sort in (("score", "-score"), ("time taken", "-duration")):
        here.open("/queries?since=all")
        add(f"sort everything by {column}", here.follow(f"th a[href*='sort={sort}']"))
    here.open("/queries?since=all")
    add("next page of everything", here.follow(".pager a.primary"))
    for path in ("/", "/queries", f"/domain/{busy.domain}", f"/client/{busy.client}", "/vetting",
                 "/model"):  # fmt: skip
        page = path.split("/")[1] or "overview"
        here.open(f"{path}?since=30m")
        for span in RANGES:
            took = here.follow(f"nav.segments a[href*='since={span}']")
            add(f"range of {page}: {span}", took)


def compared(results: Results, history: History, busy: Busy, truth: Truth) -> None:
    """Hold each figure of each page against the truth."""
    with served(history.data) as service:
        walked(results, "figures", service.url, checked(busy, history.until), truth)


def walked(results: Results, part: str, url: str, places: list[Place], truth: Truth) -> None:
    """Walk each page once: figures, errors, requests that leave."""
    with launched() as found, window(found, url) as here:
        for place in places:
            if results.has(part=part, setting=place.name):
                continue
            took = here.open(place.path)
            seen, told = Seen.of(here.page), Compared()
            if place.page in CHECKS:
                try:
                    CHECKS[place.page](seen, truth, place.asked, told, **place.more)
                except (KeyError, ValueError, IndexError) as fault:
                    told.wrong.append(f"the page lacks something: {fault!r}")
            results.add(part=part, setting=place.name, seconds=took, same=told.same,
                        wrong=told.wrong, faults=here.faults())  # fmt: skip
            say(f"{part}: {place.name}: {told.same} figures true, {len(told.wrong)} wrong"
                + "".join(f"\n    {one}" for one in told.wrong))  # fmt: skip


def looked(results: Results, history: History, busy: Busy, folder: Path) -> None:
    """Take a picture of each page in each look, and look for barriers."""
    folder.mkdir(parents=True, exist_ok=True)
    flagged = links.to_queries(since="all", verdict=FLAGGED)
    places = [
        *((place.name, place.path) for place in opened(busy)),
        ("queries, flagged", flagged),
        ("flagged name", links.to_domain(busy.flagged, since="all")),
    ]
    with served(history.data) as service, launched() as found:
        for look, options in LOOKS.items():
            with window(found, service.url, **options) as here:
                for name, path in places:
                    if not results.has(part="looks", setting=name, look=look):
                        here.open(path)
                        file = f"{name.replace(', ', '-').replace(' ', '-')}-{look}.png"
                        results.add(part="looks", setting=name, look=look,
                                    **_picture(here, folder / file))  # fmt: skip


def _picture(here: Window, file: Path) -> dict[str, Any]:
    here.page.screenshot(path=file, full_page=True)
    over = here.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    cut = here.page.evaluate(CUT)
    found = {"barriers": here.barriers(), "faults": here.faults(), "over": over, "cut": cut}
    say(f"looks: {file.name}: {len(found['barriers'])} barriers, {len(found['faults'])} faults"
        + ("" if over <= 0 else f", {over} px wider than the window")
        + "".join(f", cut: {one}" for one in cut))  # fmt: skip
    return {"picture": file.name, **found}
