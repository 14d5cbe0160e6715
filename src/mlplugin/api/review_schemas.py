"""What the routes that look back take and answer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mlplugin.api.insight_schemas import ThresholdsAnswer
from mlplugin.api.schemas import Score, Text
from mlplugin.service.past import LISTED, MOST_LISTED
from mlplugin.store.past import MOST_ASKED
from mlplugin.verdict import Level, Source, Threat

MOST_LINES = 1_000_000


class HindsightAsked(BaseModel):
    """A policy and a model to judge the past with."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = Field(
        default=None,
        max_length=64,
        description="The version of a model that is here, or shadow; null: the one in use.",
        json_schema_extra={"example": None},
    )
    suspicious: Score | None = Field(default=None, description="From which score; null: its own.")
    malicious: Score | None = Field(default=None, description="From which score; null: its own.")
    on: list[Text] = Field(
        default=[],
        max_length=8,
        description="What to do, as in a Corefile; none: malicious nxdomain.",
        json_schema_extra={"example": ["malicious nxdomain"]},
    )
    allow: list[Text] = Field(
        default=[], max_length=MOST_LINES, description="Lines of a list.",
        json_schema_extra={"example": []},
    )  # fmt: skip
    deny: list[Text] = Field(
        default=[], max_length=MOST_LINES, description="Lines of a list.",
        json_schema_extra={"example": ["example.net"]},
    )  # fmt: skip
    overrides: bool = Field(default=True, description="Whether what people decided goes first.")
    limit: int = Field(default=LISTED, ge=1, le=MOST_LISTED, description="How many names.")


class AskersAsked(BaseModel):
    """Some names."""

    model_config = ConfigDict(extra="forbid", strict=True)

    names: list[Text] = Field(
        max_length=MOST_ASKED, json_schema_extra={"example": ["www.example.org"]}
    )


class AskerAnswer(BaseModel):
    """Who asked for a name, how often, and when."""

    client: str
    queries: int
    first: str
    last: str


class ReviewedAnswer(BaseModel):
    """A name with which it would have been otherwise, and for how many queries."""

    qname: str
    change: str
    verdict: Level
    threat: Threat | None
    score: float
    source: Source
    queries: int
    clients: int
    first: str
    last: str
    asked_by: list[AskerAnswer]


class TotalAnswer(BaseModel):
    """What would have been otherwise in one way."""

    queries: int
    names: int
    clients: int


class ReplayAnswer(BaseModel):
    """What became of the names of the past; `clients` have a count for each kind of change."""

    model: str
    since: str | None
    until: str | None
    names: int = Field(description="That were judged.")
    queries: int
    totals: dict[str, TotalAnswer]
    clients: list[dict[str, str | int]]
    listed: list[ReviewedAnswer]


class HindsightAnswer(ReplayAnswer):
    """What would have been blocked and flagged, and what no longer."""

    thresholds: ThresholdsAnswer
    on: dict[str, str]


class HuntAnswer(ReplayAnswer):
    """What became malicious by a change."""

    at: str
    why: str
    complete: bool = Field(description="Whether every name was judged.")


class RunningAnswer(BaseModel):
    """A hunt that is under way."""

    at: str
    why: str
    model: str
    since: str
    until: str


class HuntsAnswer(BaseModel):
    """Hunts, the latest first."""

    running: RunningAnswer | None
    hunts: list[HuntAnswer]


class CandidateAnswer(BaseModel):
    """A candidate that thought otherwise of some queries."""

    model: str
    queries: int
    first: str
    last: str


class DisagreementAnswer(BaseModel):
    """How often the model gave one level and the candidate another."""

    live: Level
    shadow: Level
    queries: int
    names: int
    clients: int


class DisputedAnswer(BaseModel):
    """A name of which they think differently; the score is the model's."""

    value: str
    queries: int
    clients: int
    score: float
    first: str
    last: str
    live: Level
    shadow: Level


class ShadowAnswer(BaseModel):
    """What a candidate in shadow thought otherwise; null if none ever did."""

    model: str | None
    models: list[CandidateAnswer]
    queries: int
    disagreements: list[DisagreementAnswer]
    worse: list[DisputedAnswer]
    better: list[DisputedAnswer]
