"""Search in the history: what is asked for in words, and pages of it."""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mlplugin.errors import UsageError
from mlplugin.qname import canonical
from mlplugin.service.overrides import HIGHEST_SCORE, parse_client
from mlplugin.service.past import Stretch
from mlplugin.service.times import parse_when, rfc3339
from mlplugin.store.port import ACTIONS, Filter, Order, Override, Position, Size, Store
from mlplugin.store.sums import Count, Stats, Summary
from mlplugin.verdict import Level, Source, Threat

if TYPE_CHECKING:
    import pyarrow as pa

Kind = TypeVar("Kind", bound=StrEnum)
Value = TypeVar("Value")

MOST_ROWS = 10_000
TOP = 10
# What is counted of a name.
ABOUT = ("qname", "client", "answer")
# How old may be what pages and scrapes are told.
FRESH_SECONDS = 5.0
LONGEST_TEXT = 1020
NXDOMAIN = "NXDOMAIN"
FLAGGED = (Level.SUSPICIOUS, Level.MALICIOUS)
TENTH = Decimal("0.1")
# Orders whose cursors carry a value, and the highest one.
VALUED = {Order.SCORE: 60.0, Order.DURATION: 2.0**62}


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
    source: str | None = None
    min_score: str | float | None = None
    max_score: str | float | None = None
    shadow: str | None = None
    shadow_model: str | None = None

    def parse(self) -> Filter:
        """Read it. Raises UsageError or InvalidNameError."""
        found = self._read()
        if found.since is not None and found.until is not None and found.until < found.since:
            raise UsageError(
                f"the range ends ({self.until}) before it begins ({self.since}): "
                "exchange since and until"
            )
        if self.min_score is not None and self.max_score is not None:
            least, most = (Decimal(str(text)) for text in (self.min_score, self.max_score))
            if most < least:
                raise UsageError(
                    f"no score is from {least} to {most}: exchange min_score and max_score"
                )
        return found

    def _read(self) -> Filter:
        return Filter(
            qname=None if self.qname is None else _pattern(self.qname),
            domain=None if self.domain is None else canonical(self.domain),
            client=None if self.client is None else parse_client(self.client),
            verdicts=() if self.verdict is None else _verdicts(self.verdict),
            threat=None if self.threat is None else _one_of(Threat, self.threat, "threat"),
            source=None if self.source is None else _one_of(Source, self.source, "source"),
            # Stores keep one decimal of a score.
            min_score=_score(self.min_score, "min_score", ROUND_CEILING),
            max_score=_score(self.max_score, "max_score", ROUND_FLOOR),
            action=None if self.action is None else _action(self.action),
            rcode=None if self.rcode is None else self.rcode.upper(),
            qtype=None if self.qtype is None else self.qtype.upper(),
            sensor=self.sensor,
            since=None if self.since is None else parse_when(self.since),
            until=None if self.until is None else parse_when(self.until),
            shadow=() if self.shadow is None else _verdicts(self.shadow, "shadow"),
            shadow_model=self.shadow_model,
        )


def _pattern(text: str) -> str:
    """A name in canonical form; one with `*` only as far as that can be said of a part."""
    if "*" not in text:
        return canonical(text)
    if len(text) <= LONGEST_TEXT:
        parts = text.split(".")
        text = ".".join(
            part if part.isascii() or "*" in part else canonical(part) for part in parts
        )
    if len(text) > LONGEST_TEXT or not text.isascii() or not text.isprintable():
        raise UsageError(
            f"{text[:60]!r} is no pattern of names: write *.example.org, and "
            "what stands beside a * in a label in ASCII"
        )
    return text.lower().removesuffix(".") or "."


def _one_of(kind: type[Kind], text: str, what: str) -> Kind:
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"{what} {text[:40]!r} is none of {', '.join(kind)}") from None


def _verdicts(text: str, what: str = "verdict") -> tuple[Level, ...]:
    """One verdict or several, with commas between."""
    found = (_one_of(Level, part.strip(), what) for part in text.split(","))
    return tuple(dict.fromkeys(found))


def _score(given: str | float | None, what: str, rounding: str) -> float | None:
    if given is None:
        return None
    try:
        score = Decimal(str(given).strip())
    except InvalidOperation:
        score = Decimal("NaN")
    if not (score.is_finite() and 0 <= score <= int(HIGHEST_SCORE)):
        raise UsageError(f"{what} {str(given)[:40]!r} is no score: write a number from 0 to 60")
    return float(score.quantize(TENTH, rounding=rounding))


def _action(text: str) -> str:
    if text not in ACTIONS:
        raise UsageError(f"action {text[:40]!r} is none of {', '.join(ACTIONS)}")
    return text


def parse_order(text: str) -> Order:
    """Read an order. Raises UsageError."""
    try:
        return Order(text)
    except ValueError:
        raise UsageError(f"sort {text[:40]!r} is none of {', '.join(Order)}") from None


