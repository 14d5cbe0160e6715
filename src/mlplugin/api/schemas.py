"""What routes take and answer, as models that OpenAPI is made from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mlplugin.service.history import LONGEST_TEXT, MOST_ROWS
from mlplugin.service.judging import MOST_NAMES
from mlplugin.service.vetting import LONGEST_REASON
from mlplugin.verdict import Level, Source, Threat

Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
When = Annotated[
    str,
    StringConstraints(max_length=64),
    Field(
        description="A time (RFC 3339), or a span such as 24h: that long ago.",
        json_schema_extra={"example": "2026-11-23T10:00:00Z"},
    ),
]
Verdicts = Annotated[
    str,
    StringConstraints(max_length=64, pattern=rf"^({'|'.join(Level)})(,({'|'.join(Level)}))*$"),
    Field(
        description="A verdict, or several with commas between.",
        json_schema_extra={"example": "suspicious,malicious"},
    ),
]
Score = Annotated[float, Field(ge=0, le=60)]
Action = Literal["observe", "nxdomain", "nodata", "refuse", "drop", "sinkhole"]
Status = Literal["benign", "honeypot", "blocked"]
Scope = Literal["subdomains", "name"]


def _option(description: str, example: str) -> Any:
    """A field that may be left out."""
    return Field(default=None, description=description, json_schema_extra={"example": example})


class _Asked(BaseModel):
    """Parameters; one that is not known is refused, so that a misspelt filter filters."""

    model_config = ConfigDict(extra="forbid")


class Range(_Asked):
    """A range of time."""

    since: When | None = None
    until: When | None = None


class FilterAsked(Range):
    """A filter on the history."""

    qname: Text | None = Field(
        default=None,
        description="A name; * for any characters.",
        json_schema_extra={"example": "*.example.org"},
    )
    domain: Text | None = Field(
        default=None,
        description="A registered domain (eTLD+1).",
        json_schema_extra={"example": "example.org"},
    )
    client: Text | None = Field(
        default=None,
        description="An address or a subnet.",
        json_schema_extra={"example": "192.0.2.0/24"},
    )
    verdict: Verdicts | None = None
    threat: Threat | None = None
    source: Source | None = Field(default=None, description="The step that decided.")
    min_score: Score | None = Field(default=None, description="This score and higher.")
    max_score: Score | None = Field(default=None, description="This score and lower.")
    action: Action | None = None
    rcode: Text | None = None
    qtype: Text | None = None
    sensor: Text | None = None
    shadow: Verdicts | None = Field(
        default=None, description="What a candidate in shadow thought, where that was otherwise."
    )
    shadow_model: Text | None = Field(default=None, description="The candidate's version.")


class QueriesAsked(FilterAsked):
    """A filter on the history, and which page of it."""

    sort: Literal["-time", "time", "-score", "-duration"] = Field(
        default="-time", description="By which column; - for the highest first."
    )
    limit: int = Field(default=100, ge=1, le=MOST_ROWS)
    cursor: str | None = Field(default=None, max_length=2048, description="`next` of a page.")


class ExportAsked(FilterAsked):
    """A filter on the history, and in what form it is wanted."""

    format: Literal["arrow", "csv", "jsonl", "parquet"] = "arrow"


class NamePath(BaseModel):
    """A name in a path."""

    name: str = Field(
        description="A domain name.", json_schema_extra={"example": "www.example.org"}
    )


class ClientPath(BaseModel):
    """A client in a path."""

    ip: str = Field(description="An IP address.", json_schema_extra={"example": "192.0.2.1"})


class OverrideAsked(_Asked):
    """Whose override."""

    client: Text | None = Field(default=None, description="Its client; none for everyone's.")


class EventsAsked(_Asked):
    """Whose events."""

    sensor: str = Field(min_length=1, max_length=255, description="The sensor's name.")


class Decision(BaseModel):
    """A person's decision on a name."""

    model_config = ConfigDict(extra="forbid", strict=True)

    status: Status
    scope: Scope = "subdomains"
    client: Text | None = Field(
        default=None,
        description="An address or a subnet; null: everyone.",
        json_schema_extra={"example": "192.0.2.1"},
    )
    expires: Annotated[str, StringConstraints(max_length=64)] | None = _option(
        "A time (RFC 3339); null: never.", "2100-01-01T00:00:00Z"
    )
    reason: str = Field(default="", max_length=LONGEST_REASON)


