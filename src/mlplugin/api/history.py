"""The history out: queries, domains, clients, counts."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from mlplugin.api.problems import COMMON
from mlplugin.api.schemas import (
    ClientAnswer,
    ClientPath,
    DomainAnswer,
    FilterAsked,
    NamePath,
    QueriesAnswer,
    QueriesAsked,
    Range,
    StatsAnswer,
)
from mlplugin.service.history import Asked
from mlplugin.service.service import Service
from mlplugin.store.port import QUERIES

ARROW = "application/vnd.apache.arrow.stream"
COLUMNS: dict[str, Any] = {
    "description": "An Arrow IPC stream.",
    "content": {ARROW: {"schema": {"type": "string", "format": "binary"}}},
}


def _stream(batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """Write batches as they come."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, QUERIES) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue()


def _asked(query: Range) -> Asked:
    return Asked(**query.model_dump(exclude={"limit", "cursor"}))


def routes(service: Service) -> APIBlueprint:
    """Give the routes that read the history."""
    blueprint = APIBlueprint(
        "history", __name__, abp_tags=[Tag(name="history")], abp_responses=COMMON
    )

    @blueprint.get("/api/v1/queries", responses={200: QueriesAnswer})
    def get_queries(query: QueriesAsked) -> dict[str, Any]:
        """Search the history, newest first."""
        return service.history.search(_asked(query), query.limit, query.cursor)

    @blueprint.get("/api/v1/stats", responses={200: StatsAnswer})
    def get_stats(query: Range) -> dict[str, Any]:
        """Count queries over a range of time; sensors' own counts are over all time."""
        return service.history.stats(_asked(query))

    @blueprint.get("/api/v1/export", responses={200: COLUMNS})
    def get_export(query: FilterAsked) -> Response:
        """Give every query that the filter holds as columns, oldest first (Arrow IPC stream)."""
        batches = service.history.columns(_asked(query))
        first = next(batches, None)  # so that a fault is still told by the status
        chosen = batches if first is None else itertools.chain([first], batches)
        return Response(_stream(chosen), content_type=ARROW)

    @blueprint.get("/api/v1/domains/<name:name>", responses={200: DomainAnswer})
    def get_domain(path: NamePath, query: Range) -> dict[str, Any]:
        """Sum up what is known of a registered domain, or of another name by itself."""
        return service.history.domain(path.name, _asked(query))

    @blueprint.get("/api/v1/clients/<ip>", responses={200: ClientAnswer})
    def get_client(path: ClientPath, query: Range) -> dict[str, Any]:
        """Sum up what is known of a client."""
        return service.history.client(path.ip, _asked(query))

    return blueprint