def write_cursor(position: Position, order: Order = Order.NEWEST) -> str:
    """Give a position as an opaque text for URLs."""
    parts: list[Any] = [position.time, position.sensor, position.sequence]
    if order is not Order.NEWEST:
        parts += [str(order), position.value]
    text = json.dumps(parts, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str, order: Order = Order.NEWEST) -> Position:
    """Read what `write_cursor` gave for the same order. Raises UsageError."""
    fault = UsageError("the cursor is none that a page gave: begin without one")
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise fault from None
    match found:
        case [int(time), str(sensor), int(sequence), *rest] if (
            0 <= time < 2**62 and 0 <= sequence < 2**63 and len(sensor) <= LONGEST_TEXT
        ):
            return Position(time, sensor, sequence, _value(rest, order, fault))
    raise fault


def _value(rest: list[Any], order: Order, fault: UsageError) -> float | None:
    """What a cursor of this order says behind its place."""
    match rest:
        case [] if order is Order.NEWEST:
            return None
        case [str(name), None] if name == order == Order.OLDEST:
            return None
        case [str(name), int() | float() as value] if name == order and order in VALUED:
            if -1 <= value <= VALUED[order]:
                return value
        case [str(), _]:
            raise UsageError("the cursor is of a page with another sort: begin without one")
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
        self._size = Recent(store.size, clock)

    def size(self) -> Size:
        """Give what the history takes, up to `FRESH_SECONDS` old."""
        return self._size.get()

    def search(
        self, asked: Asked, limit: int, cursor: str | None, sort: str = Order.NEWEST
    ) -> dict[str, Any]:
        """Give a page, newest first unless `sort` says otherwise.

        Raises UsageError or InvalidNameError.
        """
        order = parse_order(sort)
        after = None if cursor is None else read_cursor(cursor, order)
        page = self._store.search(asked.parse(), limit, after, order)
        return {
            "queries": [row_json(row) for row in page.rows],
            "total": page.total,
            "next": None if page.next is None else write_cursor(page.next, order),
        }

    def latest_flagged(self, limit: int) -> list[dict[str, Any]]:
        """Give the newest queries that are not benign."""
        wanted = Filter(verdicts=FLAGGED)
        return [row_json(row) for row in self._store.search(wanted, limit).rows]

    def stats(self, asked: Asked, top: Sequence[str] = (), limit: int = TOP) -> dict[str, Any]:
        """Count over a range; what sensors count themselves is over all time.

        Args:
            asked: the range, or any filter.
            top: columns of which the most frequent values are given too, as `top`.
            limit: so many at most.
        """
        sensors = self.sensors()
        found = self._store.summary(asked.parse(), top, limit)
        ranked = {column: counts_json(values) for column, values in found.top.items()}
        return {
            **stats_json(found.stats),
            **({"top": ranked} if top else {}),
            "dropped": sum(sensor["dropped"] for sensor in sensors),
            "served": sum(sensor["served"] for sensor in sensors),
            "sensors": sensors,
        }

    def sensors(self) -> list[dict[str, Any]]:
        """Give what sensors count themselves, and what was ever stored of each."""
        return [
            {
                "name": sensor.name,
                "stored": sensor.stored,
                "served": sensor.served,
                "dropped": sum(sensor.dropped.values()),
                "dropped_by_reason": dict(sensor.dropped),
            }
            for sensor in self._store.sensors()
        ]

    def domain(self, name: str, asked: Asked) -> dict[str, Any]:
        """Sum up what is known of a name and all below it."""
        return about_json(canonical(name), self.about(name, asked)[1])

    def about(self, name: str, asked: Asked) -> tuple[Filter, Summary]:
        """Sum up a name and all below it; of the most frequent names one more than is shown."""
        qname = canonical(name)
        wanted = asked.parse()
        within = replace(wanted, domain=qname)
        found = self._store.summary(within, ABOUT, TOP + 1)
        if not found.stats.queries:  # it is no registered domain: the name by itself
            within = replace(wanted, qname=qname)
            found = self._store.summary(within, ABOUT, TOP + 1)
        return within, found

    def columns(self, asked: Asked) -> Iterator[pa.RecordBatch]:
        """Give everything that is asked for as columns, oldest first."""
        return self._store.columns(asked.parse())

    def stretch(self, asked: Asked) -> Stretch:
        """Give a stretch of it to look back on."""
        return Stretch(self._store, asked.parse())

    def names(self, asked: Asked) -> Iterator[pa.RecordBatch]:
        """Give every name once with what was counted of it."""
        return self._store.names(asked.parse())

    def askers(self, asked: Asked, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Give who asked for some names."""
        return self._store.askers(asked.parse(), names)

    def decisions(self) -> list[Override]:
        """Give what people decided, whether it holds or has expired."""
        return self._store.overrides()

    def count(self, asked: Asked) -> int:
        """Count the queries."""
        return self._store.stats(asked.parse()).queries


def about_json(qname: str, found: Summary) -> dict[str, Any]:
    """Give what is known of a name as an object of the interface."""
    return {
        "name": qname,
        **stats_json(found.stats),
        "top_names": counts_json(found.top["qname"][:TOP]),
        "top_clients": counts_json(found.top["client"][:TOP]),
        "top_answers": counts_json(found.top["answer"][:TOP]),
        "nxdomain": found.stats.by_rcode.get(NXDOMAIN, 0),
    }


def counts_json(counts: list[Count]) -> list[dict[str, Any]]:
    """Give counts of values as objects of the interface."""
    names = ("value", "queries", "flagged", "blocked", "clients")
    return [{name: getattr(count, name) for name in names} for count in counts]


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
        "by_rcode": dict(stats.by_rcode),
    }
