"""Verdicts out: for sensors that ask, for people, and for the plugin of 2020."""

from __future__ import annotations

import contextlib
from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import ValidationError

from mlplugin.api.problems import described, problem
from mlplugin.api.schemas import ClassifyAnswer, ClassifyAsked, OriginalAnswer, OriginalAsked
from mlplugin.errors import InvalidNameError, UsageError
from mlplugin.service.overrides import parse_address
from mlplugin.service.service import Service

ORIGINAL_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["Domain Name"],
                    "properties": {
                        "Domain Name": {"type": "string"},
                        "IP": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    },
                }
            }
        },
    }
}


def routes(service: Service) -> APIBlueprint:
    """Give the routes that judge names."""
    blueprint = APIBlueprint("verdicts", __name__, abp_tags=[Tag(name="verdicts")])

    @blueprint.post("/api/v1/classify", responses={200: ClassifyAnswer, **described(400, 413, 415)})
    def classify(body: ClassifyAsked) -> dict[str, Any]:
        """Judge names."""
        return {"verdicts": service.judging.classify(body.names, explain=body.explain)}

    @blueprint.post(
        "/",
        responses={200: OriginalAnswer, **described(400, 413, 415)},
        openapi_extensions=ORIGINAL_BODY,
    )
    def judge_as_before() -> dict[str, Any] | Response:
        """Judge one name, in the words of the plugin of 2020."""
        if request.mimetype not in {"application/json", ""}:
            return problem(415, f"Content-Type is {request.mimetype[:80]!r}: send application/json")
        try:
            asked = OriginalAsked.model_validate_json(request.get_data())
            client = None
            if asked.ip is not None:
                with contextlib.suppress(UsageError):  # it may have sent a port with it
                    client = parse_address(asked.ip)
            return {"p": service.judging.probability(asked.qname, client)}
        except ValidationError:
            return problem(400, 'the body is not like {"Domain Name": "example.org", "IP": "..."}')
        except InvalidNameError as fault:
            return problem(400, str(fault))

    return blueprint
