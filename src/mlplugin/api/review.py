"""The history as others would have judged it: candidates, policies, hunts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from mlplugin.api.insight import filter_of
from mlplugin.api.insight_schemas import LimitedAsked
from mlplugin.api.problems import COMMON, described
from mlplugin.api.review_schemas import (
    AskersAsked,
    HindsightAnswer,
    HindsightAsked,
    HuntsAnswer,
    ShadowAnswer,
)
from mlplugin.api.room import Kind, Room
from mlplugin.api.schemas import FilterAsked
from mlplugin.service.exporting import MEDIA_TYPES, streamed_columns
from mlplugin.service.review import Policy
from mlplugin.service.service import Service
from mlplugin.store.past import ASKERS, NAMES

ARROW = MEDIA_TYPES["arrow"]
COLUMNS: dict[str, Any] = {
    "description": "An Arrow IPC stream.",
    "content": {ARROW: {"schema": {"type": "string", "format": "binary"}}},
}
# What may be wrong with a body.
BODY = described(400, 413, 415)


def _stream(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Response:
    """Answer with columns as they come."""
    first = next(batches, None)  # so that a fault is still told by the status
    chosen = batches if first is None else itertools.chain([first], batches)
    return Response(streamed_columns(chosen, schema), content_type=ARROW)


def routes(service: Service, room: Room) -> APIBlueprint:
    """Give the routes that look back, and those that `mlplugin hindsight` asks for."""
    blueprint = APIBlueprint(
        "review", __name__, abp_tags=[Tag(name="review")], abp_responses=COMMON
    )

    @blueprint.get("/api/v1/shadow", responses={200: ShadowAnswer})
    def get_shadow(query: LimitedAsked) -> dict[str, Any]:
        """Say what the candidate in shadow thought otherwise; the latest one if none is named."""
        return service.review.shadow(filter_of(query), query.limit)

    @blueprint.post("/api/v1/hindsight", responses={200: HindsightAnswer, **BODY})
    def post_hindsight(body: HindsightAsked, query: FilterAsked) -> dict[str, Any]:
        """Say what a policy and a model would have blocked and flagged, and what no longer."""
        policy = Policy(**body.model_dump(exclude={"limit"}))
        return service.review.hindsight(filter_of(query), policy, body.limit)

    @blueprint.get("/api/v1/hunts", responses={200: HuntsAnswer})
    def get_hunts() -> dict[str, Any]:
        """Give what became malicious after promotions and decisions, and who asked for it."""
        return service.hunting.results()

    @blueprint.get("/api/v1/names", responses={200: COLUMNS, **described(429)})
    def get_names(query: FilterAsked) -> Response:
        """Give every name once with what was counted of it (Arrow IPC stream)."""
        return room.streamed(
            Kind.FILES, lambda: _stream(service.history.names(filter_of(query)), NAMES)
        )

    @blueprint.post("/api/v1/names/clients", responses={200: COLUMNS, **BODY, **described(429)})
    def post_askers(body: AskersAsked, query: FilterAsked) -> Response:
        """Give who asked for some names (Arrow IPC stream)."""
        asked = filter_of(query)
        return room.streamed(
            Kind.ASKERS, lambda: _stream(service.history.askers(asked, body.names), ASKERS)
        )

    return blueprint
