"""The dashboard's pages and what belongs to them, on the service's own port.

The dashboard is an application of its own, with Dash in it, which takes most of a second to
import: it is made a moment after the service has begun to answer, or when somebody looks at a page
before, so that the start does not wait for it, nor the first who looks.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, make_response, redirect, request, send_from_directory

from mlplugin.api.problems import problem
from mlplugin.api.room import Kind, Room
from mlplugin.api.server import BEGINNING, ENDING
from mlplugin.dashboard import links
from mlplugin.dashboard.fingerprints import ASSETS, MARK, fingerprint
from mlplugin.service.service import Service

# Assets are asked for by what is in them: one that changes has another address.
ASSETS_SECONDS = 31_536_000
# Texts of so many bytes or more are compressed, at the level that costs the least.
TEXTS = frozenset({
    "application/javascript", "application/json", "image/svg+xml", "text/css", "text/html",
    "text/javascript",
})  # fmt: skip
LEAST_BYTES, LEVEL = 2048, 1
DASH, NO_PAGES = "/_dash", ("/_dash", "/api/", "/assets/")
# What fills pages, and waits for the store: what there is no room for comes again.
UPDATE = "/_dash-update-component"
# What the dashboard answers to, beside `/`. What Dash itself asks for begins with an underscore.
PATHS = (
    ("/queries", "GET"), ("/vetting", "GET"), ("/learning", "GET"), ("/model", "GET"),
    ("/domain", "GET"), ("/domain/<name:name>", "GET"),
    ("/client", "GET"), ("/client/<name:name>", "GET"),
    ("/_dash-layout", "GET"), ("/_dash-dependencies", "GET"),
    (UPDATE, "POST"), ("/_dash-component-suites/<path:path>", "GET"),
)  # fmt: skip

Application = Callable[..., Any]


class Pages:
    """The dashboard of a service, made at the first look, or soon after the start."""

    def __init__(self, service: Service, room: Room) -> None:
        self._service = service
        self._room = room
        self._lock = threading.Lock()
        self._application: Application | None = None
        self._end: Callable[[], None] = lambda: None

    def answer(self, **_path: str) -> Response:
        """Let the dashboard answer the request."""
        if request.path.startswith(DASH) and request.path != UPDATE:
            return self._answered()
        if not self._room.take(Kind.PAGES):
            if request.path == UPDATE:
                return problem(503, "much is being counted now", headers={"Retry-After": "1"})
            request.environ[links.BUSY] = True  # the page comes at once, and is filled later
            return self._answered()
        try:
            return self._answered()
        finally:
            self._room.give(Kind.PAGES)

    def _answered(self) -> Response:
        return _packed(make_response(Response.from_app(self._made(), request.environ)))

    def register(self, app: Flask) -> None:
        """Add every path but `/`, which also has another method."""
        for number, (path, method) in enumerate(PATHS):
            app.add_url_rule(path, f"pages.{number}", self.answer, methods=[method])
        app.add_url_rule("/assets/<path:path>", "pages.assets", _asset)
        app.add_url_rule(links.GO, "pages.go", _go)
        app.register_error_handler(404, self._missing)
        app.extensions[BEGINNING] = self._made

    def _missing(self, fault: Exception) -> Response:
        """Lead people who look for a page that is not there on; tell programs."""
        wants_page = "text/html" in request.headers.get("Accept", "")
        if not wants_page or request.path.startswith(NO_PAGES) or request.method != "GET":
            return problem(404, getattr(fault, "description", None) or "there is nothing")
        answer = self.answer()
        answer.status_code = 404
        return answer

    def _made(self) -> Application:
        with self._lock:
            if self._application is None:
                from mlplugin.dashboard.app import create  # noqa: PLC0415 - see above

                server = create(self._service).server
                self._application, self._end = server, server.extensions[ENDING]
            return self._application

    def end(self) -> None:
        """Begin no page any more: what is abandoned is not to hold the end of the process."""
        with self._lock:
            self._end()


def _go() -> Response:
    """Lead on to what somebody looks for; tell the page's script where that is."""
    address = links.to_sought(request.args.get(links.SOUGHT, ""))
    if request.accept_mimetypes.best == "application/json":
        return jsonify(address=address)
    return make_response(redirect(address, 303))


def _asset(path: str) -> Response:
    # another one is not to be kept for a year as what the address says
    named = MARK in request.args and request.args[MARK] == fingerprint(path)
    answer = send_from_directory(ASSETS, path, max_age=ASSETS_SECONDS if named else 0)
    if named:
        answer.cache_control.immutable = True
    return _packed(answer)


def _packed(answer: Response) -> Response:
    """Compress an answer that is a text of some length, where the browser takes that."""
    if (
        answer.mimetype not in TEXTS
        or answer.status_code not in {200, 404}
        or "Content-Encoding" in answer.headers
        or not request.accept_encodings.quality("gzip")
    ):
        return answer
    answer.direct_passthrough = False
    body = answer.get_data()
    if len(body) < LEAST_BYTES:
        return answer
    answer.set_data(gzip.compress(body, LEVEL, mtime=0))
    answer.headers["Content-Encoding"] = "gzip"
    answer.headers.add("Vary", "Accept-Encoding")
    return answer
