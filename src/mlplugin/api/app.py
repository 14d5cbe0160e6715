"""The WSGI application."""

from __future__ import annotations

import json

from flask import Response, request
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from werkzeug.routing import PathConverter

from mlplugin import __version__
from mlplugin.api import events, history, home, judging, operation, problems, vetting
from mlplugin.api.access import Access
from mlplugin.api.metrics import Metrics
from mlplugin.api.problems import Problem, problem
from mlplugin.service.batch import MOST_BYTES
from mlplugin.service.service import Service


class NameConverter(PathConverter):
    """A name in a path: any text, with slashes too (RFC 2317), so that routes judge it."""

    regex = "(?s:.+?)"
    part_isolating = False


JSON = "application/json"
# Routes that take a JSON object; the others take nothing, or see to their body themselves.
JSON_BODIES = frozenset({("verdicts.classify", "POST"), ("vetting.put_override", "PUT")})
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
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has it
    metrics = Metrics(service)
    metrics.register(app)
    access.register(app)
    app.before_request(_require_json)
    problems.register(app)
    for part in (
        operation.routes(service, metrics, app),
        home.routes(service),
        events.routes(service, metrics),
        history.routes(service),
        vetting.routes(service),
        judging.routes(service),
    ):
        app.register_api(part)
    return app


def _require_json() -> Response | None:
    """Take bodies only as what they are described.

    A page of another site cannot send JSON without asking first (CORS), which nobody answers.
    """
    if (request.endpoint, request.method) not in JSON_BODIES:
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
