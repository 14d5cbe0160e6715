"""What stands beside the API: health, metrics, the description."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from flask_openapi3.openapi import OpenAPI

from mlplugin.api.metrics import Metrics
from mlplugin.api.problems import COMMON
from mlplugin.api.schemas import StateAnswer
from mlplugin.service.service import Service

TEXT: dict[str, Any] = {
    "description": "Metrics.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}


def routes(service: Service, metrics: Metrics, app: OpenAPI) -> APIBlueprint:
    """Give the routes for monitoring."""
    blueprint = APIBlueprint(
        "operation", __name__, abp_tags=[Tag(name="operation")], abp_responses=COMMON
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
