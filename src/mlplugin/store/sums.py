"""Sums over the history, as every store gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mlplugin.verdict import Level, Threat


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts over the queries that a filter holds; sensors' own counts know no filter."""

    queries: int = 0
    flagged: int = 0
    blocked: int = 0
    clients: int = 0
    names: int = 0
    first: datetime | None = None
    last: datetime | None = None
    by_verdict: Mapping[str, int] = field(default_factory=dict)
    by_threat: Mapping[str, int] = field(default_factory=dict)
    by_action: Mapping[str, int] = field(default_factory=dict)
    by_rcode: Mapping[str, int] = field(default_factory=dict)


# What values can be counted of: `Count`.
COLUMNS = (
    "qname", "registered_domain", "client", "qtype", "rcode", "sensor", "threat", "answer",
    "shadow_model",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Count:
    """How often a value occurs, flagged and answered otherwise than observe; for how many clients.

    Attributes:
        first: when first; where a store knows no better, to the millisecond, as the next.
        last: when last.
        score: the highest.
    """

    value: str
    queries: int
    flagged: int
    blocked: int
    clients: int
    first: datetime
    last: datetime
    score: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts, and the most frequent values of some columns."""

    stats: Stats
    top: Mapping[str, list[Count]]


@dataclass(frozen=True, slots=True)
class Portrait:
    """What a client asked for.

    Attributes:
        summary: its counts, and its most frequent names (`qname`) and `registered_domain`s.
        flagged: its most frequent flagged names.
        shared: those of these domains that others asked for, too.
    """

    summary: Summary
    flagged: list[Count]
    shared: set[str]


# What slices of time can be counted by: `Slice`.
SLICED_BY = ("verdict", "threat", "action", "rcode", "qtype")


@dataclass(frozen=True, slots=True)
class Slice:
    """How much there was from a time on for a step, of one value of a column."""

    time: datetime
    value: str | None
    queries: int
    flagged: int
    blocked: int


@dataclass(frozen=True, slots=True)
class Bin:
    """How many queries and names have this score and less than one more; names may be estimated."""

    score: int
    queries: int
    names: int


@dataclass(frozen=True, slots=True)
class Suspect:
    """A registered domain, and the query below it that was thought the worst of."""

    name: str
    queries: int
    clients: int
    flagged: int
    first: datetime
    last: datetime
    score: float
    verdict: Level
    threat: Threat | None
    qname: str
