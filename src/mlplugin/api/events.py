"""Events in: `POST /api/v1/events`."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models import RawModel
from flask_openapi3.models.tag import Tag

from mlplugin.api.metrics import Metrics
from mlplugin.api.problems import COMMON, described, problem
from mlplugin.api.schemas import EventsAnswer, EventsAsked
from mlplugin.errors import StoreError
from mlplugin.service.batch import BatchError
from mlplugin.service.service import Service

NDJSON = "application/x-ndjson"


class EventsBody(RawModel):
    """One JSON object a line."""

    mimetypes = [NDJSON]  # noqa: RUF012 - as the base has it


def routes(service: Service, metrics: Metrics) -> APIBlueprint:
    """Give the route that sensors send to."""
    blueprint = APIBlueprint(
        "events", __name__, abp_tags=[Tag(name="sensors")], abp_responses=COMMON
    )

    @blueprint.post("/api/v1/events", responses={200: EventsAnswer, **described(400, 413, 415)})
    def post_events(query: EventsAsked, raw: EventsBody) -> dict[str, Any] | Response:  # noqa: ARG001
        """Store a batch of events, NDJSON, gzip or plain; docs/protocol.md has the keys."""
        if request.mimetype != NDJSON:
            return problem(415, f"Content-Type is {request.mimetype[:80]!r}: send {NDJSON}")
        try:
            done = service.ingest.take(
                query.sensor,
                request.get_data(cache=False),
                request.headers.get("Content-Encoding", "").strip().lower(),
                request.headers.get("Mlplugin-Counters"),
            )
        except BatchError:
            metrics.batches.labels("rejected").inc()
            raise
        except StoreError:
            metrics.batches.labels("unavailable").inc()
            raise
        metrics.batches.labels("stored").inc()
        metrics.events.labels("stored").inc(done.stored)
        metrics.events.labels("known").inc(done.known)
        metrics.events.labels("refused").inc(done.refused)
        refused = {"refused": done.refused} if done.refused else {}
        return {"stored": done.stored, "known": done.known, **refused}

    return blueprint
