"""The history out: queries, domains, clients, counts."""

from __future__ import annotations

from typing import Any

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from mlplugin.api.schemas import (
    ClientAnswer,
    ClientPath,
    DomainAnswer,
    NamePath,
    QueriesAnswer,
    QueriesAsked,
    Range,
    StatsAnswer,
)
from mlplugin.service.history import Asked
from mlplugin.service.service import Service


def _asked(query: Range) -> Asked:
    return Asked(**query.model_dump(exclude={"limit", "cursor"}))


def routes(service: Service) -> APIBlueprint:
    """Give the routes that read the history."""
    blueprint = APIBlueprint("history", __name__, abp_tags=[Tag(name="history")])

    @blueprint.get("/api/v1/queries", responses={200: QueriesAnswer})
    def get_queries(query: QueriesAsked) -> dict[str, Any]:
        """Search the history, newest first."""
        return service.history.search(_asked(query), query.limit, query.cursor)

    @blueprint.get("/api/v1/stats", responses={200: StatsAnswer})
    def get_stats(query: Range) -> dict[str, Any]:
        """Count queries over a range of time; sensors' own counts are over all time."""
        return service.history.stats(_asked(query))

    @blueprint.get("/api/v1/domains/<path:name>", responses={200: DomainAnswer})
    def get_domain(path: NamePath, query: Range) -> dict[str, Any]:
        """Sum up what is known of a registered domain, or of another name by itself."""
        return service.history.domain(path.name, _asked(query))

    @blueprint.get("/api/v1/clients/<ip>", responses={200: ClientAnswer})
    def get_client(path: ClientPath, query: Range) -> dict[str, Any]:
        """Sum up what is known of a client."""
        return service.history.client(path.ip, _asked(query))

    return blueprint
