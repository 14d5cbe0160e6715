"""Errors as problem documents (RFC 9457)."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException

from mlplugin.errors import InvalidNameError, MlpluginError, RefusedError, UsageError
from mlplugin.service.batch import BatchError
from mlplugin.store.port import StoreUnavailableError

LOG = logging.getLogger(__name__)
# What flask-openapi3 takes as the key of a response.
Responses = str | int | HTTPStatus
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = StoreUnavailableError.retry_after


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="About the kind of problem; about:blank says: see the status.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong here, and what to do.")
    line: int | None = Field(default=None, description="The first line at fault, from 1.")


def problem(
    status: int, detail: str, *, line: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    """Make the answer for an error."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if line is not None:
        document["line"] = line
    response = Response(json.dumps(document), status, content_type=MEDIA_TYPE)
    response.headers.update(headers or {})
    return response


def described(*statuses: int) -> dict[Responses, Any]:
    """Describe the errors of a route in OpenAPI."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: schema},
        }
        for status in statuses
    }


# What any route may answer: who may ask, parameters, the store.
COMMON = described(401, 403, 421, 422, 503)


def invalid(fault: ValidationError) -> Response:
    """Answer a request whose parts are not as the description says."""
    found = fault.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in found["loc"])
    said = found["msg"].removeprefix("Value error, ")
    return problem(422, f"{where}: {said}" if where else said)


def register(app: Flask) -> None:
    """Answer every error of the application with a problem document."""

    @app.errorhandler(MlpluginError)
    def ours(fault: MlpluginError) -> Response:
        if isinstance(fault, BatchError):
            return problem(fault.status, str(fault), line=fault.line)
        if isinstance(fault, UsageError | InvalidNameError):
            return problem(422, str(fault))
        if isinstance(fault, RefusedError):
            return problem(409, str(fault))
        wait = getattr(fault, "retry_after", RETRY_AFTER)
        LOG.warning("%s %s: %s", request.method, request.path, fault)
        return problem(503, str(fault), headers={"Retry-After": str(wait)})

    @app.errorhandler(HTTPException)
    def webs(fault: HTTPException) -> Response:
        response = fault.get_response()
        if response.status_code < 400 or response.mimetype == MEDIA_TYPE:
            return Response(response.get_data(), response.status_code, response.headers)
        kept = {"Allow": response.headers["Allow"]} if "Allow" in response.headers else None
        status = fault.code or 500
        return problem(status, fault.description or HTTPStatus(status).phrase, headers=kept)

    @app.errorhandler(Exception)
    def others(fault: Exception) -> Response:
        LOG.error("%s %s failed", request.method, request.path, exc_info=fault)
        return problem(500, "a fault of the service; its log says more")
