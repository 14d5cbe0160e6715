"""What the service needs of a store; every adapter passes one suite, tests/store.

Events come in as columns (`EVENTS`) that the service has checked. A store keeps each
(sensor, sequence) once, however often it comes, and has an event for good once `append` returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Protocol

import pyarrow as pa

from mlplugin.errors import StoreError
from mlplugin.verdict import Level, Threat

# Times are microseconds since 1970 UTC, durations microseconds, answers joined by spaces.
EVENTS = pa.schema(
    [
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("time", pa.int64(), nullable=False),
        pa.field("client", pa.string(), nullable=False),
        pa.field("transport", pa.string()),
        pa.field("qname", pa.string(), nullable=False),
        pa.field("registered_domain", pa.string()),
        pa.field("qtype", pa.string(), nullable=False),
        pa.field("rcode", pa.string()),
        pa.field("answers", pa.string()),
        pa.field("duration", pa.int64()),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("threat", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("action", pa.string()),
        pa.field("reason", pa.string()),
    ]
)

TRANSPORTS = ("udp", "tcp", "tls", "https", "https3", "quic", "grpc")
ACTIONS = ("observe", "nxdomain", "nodata", "refuse", "drop", "sinkhole")
OBSERVE = ACTIONS[0]

# What a query of the history has, in this order, wherever rows come out.
QUERY_COLUMNS = (
    "time", "sensor", "sequence", "client", "transport", "qname", "registered_domain", "qtype",
    "rcode", "answers", "duration", "verdict", "threat", "score", "source", "model", "action",
    "reason",
)  # fmt: skip

# The same as columns.
QUERIES = pa.schema(
    [
        pa.field("time", pa.timestamp("us", "UTC")),
        pa.field("sensor", pa.string()),
        *(EVENTS.field(name) for name in QUERY_COLUMNS[2:9]),
        pa.field("answers", pa.list_(pa.string())),
        *(EVENTS.field(name) for name in QUERY_COLUMNS[10:]),
    ]
)

Network = IPv4Network | IPv6Network
Row = dict[str, Any]


class StoreUnavailableError(StoreError):
    """The store cannot do it now, for want of space above all, and will again without a restart.

    Attributes:
        retry_after: when to come again, in seconds.
    """

    retry_after = 5


@dataclass(frozen=True, slots=True)
class Counters:
    """A sensor's own counts since it started.

    Attributes:
        started: the sensor's first sequence, which names its run.
        served: queries that it answered.
        dropped: events that it gave up, by reason.
    """

    started: int
    served: int
    dropped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: events stored now, and events that were known before."""

    stored: int
    known: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which queries are meant; what is not set does not restrict.

    Attributes:
        qname: a canonical name; `*` stands for any number of characters.
        domain: a registered domain.
        client: an address, as a network of one, or a subnet.
        verdicts: one of these.
        since: this time and later (UTC).
        until: before this time (UTC).
    """

    qname: str | None = None
    domain: str | None = None
    client: Network | None = None
    verdicts: tuple[Level, ...] = ()
    threat: Threat | None = None
    action: str | None = None
    rcode: str | None = None
    qtype: str | None = None
    sensor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the history, newest first: microseconds since 1970, the sensor, its sequence."""

    time: int
    sensor: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Page:
    """Rows with `QUERY_COLUMNS`, newest first; where the next page begins after, if there is one.

    `total` is how many queries the filter holds in all.
    """

    rows: list[Row]
    total: int
    next: Position | None


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor: what it counted itself, and what was stored of it, over all of its runs.

    `stored` counts every event that was ever stored, also those that retention took away.
    """

    name: str
    stored: int
    served: int
    dropped: Mapping[str, int]


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


@dataclass(frozen=True, slots=True)
class Count:
    """How often a value occurs, and how often flagged."""

    value: str
    queries: int
    flagged: int


@dataclass(frozen=True, slots=True)
class Size:
    """What the history takes: bytes of disk in use, and events."""

    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Override:
    """A person's decision on a name.

    Attributes:
        name: canonical.
        scope: `subdomains` (the name and all below) or `name`.
        status: `benign`, `blocked` or `honeypot`.
        client: whom it is for, None for everyone.
        expires: from when on it holds no more, None for never (UTC).
    """

    name: str
    scope: str
    status: str
    client: Network | None
    expires: datetime | None
    reason: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the record of decisions: who changed what, when, and why."""

    at: datetime
    who: str
    name: str
    client: Network | None
    status: str
    reason: str


# The status of a change by which a decision went that had expired.
EXPIRED = "expired"


class Store(Protocol):
    """The history, the sensors' counts, and what people decided.

    Any method raises StoreUnavailableError where coming again helps, StoreError where it does not.
    """

    def append(self, sensor: str, events: pa.Table, counters: Counters | None = None) -> Appended:
        """Store those events that are new, and the counters if newer, all or nothing, for good."""
        ...

    def search(self, wanted: Filter, limit: int, after: Position | None = None) -> Page:
        """Give a page of at most `limit` rows, newest first, from behind a position on."""
        ...

    def columns(self, wanted: Filter) -> Iterator[pa.RecordBatch]:
        """Give all rows, oldest first, in batches of the schema `QUERIES`."""
        ...

    def stats(self, wanted: Filter) -> Stats:
        """Count."""
        ...

    def top(self, wanted: Filter, column: str, limit: int) -> list[Count]:
        """Give the most frequent values of `qname`, `registered_domain` or `client`."""
        ...

    def sensors(self) -> list[Sensor]:
        """Give every sensor that ever sent something, by name."""
        ...

    def overrides(self) -> list[Override]:
        """Give every decision, by name."""
        ...

    def put_override(self, override: Override, who: str) -> None:
        """Take a decision in place of the one on the same name and client, and record it."""
        ...

    def delete_override(self, name: str, client: Network | None, change: Change) -> bool:
        """Take a decision back and record it; False if there is none."""
        ...

    def drop_expired(self, before: datetime, at: datetime, who: str) -> int:
        """Delete the decisions that expired before a time, and record each; how many."""
        ...

    def changes(self, limit: int) -> list[Change]:
        """Give the latest entries of the record of decisions, newest first."""
        ...

    def trim(self, before: datetime | None, most_bytes: int | None) -> int:
        """Take away one small step of what is too old or too much; events taken, 0 if none."""
        ...

    def size(self) -> Size:
        """Measure."""
        ...

    def check(self) -> None:
        """Raise if the store does not answer."""
        ...

    def close(self) -> None:
        """Write everything where it belongs and let go."""
        ...
