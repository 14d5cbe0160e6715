"""Search in the history: what is asked for in words, and pages of it."""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from ipaddress import ip_network
from typing import Any, Generic, TypeVar

import pyarrow as pa

from mlplugin.errors import UsageError
from mlplugin.qname import canonical
from mlplugin.service.overrides import parse_address, parse_client
from mlplugin.service.times import parse_when, rfc3339
from mlplugin.store.port import ACTIONS, Count, Filter, Position, Size, Stats, Store
from mlplugin.verdict import Level, Threat

Kind = TypeVar("Kind", bound=StrEnum)
Value = TypeVar("Value")

MOST_ROWS = 10_000
TOP = 10
LATEST = 20
# How old may be what pages and scrapes are told.
FRESH_SECONDS = 5.0
LONGEST_TEXT = 1020


@dataclass(frozen=True, slots=True)
class Asked:
    """A filter as people write it: names in any case, times or spans, addresses or subnets."""

    qname: str | None = None
    domain: str | None = None
    client: str | None = None
    verdict: str | None = None
    threat: str | None = None
    action: str | None = None
    rcode: str | None = None
    qtype: str | None = None
    sensor: str | None = None
    since: str | None = None
    until: str | None = None

    def parse(self) -> Filter:
        """Read it. Raises UsageError or InvalidNameError."""
        return Filter(
            qname=None if self.qname is None else _pattern(self.qname),
            domain=None if self.domain is None else canonical(self.domain),
            client=None if self.client is None else parse_client(self.client),
            verdicts=() if self.verdict is None else (_one_of(Level, self.verdict, "verdict"),),
            threat=None if self.threat is None else _one_of(Threat, self.threat, "threat"),
            action=None if self.action is None else _action(self.action),
            rcode=None if self.rcode is None else self.rcode.upper(),
            qtype=None if self.qtype is None else self.qtype.upper(),
            sensor=self.sensor,
            since=None if self.since is None else parse_when(self.since),
            until=None if self.until is None else parse_when(self.until),
        )


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of all time and of the last 24 hours, and the newest flagged queries."""

    all: dict[str, Any]
    day: dict[str, Any]
    flagged: list[dict[str, Any]]


def _pattern(text: str) -> str:
    """A name in canonical form; one with `*` only as far as that can be said of a part."""
    if "*" not in text:
        return canonical(text)
    if len(text) > LONGEST_TEXT or not text.isascii() or not text.isprintable():
        raise UsageError(f"{text[:60]!r} is no pattern of names: write *.example.org")
    return text.lower().removesuffix(".") or "."


def _one_of(kind: type[Kind], text: str, what: str) -> Kind:
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"{what} {text[:40]!r} is none of {', '.join(kind)}") from None


def _action(text: str) -> str:
    if text not in ACTIONS:
        raise UsageError(f"action {text[:40]!r} is none of {', '.join(ACTIONS)}")
    return text


def write_cursor(position: Position) -> str:
    """Give a position as an opaque text for URLs."""
    text = json.dumps([position.time, position.sensor, position.sequence], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str) -> Position:
    """Read what `write_cursor` gave. Raises UsageError."""
    fault = UsageError("the cursor is none that a page gave: begin without one")
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise fault from None
    match found:
        case [int(time), str(sensor), int(sequence)] if (
            0 <= time < 2**62 and 0 <= sequence < 2**63 and len(sensor) <= LONGEST_TEXT
        ):
            return Position(time, sensor, sequence)
    raise fault


class Recent(Generic[Value]):
    """A value that costs something, kept for `FRESH_SECONDS`; asked for by one thread at a time."""

    def __init__(self, ask: Callable[[], Value], clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._found: tuple[float, Value] | None = None

    def get(self) -> Value:
        """Give it; what `ask` raises is not kept."""
        with self._lock:
            if self._found is None or self._clock() - self._found[0] >= FRESH_SECONDS:
                value = self._ask()
                self._found = self._clock(), value
            return self._found[1]


class History:
    """The history of all queries."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._overview = Recent(self._ask_overview, clock)
        self._size = Recent(store.size, clock)

    def overview(self) -> Overview:
        """Give what the page at `/` shows, up to `FRESH_SECONDS` old: reloading costs nothing."""
        return self._overview.get()

    def _ask_overview(self) -> Overview:
        return Overview(
            all=self.stats(Asked()),
            day=self.stats(Asked(since="24h")),
            flagged=self.latest_flagged(LATEST),
        )

    def size(self) -> Size:
        """Give what the history takes, up to `FRESH_SECONDS` old."""
        return self._size.get()

    def search(self, asked: Asked, limit: int, cursor: str | None) -> dict[str, Any]:
        """Give a page, newest first. Raises UsageError or InvalidNameError."""
        after = None if cursor is None else read_cursor(cursor)
        page = self._store.search(asked.parse(), limit, after)
        return {
            "queries": [row_json(row) for row in page.rows],
            "total": page.total,
            "next": None if page.next is None else write_cursor(page.next),
        }

    def latest_flagged(self, limit: int) -> list[dict[str, Any]]:
        """Give the newest queries that are not benign."""
        wanted = Filter(verdicts=(Level.SUSPICIOUS, Level.MALICIOUS))
        return [row_json(row) for row in self._store.search(wanted, limit).rows]

    def stats(self, asked: Asked) -> dict[str, Any]:
        """Count over a range; what sensors count themselves is over all time."""
        sensors = self._store.sensors()
        dropped = [sum(sensor.dropped.values()) for sensor in sensors]
        counted = stats_json(self._store.stats(asked.parse()))
        return {
            **counted,
            "dropped": sum(dropped),
            "served": sum(sensor.served for sensor in sensors),
            "sensors": [
                {
                    "name": sensor.name,
                    "stored": sensor.stored,
                    "served": sensor.served,
                    "dropped": count,
                    "dropped_by_reason": dict(sensor.dropped),
                }
                for sensor, count in zip(sensors, dropped, strict=True)
            ],
        }

    def domain(self, name: str, asked: Asked) -> dict[str, Any]:
        """Sum up what is known of a name and all below it."""
        qname = canonical(name)
        wanted = asked.parse()
        within = replace(wanted, domain=qname)
        found = self._store.stats(within)
        if not found.queries:  # it is no registered domain: the name by itself
            within = replace(wanted, qname=qname)
            found = self._store.stats(within)
        return {
            "name": qname,
            **stats_json(found),
            "top_names": _top(self._store.top(within, "qname", TOP)),
            "top_clients": _top(self._store.top(within, "client", TOP)),
        }

    def client(self, client: str, asked: Asked) -> dict[str, Any]:
        """Sum up what is known of a client."""
        address = parse_address(client)
        within = replace(asked.parse(), client=ip_network(address))
        return {
            "client": str(address),
            **stats_json(self._store.stats(within)),
            "top_names": _top(self._store.top(within, "qname", TOP)),
            "top_domains": _top(self._store.top(within, "registered_domain", TOP)),
        }

    def columns(self, asked: Asked) -> Iterator[pa.RecordBatch]:
        """Give everything that is asked for as columns, oldest first."""
        return self._store.columns(asked.parse())

    def count(self, asked: Asked) -> int:
        """Count the queries."""
        return self._store.stats(asked.parse()).queries


def _top(counts: list[Count]) -> list[dict[str, Any]]:
    return [asdict(count) for count in counts]


def row_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a query of the history as an object of the interface."""
    return {**row, "time": rfc3339(row["time"])}


def stats_json(stats: Stats) -> dict[str, Any]:
    """Give counts as an object of the interface."""
    found = {name: getattr(stats, name) for name in ("queries", "flagged", "blocked", "clients")}
    return {
        **found,
        "names": stats.names,
        "first": None if stats.first is None else rfc3339(stats.first),
        "last": None if stats.last is None else rfc3339(stats.last),
        "by_verdict": dict(stats.by_verdict),
        "by_threat": dict(stats.by_threat),
        "by_action": dict(stats.by_action),
    }
