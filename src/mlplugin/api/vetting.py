"""Decisions of people: overrides, and the policy that sensors pull."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from mlplugin.api.access import who
from mlplugin.api.problems import COMMON, described, problem
from mlplugin.api.schemas import (
    Decision,
    NamePath,
    OverrideAnswer,
    OverrideAsked,
    OverridesAnswer,
    PolicyAnswer,
)
from mlplugin.service.service import Service
from mlplugin.service.times import parse_moment
from mlplugin.service.vetting import override_json

UNCHANGED: dict[str, Any] = {"description": "The snapshot is the one that If-None-Match names."}
ONE = "/api/v1/overrides/<name:name>"


def routes(service: Service) -> APIBlueprint:
    """Give the routes that take, give and take back decisions."""
    blueprint = APIBlueprint(
        "vetting", __name__, abp_tags=[Tag(name="vetting")], abp_responses=COMMON
    )

    @blueprint.get("/api/v1/overrides", responses={200: OverridesAnswer})
    def get_overrides() -> dict[str, Any]:
        """List every decision that holds."""
        return {"overrides": [override_json(override) for override in service.vetting.all()]}

    @blueprint.get(ONE, responses={200: OverrideAnswer, **described(404)})
    def get_override(path: NamePath, query: OverrideAsked) -> dict[str, Any] | Response:
        """Give the decision on a name."""
        found = service.vetting.find(path.name, query.client)
        if found is None:
            return problem(404, service.vetting.nothing_decided(path.name, query.client))
        return override_json(found)

    @blueprint.put(ONE, responses={200: OverrideAnswer, **described(400, 413, 415)})
    def put_override(path: NamePath, body: Decision) -> dict[str, Any]:
        """Decide on a name, in place of the decision on it for the same client."""
        decided = service.vetting.decide(
            path.name,
            body.status,
            who=who(),
            scope=body.scope,
            client=body.client,
            expires=None if body.expires is None else parse_moment(body.expires),
            reason=body.reason,
        )
        return override_json(decided)

    @blueprint.delete(ONE, responses={204: None, **described(404)})
    def delete_override(path: NamePath, query: OverrideAsked) -> Response:
        """Take the decision on a name back."""
        if service.vetting.take_back(path.name, query.client, who=who()):
            return Response(status=204)
        return problem(404, service.vetting.nothing_decided(path.name, query.client))

    @blueprint.get("/api/v1/policy", responses={200: PolicyAnswer, 304: UNCHANGED})
    def get_policy() -> Response:
        """Give the snapshot that sensors pull."""
        snapshot = service.vetting.snapshot()
        response = Response(snapshot.body, content_type="application/json")
        response.set_etag(snapshot.etag)
        response.headers["Cache-Control"] = "no-cache"
        response.make_conditional(request)
        return response

    return blueprint
