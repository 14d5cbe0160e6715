"""Events into the cluster: bulk requests of a size and a number that the cluster can take.

Every item is looked at by itself: stored, known, to be tried again, or refused for good.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlplugin.store.elastic.client import WRITE_SECONDS, Client
from mlplugin.store.elastic.dead_letters import DeadLetters
from mlplugin.store.elastic.documents import AHEAD, DAY, bulk, day_name, sequence_of
from mlplugin.store.elastic.faults import reason_of, short, told
from mlplugin.store.elastic.freshness import Freshness
from mlplugin.store.elastic.template import VERSION, Indices

# Documents a request, and requests at once: from, to.
SIZES = (250, 8000)
SLOTS = (1, 4)
# How long a batch is tried before its sensor is told to come again: seconds.
PATIENCE = 20.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0
ANSWERED = (
    "errors,items.create._id,items.create.status,items.create.error.type,items.create.error.reason"
)
# It says what it waits for (a shard, say) before this side stops listening.
BULK = {"filter_path": ANSWERED, "timeout": f"{WRITE_SECONDS - 5:.0f}s"}
# What is wrong with a document, and not with the index or the cluster.
BAD_DOCUMENT = ("mapper_parsing_exception", "document_parsing_exception")
# Said of much else as well, such as of an alias or a limit: only this is the document's fault.
ILLEGAL, TOO_LONG = "illegal_argument_exception", "immense term"
# The index lacks a field of today's: another one made it, or it is older.
STRICT = "strict_dynamic_mapping_exception"
BLOCKED = "cluster_block_exception"
Why = tuple[int, str, str]  # a status, the type of an error, its text
FUTURE = "its time is more than a day ahead: the sensor's clock is wrong"


@dataclass
class Outcome:
    """What became of events: those that were there, and the reasons of those refused."""

    stored: int = 0
    known: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)

    def add(self, other: Outcome) -> None:
        """Sum up."""
        self.stored += other.stored
        self.known += other.known
        self.refused |= other.refused


class Pace:
    """How much is sent at once: less as soon as the cluster complains, slowly more after."""

    def __init__(self) -> None:
        self.size = 4000
        self.slots = 2
        self._used = 0
        self._turn = threading.Condition()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a turn to send."""
        with self._turn:
            self._turn.wait_for(lambda: self._used < self.slots, WRITE_SECONDS)
            self._used += 1
        try:
            yield
        finally:
            with self._turn:
                self._used -= 1
                self._turn.notify()

    def slower(self) -> None:
        """Halve."""
        with self._turn:
            self.size = max(SIZES[0], self.size // 2)
            self.slots = max(SLOTS[0], self.slots // 2)

    def faster(self) -> None:
        """Add a little; another request at once when requests have their full size."""
        with self._turn:
            if self.size < SIZES[1]:
                self.size = min(SIZES[1], self.size + 100)
            elif self.slots < SLOTS[1]:
                self.slots += 1
                self.size = SIZES[1] // 2
                self._turn.notify()


class Writer:
    """Writes events; any number of threads may use it."""

    def __init__(
        self, client: Client, indices: Indices, letters: DeadLetters, freshness: Freshness
    ) -> None:
        self._client = client
        self._indices = indices
        self._letters = letters
        self._freshness = freshness
        self.pace = Pace()
        self._ready: set[str] = set()
        self._pool = ThreadPoolExecutor(SLOTS[1], "bulk")

    def write(self, sensor: str, events: pa.Table) -> Outcome:
        """Write events (`EVENTS`, each sequence once).

        Raises StoreUnavailableError where some could not be written; others may have been.
        """
        outcome = Outcome()
        times = events["time"].to_numpy()
        now = datetime.now(UTC)
        late = times > int((now + AHEAD).timestamp() * 1e6)
        if late.any():
            ahead = events.filter(pa.array(late))
            outcome.refused = dict.fromkeys(ahead["sequence"].to_pylist(), FUTURE)
            events, times = events.filter(pa.array(~late)), times[~late]
        today = int(now.timestamp()) // 86_400
        parts = []
        days = times // DAY
        for day in np.unique(days).tolist():
            index = self._indices.event_index(day_name(day, today))
            self._ensure(index)
            one = (
                events
                if len(times) and (days == day).all()
                else events.filter(pa.array(days == day))
            )
            size = _even(one.num_rows, self.pace.size)
            parts += [(index, one.slice(at, size)) for at in range(0, one.num_rows, size)]
        if len(parts) == 1:
            outcome.add(self._send(sensor, *parts[0]))
        else:
            for done in self._pool.map(lambda part: self._send(sensor, *part), parts):
                outcome.add(done)
        if outcome.refused:
            self._bury(sensor, events if not late.any() else pa.concat_tables([events, ahead]),
                       outcome.refused)  # fmt: skip
        return outcome

    def _bury(self, sensor: str, events: pa.Table, refused: dict[int, str]) -> None:
        chosen = pc.is_in(events["sequence"], pa.array(list(refused), pa.int64()))
        gone = events.filter(chosen).to_pylist()
        for reason in sorted(set(refused.values())):
            mine = [event for event in gone if refused[event["sequence"]] == reason]
            self._letters.keep(sensor, reason, mine)

    def _ensure(self, index: str) -> None:
        """Make an index before the first event goes there, and see that it is one of ours."""
        if index in self._ready:
            return
        self._indices.create(index)
        version = self._indices.require_ours(index)
        if version < VERSION:
            self._indices.update(index)
        self._ready.add(index)

    def _send(self, sensor: str, index: str, events: pa.Table) -> Outcome:
        """Send events to one index until each is stored, known or refused."""
        outcome = Outcome()
        end, pause, updated = time.monotonic() + PATIENCE, FIRST_PAUSE, False
        while events.num_rows:
            body = bulk(sensor, events)
            with self.pace.slot():
                answer = self._client.ask(
                    "POST", f"/{index}/_bulk", body, params=BULK,
                    seconds=WRITE_SECONDS, fine=(200, 404, 413, 429, 503),
                )  # fmt: skip
            self._freshness.written(index)
            if answer.status == 200 and b'"errors":false' in answer.body[:64]:
                self.pace.faster()
                outcome.stored += events.num_rows
                return outcome
            if answer.status == 413 and events.num_rows > 1:
                return self._halves(sensor, index, events, outcome)
            again, why = self._sorted(answer.status, answer.data, outcome, index)
            if again is not None:
                events = events.filter(pc.is_in(events["sequence"], pa.array(again, pa.int64())))
            if not events.num_rows:
                break
            if why[1] == STRICT:
                if updated:
                    raise told(self._client.shown, *why)
                self._indices.update(index)
                updated = True
                continue
            self.pace.slower()
            if time.monotonic() + pause > end:
                raise told(self._client.shown, *why)
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that not all come at once
            pause = min(pause * 2, LONGEST_PAUSE)
        return outcome

    def _halves(self, sensor: str, index: str, events: pa.Table, outcome: Outcome) -> Outcome:
        self.pace.slower()
        half = events.num_rows // 2
        for part in (events.slice(0, half), events.slice(half)):
            outcome.add(self._send(sensor, index, part))
        return outcome

    def _sorted(
        self, status: int, data: Any, outcome: Outcome, index: str
    ) -> tuple[list[int] | None, Why]:
        """Count what is done; give the sequences to send again, None for all, and why."""
        if status != 200 or not isinstance(data, dict):
            why = (status, *reason_of(data))
            if status in {200, 413}:
                raise told(self._client.shown, *why)
            if status == 404:
                self._again(index)
            return None, why
        again: list[int] = []
        reasons: list[Why] = []
        for item in data["items"]:
            found = item["create"]
            if (fault := _count(found, outcome)) is not None:
                strict = fault[1] == STRICT
                if (fault[0] not in {404, 429} and fault[0] < 500 and not strict) or (
                    fault[1] == BLOCKED
                ):
                    raise told(self._client.shown, *fault)
                reasons.append(fault)
                again.append(sequence_of(found["_id"]))
        if any(why[0] == 404 for why in reasons):
            self._again(index)
        strictly = [why for why in reasons if why[1] == STRICT]
        return again, (strictly or reasons or [(503, "", "")])[-1]

    def _again(self, index: str) -> None:
        """Make an index that went away."""
        self._ready.discard(index)
        self._ensure(index)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def _count(item: dict[str, Any], outcome: Outcome) -> Why | None:
    """Count an item of an answer; why it is not done, None where it is."""
    code = item["status"]
    if code == 201:
        outcome.stored += 1
        return None
    if code == 409:
        outcome.known.append(sequence_of(item["_id"]))
        return None
    error = item.get("error", {})
    kind, text = str(error.get("type", "")), short(str(error.get("reason", "")))
    if code == 400 and (kind in BAD_DOCUMENT or (kind == ILLEGAL and TOO_LONG in text)):
        outcome.refused[sequence_of(item["_id"])] = f"{kind}: {text}"
        return None
    return code, kind, text


def _even(rows: int, most: int) -> int:
    """The size of parts of about the same size, none larger than `most`."""
    parts = max(1, -(-rows // most))
    return max(1, -(-rows // parts))