class ClassifyAsked(BaseModel):
    """Names to judge."""

    model_config = ConfigDict(extra="forbid", strict=True)

    names: list[str] = Field(
        max_length=MOST_NAMES, json_schema_extra={"example": ["www.example.org"]}
    )
    explain: bool = False


class OriginalAsked(BaseModel):
    """What the plugin of 2020 sends."""

    qname: str = Field(alias="Domain Name")
    ip: str | None = Field(default=None, alias="IP")


class OriginalAnswer(BaseModel):
    """What the plugin of 2020 expects."""

    p: str = Field(
        pattern=r"^[01]\.\d\d$", description="From 0.50 exactly where the verdict is malicious."
    )


class ReasonAnswer(BaseModel):
    """One part of an explanation; weights are in log-odds."""

    kind: str
    text: str
    weight: float


class VerdictAnswer(BaseModel):
    """A verdict."""

    qname: str
    registered_domain: str | None
    verdict: Level
    threat: Threat | None
    score: float = Field(ge=0, le=60)
    source: Source
    model: str
    reasons: list[ReasonAnswer]
    scores: dict[Threat, float] | None = Field(
        default=None, description="Every threat's score, where they were asked for."
    )


class NameError_(BaseModel):  # noqa: N801 - NameError is taken
    """What is given in place of a verdict on what is no name."""

    model_config = ConfigDict(title="NameFault")

    qname: str
    error: str


class ClassifyAnswer(BaseModel):
    """Verdicts in the order of the names."""

    verdicts: list[VerdictAnswer | NameError_]


class EventsAnswer(BaseModel):
    """What became of a batch."""

    stored: int = Field(ge=0)
    known: int = Field(ge=0)
    refused: int | None = Field(
        default=None, ge=1, description="Events that the store will never take, if there are any."
    )


class QueryAnswer(BaseModel):
    """A query of the history; docs/protocol.md has the meanings."""

    time: str
    sensor: str
    sequence: int
    client: str
    transport: str | None
    qname: str
    registered_domain: str | None
    qtype: str
    rcode: str | None
    answers: list[str]
    duration: int | None = Field(description="Microseconds.")
    verdict: Level
    threat: Threat | None
    score: float
    source: Source
    model: str
    action: Action
    reason: str | None
    shadow_verdict: Level | None = Field(
        description="What a candidate in shadow thought, where that was otherwise."
    )
    shadow_score: float | None
    shadow_model: str | None


class QueriesAnswer(BaseModel):
    """A page of the history, newest first."""

    queries: list[QueryAnswer]
    total: int
    next: str | None


class CountsAnswer(BaseModel):
    """Counts over queries; names are estimated where there are more than twenty million queries."""

    queries: int
    flagged: int = Field(description="Suspicious or malicious.")
    blocked: int = Field(description="Answered otherwise than observe.")
    clients: int
    names: int
    first: str | None
    last: str | None
    by_verdict: dict[str, int]
    by_threat: dict[str, int]
    by_action: dict[str, int]
    by_rcode: dict[str, int]


class SensorAnswer(BaseModel):
    """A sensor's own counts over all its runs, and what was ever stored of it."""

    name: str
    stored: int
    served: int
    dropped: int
    dropped_by_reason: dict[str, int]


class StatsAnswer(CountsAnswer):
    """Counts over a range; `served`, `dropped` and `sensors` are over all time."""

    served: int
    dropped: int
    sensors: list[SensorAnswer]


class OverrideAnswer(BaseModel):
    """A decision that holds."""

    name: str
    scope: Scope
    status: Status
    client: str | None
    expires: str | None
    reason: str
    created: str


class OverridesAnswer(BaseModel):
    """Every decision that holds."""

    overrides: list[OverrideAnswer]


class ModelAnswer(BaseModel):
    """Which model the service has."""

    version: str
    sha256: str


class PolicyAnswer(OverridesAnswer):
    """The snapshot for sensors."""

    version: str
    model: ModelAnswer


class StateAnswer(BaseModel):
    """How the service is."""

    status: Literal["ok"]
