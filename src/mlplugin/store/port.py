"""What the service needs of a store; every adapter passes one suite, tests/store.

Events come in as columns (`columns.EVENTS`) that the service has checked. A store keeps each
(sensor, sequence) once, however often it comes, and has an event for good once `append` returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any, Protocol

from mlplugin.errors import StoreError
from mlplugin.store.sums import Bin, Count, Portrait, Slice, Stats, Summary, Suspect
from mlplugin.verdict import Level, Source, Threat

if TYPE_CHECKING:
    import pyarrow as pa

TRANSPORTS = ("udp", "tcp", "tls", "https", "https3", "quic", "grpc")
ACTIONS = ("observe", "nxdomain", "nodata", "refuse", "drop", "sinkhole")
OBSERVE = ACTIONS[0]

# What a query of the history has, in this order, wherever rows come out.
QUERY_COLUMNS = (
    "time", "sensor", "sequence", "client", "transport", "qname", "registered_domain", "qtype",
    "rcode", "answers", "duration", "verdict", "threat", "score", "source", "model", "action",
    "reason", "shadow_verdict", "shadow_score", "shadow_model",
)  # fmt: skip

Network = IPv4Network | IPv6Network
Row = dict[str, Any]


class StoreUnavailableError(StoreError):
    """The store cannot do it now, for want of space above all, and will again without a restart.

    Attributes:
        retry_after: when to come again, in seconds.
    """

    retry_after = 5


class StoreBusyError(StoreUnavailableError):
    """Another one does that job just now."""


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
    """What became of a batch: events stored now, known before, and refused for good."""

    stored: int
    known: int
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which queries are meant; what is not set does not restrict.

    Attributes:
        qname: a canonical name; `*` stands for any number of characters.
        domain: a registered domain.
        client: an address, as a network of one, or a subnet.
        domains: one of these registered domains.
        verdicts: one of these.
        min_score: this score and higher.
        max_score: this score and lower.
        since: this time and later (UTC).
        until: before this time (UTC).
        shadow: a candidate in shadow thought otherwise, and so.
        shadow_model: that was the candidate.
    """

    qname: str | None = None
    domain: str | None = None
    domains: tuple[str, ...] | None = None
    client: Network | None = None
    verdicts: tuple[Level, ...] = ()
    threat: Threat | None = None
    source: Source | None = None
    min_score: float | None = None
    max_score: float | None = None
    action: str | None = None
    rcode: str | None = None
    qtype: str | None = None
    sensor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    shadow: tuple[Level, ...] = ()
    shadow_model: str | None = None


class Order(StrEnum):
    """In which order queries come; where the first says nothing, the newest come first."""

    NEWEST = "-time"
    OLDEST = "time"
    SCORE = "-score"
    DURATION = "-duration"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the history: microseconds since 1970, the sensor, its sequence.

    `value` is the score or the duration where those are the order, -1 where there is none.
    """

    time: int
    sensor: str
    sequence: int
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows with `QUERY_COLUMNS`, in order; where the next page begins after, if there is one.

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


# The status of a change by which a decision was taken back, and by which one went that had expired.
UNVETTED = "unvetted"
EXPIRED = "expired"
TAKEN_BACK = (UNVETTED, EXPIRED)


class Store(Protocol):
    """The history, the sensors' counts, and what people decided.

    Any method raises StoreUnavailableError where coming again helps, StoreError where it does not.

    Attributes:
        shared: whether others may change it meanwhile, so that what was read grows old.
    """

    shared: bool

    def append(self, sensor: str, events: pa.Table, counters: Counters | None = None) -> Appended:
        """Store those events that are new, and the counters if newer, all or nothing, for good."""
        ...

    def search(
        self,
        wanted: Filter,
        limit: int,
        after: Position | None = None,
        order: Order = Order.NEWEST,
    ) -> Page:
        """Give a page of at most `limit` rows, from behind a position of the same order on."""
        ...

    def columns(self, wanted: Filter) -> Iterator[pa.RecordBatch]:
        """Give all rows, oldest first, in batches of `store.columns.QUERIES`."""
        ...

    def stats(self, wanted: Filter) -> Stats:
        """Count."""
        ...

    def top(self, wanted: Filter, column: str, limit: int) -> list[Count]:
        """Give the most frequent values of one of `sums.COLUMNS`, by frequency, then value."""
        ...

    def summary(self, wanted: Filter, columns: Sequence[str], limit: int) -> Summary:
        """Give `stats` and `top` of several columns, cheaper than one after the other."""
        ...

    def span(self) -> tuple[datetime, datetime] | None:
        """Give the times of the first and the last query, None if there is none."""
        ...

    def timeline(self, wanted: Filter, step: int, by: str | None) -> list[Slice]:
        """Count by steps of so many seconds since 1970 UTC and by one of `sums.SLICED_BY`.

        Oldest first; steps and values without a query are left out.
        """
        ...

    def scores(self, wanted: Filter) -> list[Bin]:
        """Count by score, rising; what has no query is left out, 60 counts as 59."""
        ...

    def suspects(self, wanted: Filter, limit: int) -> list[Suspect]:
        """Give the registered domains with the most flagged queries, then with the most of all."""
        ...

    def portrait(self, wanted: Filter, limit: int, flagged: int) -> Portrait:
        """Give what the filter's client, one, asked for, and what of it others did, too.

        `limit` names and domains at most, and so many of the flagged names.
        """
        ...

    def similar(self, wanted: Filter, domain: str, label: str, limit: int) -> dict[str, int]:
        """Give registered domains that may look like one, and how often each was asked for.

        The most frequent come first, `limit` at most.

        They are written nearly so, have the same label, or letters of other scripts, and are not
        `domain` itself.
        """
        ...

    def names(self, wanted: Filter) -> Iterator[pa.RecordBatch]:
        """Give every name once with what was counted of it, in batches of `past.NAMES`.

        However many there are, they take little memory. Times may be to the millisecond.
        """
        ...

    def askers(self, wanted: Filter, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Give who asked for some names (`past.MOST_ASKED` at most), in batches of `past.ASKERS`.

        By name and client.
        """
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

    def begin(self) -> None:
        """Begin what makes answers quicker by and by; for a service, which stays for long."""
        ...

    def trim(self, before: datetime | None, most_bytes: int | None) -> int:
        """Take away one small step of what is too old or too much; events taken, 0 if none.

        A store may take away whole days (UTC) only: an event stays until its day is too old.
        Raises StoreBusyError where a step is due and cannot be taken now.
        """
        ...

    def size(self) -> Size:
        """Measure."""
        ...

    def runs(self) -> list[tuple[str, Counters]]:
        """Give the newest counters of every run of every sensor."""
        ...

    def take_over(self, overrides: list[Override], changes: list[Change]) -> int:
        """Take decisions and entries of the record, newest first, from another store.

        Of decisions on the same name and client the newer one holds (`precedence`), and none
        that was taken back later in either store; an entry that is here already is left out. How
        many decisions and entries were written or taken back.
        """
        ...

    def check(self) -> None:
        """Raise if the store does not answer."""
        ...

    def close(self) -> None:
        """Write everything where it belongs and let go."""
        ...
