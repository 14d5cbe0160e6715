"""The dashboard's pages and what belongs to them, on the service's own port.

The dashboard is an application of its own, with Dash in it, which takes most of a second to
import: it is made when somebody first looks at a page, so that neither the start of the service
nor a service that nobody looks at pays for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, Response, make_response, request, send_from_directory

from mlplugin import dashboard
from mlplugin.api.problems import problem
from mlplugin.api.room import Kind, Room
from mlplugin.service.service import Service

ASSETS = Path(dashboard.__file__).with_name("assets")
# Assets are asked for with the time of their last change.
ASSETS_SECONDS = 86400
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
    """The dashboard of a service, made at the first look."""

    def __init__(self, service: Service, room: Room) -> None:
        self._service = service
        self._room = room
        self._lock = threading.Lock()
        self._application: Application | None = None

    def answer(self, **_path: str) -> Response:
        """Let the dashboard answer the request."""
        if request.path != UPDATE:
            return self._answered()
        if not self._room.take(Kind.PAGES):
            return problem(503, "much is being counted just now", headers={"Retry-After": "1"})
        try:
            return self._answered()
        finally:
            self._room.give(Kind.PAGES)

    def _answered(self) -> Response:
        return make_response(Response.from_app(self._made(), request.environ))

    def register(self, app: Flask) -> None:
        """Add every path but `/`, which also has another method."""
        for number, (path, method) in enumerate(PATHS):
            app.add_url_rule(path, f"pages.{number}", self.answer, methods=[method])
        app.add_url_rule("/assets/<path:path>", "pages.assets", _asset)

    def _made(self) -> Application:
        with self._lock:
            if self._application is None:
                from mlplugin.dashboard.app import create  # noqa: PLC0415 - see above

                self._application = create(self._service).server
            return self._application


def _asset(path: str) -> Response:
    age = ASSETS_SECONDS if "m" in request.args else 0
    return send_from_directory(ASSETS, path, max_age=age)
