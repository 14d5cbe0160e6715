"""The closed loop: jobs that retrain, and models put in use, beside it, and out of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from mlplugin.api.access import who
from mlplugin.api.insight import NO_MODEL
from mlplugin.api.insight_schemas import VersionPath
from mlplugin.api.problems import COMMON, described, problem
from mlplugin.api.retraining_schemas import (
    JobAnswer,
    JobAsked,
    JobPath,
    JobReportAnswer,
    JobsAnswer,
    ModelInShadowAnswer,
    PromotionAnswer,
    PromotionAsked,
    RollbackAsked,
)
from mlplugin.api.room import Kind, Room
from mlplugin.service.service import Service

NO_JOB = "there is no such job: /api/v1/jobs lists them"
ONE = "/api/v1/jobs/<id>"
QUIET = 20  # looks without anything new, after which a comment keeps the connection
STREAM: dict[str, Any] = {
    "description": "Server-sent events: what the job tells, and `end` at its end.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


def routes(service: Service, room: Room) -> APIBlueprint:
    """Give the routes of jobs and of models."""
    loop = service.retraining
    blueprint = APIBlueprint("loop", __name__, abp_tags=[Tag(name="loop")], abp_responses=COMMON)

    @blueprint.get("/api/v1/jobs", responses={200: JobsAnswer})
    def get_jobs() -> dict[str, Any]:
        """List the jobs, newest first."""
        return loop.all()

    @blueprint.post("/api/v1/jobs", responses={202: JobAnswer, **described(400, 409, 413, 415)})
    def post_job(body: JobAsked) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Start a retraining of the model in use on what was decided."""
        job = loop.start(who=who(), **body.model_dump())
        return job, 202, {"Location": f"/api/v1/jobs/{job['id']}"}

    @blueprint.get(ONE, responses={200: JobReportAnswer, **described(404)})
    def get_job(path: JobPath) -> dict[str, Any] | Response:
        """Give a job, and its report once it is done."""
        found = loop.find(path.id)
        return problem(404, NO_JOB) if found is None else found

    @blueprint.delete(ONE, responses={200: JobAnswer, **described(404)})
    def delete_job(path: JobPath) -> dict[str, Any] | Response:
        """Cancel a job; one that is over stays as it is."""
        found = loop.cancel(path.id)
        return problem(404, NO_JOB) if found is None else found

    @blueprint.get(f"{ONE}/events", responses={200: STREAM, **described(404, 429)})
    def get_job_events(path: JobPath) -> Response:
        """Follow a job; `Last-Event-ID` goes on behind the event that it names."""
        if loop.find(path.id) is None:
            return problem(404, NO_JOB)
        last = request.headers.get("Last-Event-ID", "")
        after = int(last) if last.isdecimal() and len(last) < 10 else 0

        def begin() -> Response:
            told = _streamed(loop.events(path.id, after))
            return Response(told, content_type="text/event-stream")

        return room.streamed(Kind.FOLLOWERS, begin, f"ask /api/v1/jobs/{path.id} instead")

    _add_models(blueprint, service)
    return blueprint


def _add_models(blueprint: APIBlueprint, service: Service) -> None:
    """Add the routes that change which model plays which part."""
    loop = service.retraining

    @blueprint.post(
        "/api/v1/models/<version:version>/promote",
        responses={200: PromotionAnswer, **described(400, 404, 409, 413, 415)},
    )
    def post_promotion(path: VersionPath, body: PromotionAsked) -> dict[str, Any] | Response:
        """Put a model in use, unless it is worse than the one that is."""
        found = loop.promote(path.version, who=who(), force=body.force)
        return problem(404, NO_MODEL) if found is None else found

    @blueprint.post(
        "/api/v1/models/rollback",
        responses={200: PromotionAnswer, **described(400, 409, 413, 415)},
    )
    def post_rollback(body: RollbackAsked) -> dict[str, Any]:
        """Go back to the model that was in use before."""
        return loop.rollback(who=who(), version=body.version)

    @blueprint.put(
        "/api/v1/models/<version:version>/shadow",
        responses={200: ModelInShadowAnswer, **described(404, 409)},
    )
    def put_shadow(path: VersionPath) -> dict[str, Any]:
        """Have a model judge beside the one in use, and decide nothing."""
        return loop.shadow(path.version)

    @blueprint.delete(
        "/api/v1/models/<version:version>/shadow",
        responses={200: ModelInShadowAnswer, **described(409)},
    )
    def delete_shadow(path: VersionPath) -> dict[str, Any]:
        """Have a model not judge beside the one in use any more."""
        return loop.unshadow(path.version)


def _streamed(events: Iterator[tuple[int, str] | None]) -> Iterator[str]:
    """Server-sent events of a job's lines; comments where nothing is new for a while."""
    quiet = 0
    yield "retry: 2000\n\n"
    for found in events:
        if found is None:
            quiet += 1
            if quiet % QUIET == 0:
                yield ": nothing new\n\n"
            continue
        quiet = 0
        number, line = found
        yield f"id: {number}\ndata: {line}\n\n"
    yield "event: end\ndata: {}\n\n"
