"""Sums, rankings and comparisons over the history: what screens and scripts show."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from mlplugin.api.insight_schemas import (
    ChangesAnswer,
    ChangesAsked,
    ClientAnswer,
    ComparedAnswer,
    DomainAnswer,
    LimitedAsked,
    LookalikesAnswer,
    LookalikesAsked,
    ModelPapersAnswer,
    ModelsAnswer,
    QueueAnswer,
    ScorePath,
    ScoresAnswer,
    TimelineAnswer,
    TimelineAsked,
    TopAnswer,
    TopAsked,
    VersionPath,
    WouldFlagAnswer,
    WouldFlagAsked,
)
from mlplugin.api.problems import COMMON, described, problem
from mlplugin.api.schemas import ClientPath, FilterAsked, NamePath, Range
from mlplugin.service.history import Asked
from mlplugin.service.service import Service

NO_MODEL = "there is no model of this version here: /api/v1/models lists them"


def filter_of(query: Range) -> Asked:
    """The filter that a query's parameters are, whatever else they say."""
    return Asked(**query.model_dump(include=set(FilterAsked.model_fields)))


def routes(service: Service) -> APIBlueprint:
    """Give the routes that sum up the history, and those of models and decisions made."""
    insight = service.insight
    blueprint = APIBlueprint(
        "insight", __name__, abp_tags=[Tag(name="insight")], abp_responses=COMMON
    )

    @blueprint.get("/api/v1/stats/compared", responses={200: ComparedAnswer})
    def get_compared(query: FilterAsked) -> dict[str, Any]:
        """Count over a range and over the one of the same length before it."""
        return insight.compared(filter_of(query))

    @blueprint.get("/api/v1/timeline", responses={200: TimelineAnswer})
    def get_timeline(query: TimelineAsked) -> dict[str, Any]:
        """Count by steps of time."""
        return insight.timeline(filter_of(query), query.step, query.by)

    @blueprint.get("/api/v1/top", responses={200: TopAnswer})
    def get_top(query: TopAsked) -> dict[str, Any]:
        """Give the most frequent values of a column."""
        return insight.top(filter_of(query), query.column, query.limit)

    @blueprint.get("/api/v1/domains/<name:name>", responses={200: DomainAnswer})
    def get_domain(path: NamePath, query: Range) -> dict[str, Any]:
        """Sum up what is known of a registered domain, or of another name by itself."""
        return insight.domain(path.name, filter_of(query))

    @blueprint.get("/api/v1/domains/<name:name>/lookalikes", responses={200: LookalikesAnswer})
    def get_lookalikes(path: NamePath, query: LookalikesAsked) -> dict[str, Any]:
        """Give registered domains of the history that look like that of a name."""
        return insight.lookalikes(path.name, filter_of(query), query.limit)

    @blueprint.get("/api/v1/clients/<ip>", responses={200: ClientAnswer})
    def get_client(path: ClientPath, query: Range) -> dict[str, Any]:
        """Sum up what is known of a client, and what sets it apart from the others."""
        return insight.client(path.ip, filter_of(query))

    @blueprint.get("/api/v1/scores", responses={200: ScoresAnswer})
    def get_scores(query: FilterAsked) -> dict[str, Any]:
        """Count what the model judged by score."""
        return insight.scores(filter_of(query))

    @blueprint.get("/api/v1/scores/<score>", responses={200: WouldFlagAnswer})
    def get_would_flag(path: ScorePath, query: WouldFlagAsked) -> dict[str, Any]:
        """Say what would have been flagged in this history, were this the threshold."""
        return insight.would_flag(filter_of(query), path.score, query.limit)

    _add_vetting(blueprint, service)
    return blueprint


def _add_vetting(blueprint: APIBlueprint, service: Service) -> None:
    """Add the routes of what waits for people, of what they did, and of models."""

    @blueprint.get("/api/v1/vetting", responses={200: QueueAnswer})
    def get_queue(query: LimitedAsked) -> dict[str, Any]:
        """Give the names without a decision that are most worth one, those first."""
        return service.insight.queue(filter_of(query), query.limit)

    @blueprint.get("/api/v1/changes", responses={200: ChangesAnswer})
    def get_changes(query: ChangesAsked) -> dict[str, Any]:
        """Give the latest entries of the record of decisions, newest first."""
        return service.vetting.changes(query.limit)

    @blueprint.get("/api/v1/models", responses={200: ModelsAnswer})
    def get_models() -> dict[str, Any]:
        """Give the models that are here, the one in use first."""
        return service.insight.models()

    @blueprint.get(
        "/api/v1/models/<version:version>", responses={200: ModelPapersAnswer, **described(404)}
    )
    def get_model(path: VersionPath) -> dict[str, Any] | Response:
        """Give a model's thresholds, card and measurements."""
        found = service.insight.model(path.version)
        return problem(404, NO_MODEL) if found is None else found
