"""What is written into a page: it is seen before Dash is there, which then takes it over."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import flask

from mlplugin.dashboard import html, links
from mlplugin.dashboard.builds import Builds
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards
from mlplugin.dashboard.parts.faults import told, who

LOG = logging.getLogger(__name__)
# So many pages wait for Dash to take them over, and so long.
MOST_HANDED, HANDED_SECONDS = 32, 10.0
# What takes longer to count is not waited for: the page says so at once, and is filled later.
PATIENCE_SECONDS = 1.0

# Gives the title of the page at a path with a query, and what it shows.
Build = Callable[[str, str], tuple[str, Any]]
# Gives what changes when pages are no longer true: one that is the same is the same object.
State = Callable[[], object]


@dataclass(frozen=True)
class Written:
    """A page, as Dash has it and as it is written, and of which state it tells."""

    title: str
    shown: Any
    text: str
    state: object


class Handed:
    """What was written into a page is handed over to Dash, which asks for the same right after.

    It is handed to whom it was written for, once, and not when something was decided meanwhile.
    """

    def __init__(self, state: State, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = state
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, str], tuple[float, Written]] = {}

    def state(self) -> object:
        """Give what a page tells of that is begun now; after a fault, what none tells of."""
        return told(self._ask)

    def give(self, whose: str, path: str, search: str, page: Written) -> None:
        """Keep a page until it is taken."""
        state = self.state()
        with self._lock:
            self._drop(state)
            if page.state is not state:
                return
            if len(self._kept) >= MOST_HANDED:
                del self._kept[next(iter(self._kept))]
            self._kept[_key(whose, path, search)] = (self._clock(), page)

    def take(self, whose: str, path: str, search: str) -> tuple[str, Any] | None:
        """Give a page, once, if it is from just now and still true."""
        state = self.state()
        with self._lock:
            self._drop(state)
            found = self._kept.pop(_key(whose, path, search), None)
        return None if found is None else (found[1].title, found[1].shown)

    def _drop(self, state: object) -> None:
        """Drop what is old, or of another state. The caller holds the lock."""
        now = self._clock()
        for key, (at, page) in list(self._kept.items()):
            if now - at > HANDED_SECONDS or page.state is not state:
                del self._kept[key]


def _key(whose: str, path: str, search: str) -> tuple[str, str, str]:
    return whose, unquote(path), search.removeprefix("?")


class First:
    """Writes pages out for browsers that ask for one, as far as that is soon done."""

    def __init__(self, title_of: Callable[[str], str], build: Build, handed: Handed) -> None:
        self._title_of, self._build, self._handed = title_of, build, handed
        self._builds: Builds[Written] = Builds()

    def __call__(self) -> tuple[str, str]:
        """Give the title and the HTML of the page that is asked for."""
        request = flask.request
        path = quote(request.path)
        search = request.query_string.decode(errors="replace")
        title = self._title_of(path)
        building = None
        if not request.environ.get(links.BUSY) and _is_looked_at():
            write = functools.partial(self._written, path, search)
            building = self._builds.begin((path, search), write)
        if building is None:
            return self._later(title, path, search)
        try:
            page = building.result(PATIENCE_SECONDS)
        except TimeoutError:
            return self._later(title, path, search)
        except Exception:
            LOG.exception("a page of the dashboard failed")
            page = _fault(title)
        if request.method == "GET":
            self._handed.give(who(), path, search, page)
        return f"{page.title} · mlplugin", page.text

    def end(self) -> None:
        """Begin no page any more."""
        self._builds.end()

    def _later(self, title: str, path: str, search: str) -> tuple[str, str]:
        """Say that it takes its time: Dash asks again, and gets it as soon as it is counted."""
        # one slash: an address that begins with two is one of another place
        there = f"/{path.lstrip('/')}" + (f"?{search}" if search else "")
        again = html.Noscript(html.P(html.A("Load again", href=there)))
        shown = html.rendered([cards.heading(title), cards.waiting(), again])
        return f"{title} · mlplugin", shown

    def _written(self, path: str, search: str) -> Written:
        # before anything is read: what is decided meanwhile may be missing in the page
        state = self._handed.state()
        title, shown = self._build(path, search)
        text = told(lambda: html.Raw(html.rendered(shown)))
        if isinstance(text, Element):
            return _fault(title, text)
        return Written(title, shown, text, state)


def _fault(title: str, said: Element | None = None) -> Written:
    shown = [
        cards.heading(title),
        said or cards.fault("A fault of the service.", "Its log says more."),
    ]
    return Written(title, shown, html.rendered(shown), None)


def _is_looked_at() -> bool:
    """Tell whether somebody opens the page: other sites may name it as a picture, or a frame."""
    headers = flask.request.headers
    if headers.get("Sec-Fetch-Site") == "cross-site":
        return False
    return headers.get("Sec-Fetch-Dest", "document") == "document"
