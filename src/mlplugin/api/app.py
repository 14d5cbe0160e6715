"""The WSGI application."""

from __future__ import annotations

import functools
import json

from flask import Response, request
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from werkzeug.routing import BaseConverter, PathConverter

from mlplugin import __version__
from mlplugin.api import (
    events,
    history,
    home,
    insight,
    judging,
    operation,
    problems,
    registration,
    retraining,
    review,
    sign_in,
    vetting,
)
from mlplugin.api.access import Access
from mlplugin.api.metrics import Metrics
from mlplugin.api.pages import Pages
from mlplugin.api.problems import Problem, problem
from mlplugin.api.room import ROOM, Room
from mlplugin.api.server import ENDING
from mlplugin.service.batch import MOST_BYTES
from mlplugin.service.service import Service


class NameConverter(PathConverter):
    """A name in a path: any text, with slashes too (RFC 2317), so that routes judge it."""

    regex = "(?s:.+?)"
    part_isolating = False


class VersionConverter(BaseConverter):
    """A model's version in a path; `rollback` is none, and has a route of its own."""

    regex = r"(?!rollback\Z)[^/]+"


JSON = "application/json"
# Routes that take a JSON object; the others take nothing, or see to their body themselves.
JSON_BODIES = frozenset(
    {
        ("verdicts.classify", "POST"), ("vetting.put_override", "PUT"),
        ("review.post_hindsight", "POST"), ("review.post_askers", "POST"),
        ("loop.post_job", "POST"), ("loop.post_promotion", "POST"),
    }
)  # fmt: skip
# One that may come without any.
BODY_OR_NONE = ("loop.post_rollback", "POST")
MOST_JSON_BYTES = 16 << 20


def create_app(service: Service, access: Access | None = None) -> OpenAPI:
    """Make the application of a service; `access` says who may ask, by default this machine."""
    access = access or Access()
    protected: list[dict[str, list[str]]] | None = [{"bearer": []}] if access.token else None
    app = OpenAPI(
        "mlplugin.api",
        info=Info(title="mlplugin", version=__version__),
        security_schemes={"bearer": {"type": "http", "scheme": "bearer"}} if protected else {},
        openapi_extensions={"security": protected} if protected else None,
        validation_error_model=Problem,
        validation_error_callback=problems.invalid,
        doc_ui=False,
    )
    app.url_map.converters["name"] = NameConverter
    app.url_map.converters["version"] = VersionConverter
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has it
    metrics = Metrics(service)
    metrics.register(app)
    access.register(app)
    app.before_request(_require_json)
    problems.register(app)
    room = app.extensions[ROOM] = Room()
    pages = Pages(service, room)
    pages.register(app)
    sign_in.register(app, access)
    app.extensions[ENDING] = functools.partial(_end, service, pages)
    for part in (
        operation.routes(service, metrics, app),
        home.routes(service, pages),
        events.routes(service, metrics),
        registration.routes(service, room),
        history.routes(service, room),
        insight.routes(service),
        review.routes(service, room),
        vetting.routes(service),
        judging.routes(service),
        retraining.routes(service, room),
    ):
        app.register_api(part)
    return app


def _end(service: Service, pages: Pages) -> None:
    service.retraining.jobs.release()
    pages.end()


def _require_json() -> Response | None:
    """Take bodies only as what they are described.

    A page of another site cannot send JSON without asking first (CORS), which nobody answers.
    """
    asked = (request.endpoint, request.method)
    if asked not in JSON_BODIES and (asked != BODY_OR_NONE or not request.get_data()):
        return None
    if request.mimetype != JSON:
        return problem(415, f"Content-Type is {request.mimetype[:80]!r}: send {JSON}")
    if (request.content_length or 0) > MOST_JSON_BYTES:
        return problem(413, f"a request may have at most {MOST_JSON_BYTES} bytes")
    try:
        found = json.loads(request.get_data())
    except (ValueError, RecursionError):
        return problem(400, "the body is no valid JSON")
    return None if isinstance(found, dict) else problem(422, "the body is no JSON object")
