"""What the routes of insight take and answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from mlplugin.api.schemas import (
    CountsAnswer,
    FilterAsked,
    OverrideAnswer,
    StatsAnswer,
    VerdictAnswer,
)
from mlplugin.service.insight import LISTED, MOST_VALUES
from mlplugin.service.lineage import State
from mlplugin.service.timeline import MOST_STEPS
from mlplugin.verdict import Level, Threat

Column = Literal[
    "qname", "registered_domain", "client", "qtype", "rcode", "sensor", "threat", "answer",
    "shadow_model",
]  # fmt: skip
By = Literal["verdict", "threat", "action", "rcode", "qtype", "none"]


class TimelineAsked(FilterAsked):
    """A filter on the history, and how it is cut."""

    step: str | None = Field(
        default=None,
        max_length=10,
        pattern=r"^([1-9][0-9]{0,7}|minute|hour|day)$",
        description=f"Seconds, or minute, hour or day; none: a round one. At most {MOST_STEPS:,} "
        "steps.",
    )
    by: By = Field(default="verdict", description="What each step is counted by.")


class TopAsked(FilterAsked):
    """A filter on the history, and whose values are counted."""

    column: Column
    limit: int = Field(default=10, ge=1, le=MOST_VALUES)


class LimitedAsked(FilterAsked):
    """A filter on the history, and how much of what it gives."""

    limit: int = Field(default=100, ge=1, le=MOST_VALUES)


class LookalikesAsked(FilterAsked):
    """A filter on the history, and how many lookalikes."""

    limit: int = Field(default=LISTED, ge=1, le=MOST_VALUES)


class WouldFlagAsked(FilterAsked):
    """A filter on the history, and how many names."""

    limit: int = Field(default=50, ge=1, le=MOST_VALUES)


class ScorePath(BaseModel):
    """A score in a path."""

    score: float = Field(
        ge=0, le=60, description="A threshold.", json_schema_extra={"example": 30.0}
    )


class VersionPath(BaseModel):
    """A model's version in a path."""

    version: str = Field(
        max_length=64,
        description="A version, or current.",
        json_schema_extra={"example": "current"},
    )


class ComparedAnswer(BaseModel):
    """A range, and the one of the same length before; null for a range without a beginning."""

    now: StatsAnswer
    before: StatsAnswer | None


class BucketAnswer(BaseModel):
    """What was asked from a time on for a step."""

    time: str
    queries: int
    flagged: int
    blocked: int
    counts: dict[str, int]


class TimelineAnswer(BaseModel):
    """Steps of time, the empty ones too; null and none where the history is empty."""

    by: By
    step: int | None = Field(description="Seconds.")
    since: str | None
    until: str | None
    buckets: list[BucketAnswer]


class CountAnswer(BaseModel):
    """How often a value occurs, and for how many clients."""

    value: str
    queries: int
    flagged: int
    blocked: int
    clients: int


class TopAnswer(BaseModel):
    """The most frequent values of a column."""

    column: Column
    values: list[CountAnswer]


class DomainAnswer(CountsAnswer):
    """What is known of a name and all below it, and what is thought of it now."""

    name: str
    top_names: list[CountAnswer]
    top_clients: list[CountAnswer]
    top_answers: list[CountAnswer]
    nxdomain: int = Field(description="Queries for what is not there.")
    registered_domain: str | None
    verdict: VerdictAnswer
    override: OverrideAnswer | None = Field(description="The decision that holds for everyone.")
    siblings: list[CountAnswer] = Field(
        description="The most frequent other names under the same registered domain."
    )


class OwnDomainAnswer(BaseModel):
    """A registered domain that nobody else asked for in the range."""

    value: str
    queries: int
    flagged: int


class NewDomainAnswer(BaseModel):
    """A registered domain that this client never asked for before the range."""

    value: str
    queries: int
    first: str


class ClientAnswer(CountsAnswer):
    """What is known of a client, and what sets it apart from the others."""

    client: str
    top_names: list[CountAnswer]
    top_domains: list[CountAnswer]
    nxdomain: int = Field(description="Queries for what is not there.")
    only_here: list[OwnDomainAnswer]
    new_domains: list[NewDomainAnswer]
    flagged_names: list[CountAnswer]


class LookalikeAnswer(BaseModel):
    """A registered domain of the history that looks like another."""

    domain: str
    distance: int = Field(description="Letters changed, left out, put in or swapped.")
    kind: Literal["edit", "confusable", "same label, other suffix"]
    queries: int
    clients: int
    verdict: Level


class LookalikesAnswer(BaseModel):
    """What looks like the registered domain of a name, the nearest first."""

    name: str
    lookalikes: list[LookalikeAnswer]


class BinAnswer(BaseModel):
    """What has this score and less than one step more."""

    score: int
    queries: int
    names: int


class ScoresAnswer(BaseModel):
    """What the model judged, by score."""

    step: float
    bins: list[BinAnswer]


class WouldFlagNameAnswer(BaseModel):
    """A name that would have been flagged."""

    value: str
    score: float
    queries: int
    clients: int


class WouldFlagAnswer(BaseModel):
    """What would have been flagged at a threshold."""

    score: float
    queries: int
    names: int
    clients: int
    values: list[WouldFlagNameAnswer]


class SuspectAnswer(BaseModel):
    """A name that waits for a decision; score, verdict and threat are of its worst query."""

    name: str
    qname: str = Field(description="What was asked for in the worst query: the name or one below.")
    queries: int = Field(description="Flagged, or nearly.")
    clients: int
    flagged: int
    first: str
    last: str
    score: float
    verdict: Level
    threat: Threat | None
    why: str


class QueueAnswer(BaseModel):
    """Names most worth a decision, those first."""

    names: list[SuspectAnswer]


class ChangesAsked(BaseModel):
    """How many entries."""

    model_config = {"extra": "forbid"}

    limit: int = Field(default=100, ge=1, le=MOST_VALUES)


class ChangeAnswer(BaseModel):
    """One entry of the record of decisions."""

    at: str
    who: str
    name: str
    client: str | None
    status: str
    reason: str


class ChangesAnswer(BaseModel):
    """The latest entries, newest first."""

    changes: list[ChangeAnswer]


class KnownModelAnswer(BaseModel):
    """A model that is here."""

    version: str
    sha256: str
    in_use: bool
    created: str | None
    data_cutoff: str | None
    state: State
    parent: str | None = Field(description="The version that it was retrained from.")
    data_sha256: str | None = Field(description="Of what it learnt from.")
    who: str | None = Field(description="Had it made.")
    added: str | None = Field(description="When it came here.")


class ModelsAnswer(BaseModel):
    """The models that are here, the one in use first."""

    data: str | None = Field(
        description="The data directory where models are promoted; null if the service has one "
        "model for good."
    )
    models: list[KnownModelAnswer]


class ThresholdsAnswer(BaseModel):
    """The scores from which a name is suspicious or malicious."""

    suspicious: float
    malicious: float


class OpinionAnswer(BaseModel):
    """What the model thinks of a name by itself."""

    verdict: VerdictAnswer
    letters: list[float] | None = Field(
        description="What each character of `qname` adds to the logit of the threat that leads; "
        "null where it is not the network that decided."
    )
    thresholds: ThresholdsAnswer


class ModelPapersAnswer(KnownModelAnswer):
    """A model with its card and its measurements."""

    thresholds: ThresholdsAnswer
    card: str = Field(description="Markdown.")
    metrics: dict[str, Any]
