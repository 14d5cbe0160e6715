"""The door of 2020: `POST /` as the plugin of that time asks, and the dashboard that is there now.

Both methods of a path must be in one blueprint, or its description loses one of them.
"""

from __future__ import annotations

import contextlib
from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import ValidationError

from mlplugin.api.pages import Pages
from mlplugin.api.problems import COMMON, described, problem
from mlplugin.api.schemas import OriginalAnswer, OriginalAsked
from mlplugin.errors import InvalidNameError, UsageError
from mlplugin.service.overrides import parse_address
from mlplugin.service.service import Service

HTML: dict[str, Any] = {
    "description": "The page.",
    "content": {"text/html": {"schema": {"type": "string"}}},
}
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


def routes(service: Service, pages: Pages) -> APIBlueprint:
    """Give the routes at `/`."""
    blueprint = APIBlueprint("home", __name__, abp_tags=[Tag(name="home")], abp_responses=COMMON)

    @blueprint.get("/", responses={200: HTML})
    def get_home() -> Response:
        """Show the dashboard."""
        return pages.answer()

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
