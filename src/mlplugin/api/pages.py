"""What stands beside the API: the home page, health, metrics, the description."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from flask_openapi3.openapi import OpenAPI

from mlplugin.api.metrics import Metrics
from mlplugin.api.schemas import StateAnswer
from mlplugin.service.history import Asked
from mlplugin.service.service import Service

LATEST = 20
DAY = Asked(since="24h")

HTML: dict[str, Any] = {
    "description": "The page.",
    "content": {"text/html": {"schema": {"type": "string"}}},
}
TEXT: dict[str, Any] = {
    "description": "Metrics.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}


def routes(service: Service, metrics: Metrics, app: OpenAPI) -> APIBlueprint:
    """Give the routes for people and for monitoring."""
    blueprint = APIBlueprint("pages", __name__, abp_tags=[Tag(name="operation")])

    @blueprint.get("/", responses={200: HTML})
    def get_home() -> str:
        """Show totals and the latest flagged queries."""
        return render_template(
            "home.html",
            all=service.history.stats(Asked()),
            day=service.history.stats(DAY),
            flagged=service.history.latest_flagged(LATEST),
            overrides=service.vetting.all(),
            model=service.model.version,
        )

    @blueprint.get("/healthz", responses={200: StateAnswer})
    def get_health() -> dict[str, Any]:
        """Say that the process is alive."""
        return {"status": "ok"}

    @blueprint.get("/readyz", responses={200: StateAnswer})
    def get_readiness() -> dict[str, Any]:
        """Say that the store answers."""
        service.store.check()
        return {"status": "ok"}

    @blueprint.get("/metrics", responses={200: TEXT})
    def get_metrics() -> Response:
        """Give the metrics for Prometheus."""
        return metrics.text()

    @blueprint.get("/openapi.json", doc_ui=False)
    def get_description() -> dict[str, Any]:
        """Describe the API."""
        document: dict[str, Any] = app.api_doc
        return document

    return blueprint
