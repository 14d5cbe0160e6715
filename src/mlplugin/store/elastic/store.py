"""The port's methods on a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import pyarrow as pa

from mlplugin.errors import StoreError
from mlplugin.store.duckdb_query import moment
from mlplugin.store.elastic import documents, past, query, sums
from mlplugin.store.elastic.client import COUNT_SECONDS, Client
from mlplugin.store.elastic.dead_letters import FILE, DeadLetters
from mlplugin.store.elastic.decisions import Decisions
from mlplugin.store.elastic.faults import shaped
from mlplugin.store.elastic.freshness import Freshness
from mlplugin.store.elastic.place import Place
from mlplugin.store.elastic.retention import Upkeep
from mlplugin.store.elastic.sensors import Sensors, Taken
from mlplugin.store.elastic.template import Indices
from mlplugin.store.elastic.versions import Server, identify
from mlplugin.store.elastic.writer import Outcome, Writer
from mlplugin.store.options import Options
from mlplugin.store.port import (
    Appended,
    Change,
    Counters,
    Filter,
    Network,
    Order,
    Override,
    Page,
    Position,
    Sensor,
    Size,
)
from mlplugin.store.sums import Bin, Count, Portrait, Slice, Stats, Summary, Suspect

EXPORT_ROWS = 5_000

Args = ParamSpec("Args")
Found = TypeVar("Found")
Method = Callable[Concatenate["ElasticStore", Args], Found]


def _shaped(method: Method[Args, Found]) -> Method[Args, Found]:
    @wraps(method)
    def checked(self: ElasticStore, /, *args: Args.args, **kwargs: Args.kwargs) -> Found:
        with shaped(self.client.shown):
            return method(self, *args, **kwargs)

    return checked


class ElasticStore:
    """Elasticsearch or OpenSearch; any number of threads and of services may use it.

    Attributes:
        server: what runs there, None until it answered for the first time.
        prepared: what was made or changed there then, each in a line.
    """

    # Others may change it.
    shared = True

    def __init__(
        self, url: str, data: Path, options: Options | None = None, *, read_only: bool = False
    ) -> None:
        """Prepare; nothing is asked yet. Raises StoreError for a URL or options that are wrong."""
        place = Place.read(url, options or Options())
        self._read_only = read_only
        self.server: Server | None = None
        self.prepared: list[str] = []
        self.client = Client(place)
        self.indices = Indices(self.client, place.index)
        self.upkeep = Upkeep(self.client, self.indices)
        self._freshness = Freshness(self.client)
        letters = DeadLetters(data / FILE)
        self._writer = Writer(self.client, self.indices, letters, self._freshness)
        self._sensors = Sensors(self.client, self.indices, self._freshness)
        self._decisions = Decisions(self.client, self.indices)
        self._ready = read_only
        self._lock = threading.Lock()
        self._preparing = threading.Lock()

    @_shaped
    def connect(self) -> Server:
        """See what answers, and make templates and indices where they are not there.

        Raises StoreUnavailableError, or StoreError where coming again does not help.
        """
        server = self._reach()
        if not self._ready:
            with self._preparing:
                if not self._ready:
                    self.prepared = self.indices.prepare(server)
                    self._ready = True
        return server

    def _reach(self) -> Server:
        """See what answers: enough for reading, also where nothing can be made or written."""
        if self.server is None:
            with self._lock:
                if self.server is None:
                    self.server = self.indices.server = identify(self.client)
        return self.server

    # Events

    @_shaped
    def append(self, sensor: str, events: pa.Table, counters: Counters | None = None) -> Appended:
        """Store those events that are new, and the counters if newer.

        What fails on the way is stored in part; sent again, it becomes whole.
        """
        self.connect()
        count = events.num_rows
        numbers = events["sequence"].to_numpy()
        new = self._sensors.new(sensor, numbers) if count else None
        if new is None and counters is None:
            return Appended(0, count)
        outcome = Outcome()
        taken = numbers[:0]
        if new is not None:
            chosen = events if len(new) == count else events.take(pa.array(new))
            taken = numbers if len(new) == count else numbers[new]
            outcome = self._writer.write(sensor, chosen)
        refused = len(outcome.refused)
        self._sensors.take(sensor, Taken(taken, outcome.known, list(outcome.refused)), counters)
        return Appended(outcome.stored, count - outcome.stored - refused, refused)

    # The history

    def _search(self, body: dict[str, Any], seconds: float = COUNT_SECONDS) -> Any:
        if not self._reach().sorts_times:
            body = query.scored_first(body)
        self._freshness.refresh()
        return self.client.search(self.indices.events, body, seconds)

    @_shaped
    def search(
        self,
        wanted: Filter,
        limit: int,
        after: Position | None = None,
        order: Order = Order.NEWEST,
    ) -> Page:
        """Give a page of at most `limit` rows."""
        body: dict[str, Any] = {
            "size": limit + 1,
            "query": query.condition(wanted),
            "sort": query.SORTS[order],
            "track_total_hits": True,
        }
        if after is not None:
            body["search_after"] = query.behind(after, order)
        found = self._search(body)["hits"]
        hits = found["hits"]
        position = None
        if len(hits) > limit:
            hits = hits[:limit]
            position = documents.position(hits[-1], order)
        return Page(documents.rows(hits), found["total"]["value"], position)

    def columns(self, wanted: Filter) -> Iterator[pa.RecordBatch]:
        """Give all rows, oldest first, in batches of the schema `QUERIES`.

        Each batch is a request of its own: whoever takes them may take their time. What is
        newer than the newest row at the beginning is left out.
        """
        with shaped(self.client.shown):
            yield from self._batches(query.condition(wanted))

    def _batches(self, condition: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        last = self._first(condition, query.NEWEST)
        if last is None:
            return
        size = EXPORT_ROWS
        body: dict[str, Any] = {
            "size": size,
            "query": condition,
            "sort": query.OLDEST,
            "track_total_hits": False,
        }
        while True:
            hits = self._search(body)["hits"]["hits"]
            within = [hit for hit in hits if documents.place(hit) <= last]
            if within:
                yield documents.columns(within)
            if len(within) < size or documents.place(within[-1]) == last:
                return
            body["search_after"] = within[-1]["sort"][-len(query.OLDEST) :]

    @_shaped
    def stats(self, wanted: Filter) -> Stats:
        """Count; clients and names about, where there are more than 40,000."""
        condition = query.condition(wanted)
        found = self._search(
            {"size": 0, "query": condition, "track_total_hits": True, "aggs": query.counts()}
        )
        queries, groups = found["hits"]["total"]["value"], found.get("aggregations")
        if not queries or not groups:
            return Stats()
        by = [
            {bucket["key"]: bucket["doc_count"] for bucket in groups[name]["buckets"]}
            for name in ("verdict", "threat", "action", "rcode")
        ]
        return Stats(
            queries,
            groups["flagged"]["doc_count"],
            groups["blocked"]["doc_count"],
            groups["clients"]["value"],
            groups["names"]["value"],
            self._end(condition, query.OLDEST),
            self._end(condition, query.NEWEST),
            *by,
        )

    def _end(self, condition: dict[str, Any], sort: list[dict[str, str]]) -> datetime | None:
        """The first or the last time; `min` and `max` know no microseconds."""
        place = self._first(condition, sort)
        return None if place is None else moment(place[0])

    def _first(
        self, condition: dict[str, Any], sort: list[dict[str, str]]
    ) -> tuple[int, str, int] | None:
        """The place of the first hit in an order, None if there is none."""
        body = {
            "size": 1, "query": condition, "sort": sort, "_source": False,
            "track_total_hits": False,
        }  # fmt: skip
        hits = self._search(body)["hits"]["hits"]
        return documents.place(hits[0]) if hits else None

    @_shaped
    def top(self, wanted: Filter, column: str, limit: int) -> list[Count]:
        """Give the most frequent values of a column."""
        return sums.top(self._search, query.condition(wanted), column, limit)

    def summary(self, wanted: Filter, columns: Sequence[str], limit: int) -> Summary:
        """Give `stats` and `top` of several columns."""
        found = self.stats(wanted)
        most = limit if found.queries else 0
        return Summary(
            found, {column: self.top(wanted, column, most) if most else [] for column in columns}
        )

    @_shaped
    def span(self) -> tuple[datetime, datetime] | None:
        """Give the times of the first and the last query."""
        everything = query.condition(Filter())
        first, last = (self._end(everything, sort) for sort in (query.OLDEST, query.NEWEST))
        return None if first is None or last is None else (first, last)

    @_shaped
    def timeline(self, wanted: Filter, step: int, by: str | None) -> list[Slice]:
        """Count by steps of time and by a column."""
        if wanted.since is None or wanted.until is None:
            span = self.span()
            if span is None:
                return []
            first, last = span
            wanted = replace(
                wanted,
                since=wanted.since or first,
                until=wanted.until or last + timedelta(microseconds=1),
            )
        return list(sums.timeline(self._search, wanted, step, by))

    @_shaped
    def scores(self, wanted: Filter) -> list[Bin]:
        """Count by score."""
        return sums.scores(self._search, query.condition(wanted))

    @_shaped
    def suspects(self, wanted: Filter, limit: int) -> list[Suspect]:
        """Give the registered domains with the most flagged queries, then with the most of all."""
        return sums.suspects(self._search, query.condition(wanted), limit)

    @_shaped
    def portrait(self, wanted: Filter, limit: int, flagged: int) -> Portrait:
        """Give what the filter's client, one, asked for, and what of it others did, too."""
        found = self.summary(wanted, ("qname", "registered_domain"), limit)
        suspect = {"bool": {"filter": [query.condition(wanted), query.FLAGGED]}}
        bad = sums.top(self._search, suspect, "qname", flagged)
        everyone = query.condition(replace(wanted, client=None))
        own = query.condition(Filter(client=wanted.client))
        domains = [one.value for one in found.top["registered_domain"]]
        return Portrait(found, bad, sums.shared_domains(self._search, everyone, own, domains))

    @_shaped
    def similar(self, wanted: Filter, domain: str, label: str, limit: int) -> dict[str, int]:
        """Give registered domains that may look like one, and how often each was asked for."""
        return sums.similar(self._search, query.condition(wanted), domain, label, limit)

    def names(self, wanted: Filter) -> Iterator[pa.RecordBatch]:
        """Give every name once; times are to the millisecond."""
        with shaped(self.client.shown):
            yield from past.names(self._search, query.condition(wanted))

    def askers(self, wanted: Filter, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Give who asked for some names; times are to the millisecond."""
        with shaped(self.client.shown):
            yield from past.askers(self._search, query.condition(wanted), names)

    @_shaped
    def sensors(self) -> list[Sensor]:
        """Give every sensor that ever sent something, by name."""
        self._reach()
        return self._sensors.all()

    @_shaped
    def runs(self) -> list[tuple[str, Counters]]:
        """Give the newest counters of every run of every sensor."""
        self._reach()
        return self._sensors.runs()

    # Decisions

    @_shaped
    def overrides(self) -> list[Override]:
        """Give every decision, by name."""
        self._reach()
        return self._decisions.all()

    @_shaped
    def put_override(self, override: Override, who: str) -> None:
        """Take a decision in place of the one on the same name and client, and record it."""
        self.connect()
        self._decisions.put(override, who)

    @_shaped
    def delete_override(self, name: str, client: Network | None, change: Change) -> bool:
        """Take a decision back and record it; False if there is none."""
        self.connect()
        return self._decisions.delete(name, client, change)

    @_shaped
    def drop_expired(self, before: datetime, at: datetime, who: str) -> int:
        """Delete the decisions that expired before a time, and record each; how many."""
        self.connect()
        return self._decisions.drop_expired(before, at, who)

    @_shaped
    def take_over(self, overrides: list[Override], changes: list[Change]) -> int:
        """Take decisions and entries of the record from another store; how many."""
        self.connect()
        return self._decisions.take_over(overrides, changes)

    @_shaped
    def changes(self, limit: int) -> list[Change]:
        """Give the latest entries of the record of decisions, newest first."""
        self._reach()
        return self._decisions.changes(limit)

    # Upkeep

    def begin(self) -> None:
        """Nothing: a cluster looks after itself."""

    @_shaped
    def trim(self, before: datetime | None, most_bytes: int | None) -> int:
        """Take away the oldest index that is over or too much; its events, 0 if none."""
        self._reach()
        # What is not searchable counts as nothing.
        self._freshness.refresh(at_once=True, seconds=COUNT_SECONDS)
        bound = None if before is None else before.astimezone(UTC)
        return self.upkeep.trim(bound, most_bytes)

    @_shaped
    def size(self) -> Size:
        """Measure, copies included."""
        self._reach()
        self._freshness.refresh(seconds=COUNT_SECONDS)
        return self.upkeep.size()

    def check(self) -> None:
        """Raise if the store does not answer."""
        self._reach()
        self.client.ask("GET", f"/{self.indices.state}/_doc/none", fine=(200, 404))

    def close(self) -> None:
        """Let go of the cluster."""
        if self.server is not None and not self._read_only:
            with suppress(StoreError):
                self._freshness.refresh(at_once=True)
                self.upkeep.lease.release()
        self._writer.close()
        self.client.close()
