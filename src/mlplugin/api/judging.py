"""Verdicts out."""

from __future__ import annotations

from typing import Any

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from mlplugin.api.insight_schemas import OpinionAnswer
from mlplugin.api.problems import COMMON, described
from mlplugin.api.schemas import ClassifyAnswer, ClassifyAsked, NamePath
from mlplugin.service.service import Service


def routes(service: Service) -> APIBlueprint:
    """Give the routes that judge names."""
    blueprint = APIBlueprint(
        "verdicts", __name__, abp_tags=[Tag(name="verdicts")], abp_responses=COMMON
    )

    @blueprint.post("/api/v1/classify", responses={200: ClassifyAnswer, **described(400, 413, 415)})
    def classify(body: ClassifyAsked) -> dict[str, Any]:
        """Judge names."""
        return {"verdicts": service.judging.classify(body.names, explain=body.explain)}

    @blueprint.get("/api/v1/domains/<name:name>/opinion", responses={200: OpinionAnswer})
    def get_opinion(path: NamePath) -> dict[str, Any]:
        """Give what the model thinks of a name, whatever people decided, letter by letter."""
        return service.judging.opinion(path.name)

    return blueprint
