"""What the routes of jobs and of models take and answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mlplugin.api.schemas import Text, When
from mlplugin.service.job_files import JobState
from mlplugin.verdict import Threat

MOST_THREATS = 20_000


class JobPath(BaseModel):
    """A job in a path."""

    id: str = Field(
        max_length=64,
        description="Of a job.",
        json_schema_extra={"example": "20261126T100000123456-0a1b"},
    )


class JobAsked(BaseModel):
    """A job to start."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["train"]
    threat: Threat | None = Field(
        default=None, description="The harm of blocked names of which nothing else says it."
    )
    threats: dict[Text, Threat] | None = Field(
        default=None,
        max_length=MOST_THREATS,
        description="The harm of names, where it is not the one that was flagged.",
    )
    since: When | None = None
    until: When | None = None


class JobAnswer(BaseModel):
    """A job, and how it stands."""

    id: str
    kind: str
    state: JobState
    who: str
    created: str
    version: str = Field(description="Of the model that it makes.")
    parent: str = Field(description="The model that it goes on from.")
    material: dict[str, Any] = Field(description="What it learns from, in numbers.")
    ended: str | None
    reason: str | None = Field(
        description="Why it failed, or why the model that it made is not to be promoted."
    )


class JobReportAnswer(JobAnswer):
    """A job with its report; docs/retraining.md tells what is in it."""

    report: dict[str, Any] | None


class JobsAnswer(BaseModel):
    """Every job, the newest first."""

    jobs: list[JobAnswer]


class PromotionAsked(BaseModel):
    """How to promote."""

    model_config = ConfigDict(extra="forbid")

    force: bool = Field(default=False, description="Whatever speaks against it.")


class RollbackAsked(BaseModel):
    """From which model to go back; without it from the one in use, whichever that is."""

    model_config = ConfigDict(extra="forbid", openapi_extra={"required": False})  # type: ignore[typeddict-unknown-key]

    version: str | None = Field(
        default=None,
        alias="from",
        max_length=64,
        description="The version in use, so that two who go back at once go one step.",
    )

    @model_validator(mode="before")
    @classmethod
    def nothing(cls, found: Any) -> Any:
        """Take no body for one that says nothing."""
        return {} if found is None else found


class RecordAnswer(BaseModel):
    """A line of the record of promotions."""

    time: str
    action: Literal["promote", "rollback"]
    version: str | None = Field(description="In use from then on; null: the shipped model.")
    sha256: str | None
    previous: str | None
    who: str
    forced: bool


class PromotionAnswer(BaseModel):
    """What is in use now."""

    version: str | None = Field(description="Null: the shipped model.")
    change: RecordAnswer | None = Field(description="Null: it was in use already.")
    objection: str | None = Field(description="What spoke against it, where that was overruled.")


class ModelInShadowAnswer(BaseModel):
    """What judges beside the model in use."""

    shadow: str | None
