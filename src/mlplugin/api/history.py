"""The history out: queries and counts."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from mlplugin.api.insight import filter_of
from mlplugin.api.problems import COMMON, described
from mlplugin.api.room import Kind, Room
from mlplugin.api.schemas import (
    ExportAsked,
    FilterAsked,
    QueriesAnswer,
    QueriesAsked,
    StatsAnswer,
)
from mlplugin.service.exporting import MEDIA_TYPES, streamed
from mlplugin.service.service import Service

BINARY = {"schema": {"type": "string", "format": "binary"}}
FILE: dict[str, Any] = {
    "description": "A file of the form that was asked for.",
    "content": {media.partition(";")[0]: BINARY for media in MEDIA_TYPES.values()},
}


def routes(service: Service, room: Room) -> APIBlueprint:
    """Give the routes that read the history."""
    blueprint = APIBlueprint(
        "history", __name__, abp_tags=[Tag(name="history")], abp_responses=COMMON
    )

    @blueprint.get("/api/v1/queries", responses={200: QueriesAnswer})
    def get_queries(query: QueriesAsked) -> dict[str, Any]:
        """Search the history, newest first unless `sort` says otherwise."""
        return service.history.search(filter_of(query), query.limit, query.cursor, query.sort)

    @blueprint.get("/api/v1/stats", responses={200: StatsAnswer})
    def get_stats(query: FilterAsked) -> dict[str, Any]:
        """Count queries; sensors' own counts are over all time."""
        return service.history.stats(filter_of(query))

    @blueprint.get("/api/v1/export", responses={200: FILE, **described(429)})
    def get_export(query: ExportAsked) -> Response:
        """Give every query that the filter holds, oldest first, as a file (Arrow IPC stream)."""

        def begin() -> Response:
            batches = service.history.columns(filter_of(query))
            first = next(batches, None)  # so that a fault is still told by the status
            chosen = () if first is None else itertools.chain([first], batches)
            pieces = streamed(query.format, chosen)
            return Response(pieces, content_type=MEDIA_TYPES[query.format])

        answer = room.streamed(Kind.FILES, begin)
        if (
            answer.status_code == 200 and query.format != "arrow"
        ):  # which programs read, and nobody keeps
            now = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
            answer.headers.set(
                "Content-Disposition", "attachment", filename=f"queries-{now}.{query.format}"
            )
        return answer

    return blueprint
