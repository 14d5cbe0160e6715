"""What is known of each sensor: the sequences that were taken, and its counters by run.

One document a sensor, changed under optimistic concurrency: any number of services may take
events of one sensor. The sequences in it outlive the events that retention takes away.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlplugin.store.elastic.client import WRITE_SECONDS, Client
from mlplugin.store.elastic.freshness import Freshness
from mlplugin.store.elastic.template import Indices
from mlplugin.store.port import Counters, Sensor, StoreUnavailableError
from mlplugin.store.sequences import Intervals, Numbers

KIND = "sensor"
REJECTED = "rejected"
TRIES = 50
PAGE = 1000
# What makes a document large: of more gaps or runs the oldest are summed up.
MOST_INTERVALS = 4000
MOST_RUNS = 200


@dataclass(frozen=True, slots=True)
class Taken:
    """Sequences that a store has dealt with, each once.

    Attributes:
        known: those that it had before.
        refused: those that it will never have.
    """

    numbers: Numbers
    known: list[int]
    refused: list[int]


@dataclass
class _Known:
    """A sensor's document, as it was read last.

    Attributes:
        floor: up to here sequences are in no interval any more, but in `summed`.
        summed: how many sequences were taken up to the floor.
        rejected: how many of all taken are no events of the store.
        runs: counters by the start of the run.
        version: `_seq_no` and `_primary_term`, None where there is no document.
    """

    intervals: Intervals = field(default_factory=Intervals.empty)
    floor: int = -1
    summed: int = 0
    rejected: int = 0
    runs: dict[int, Counters] = field(default_factory=dict)
    version: tuple[int, int] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def stored(self) -> int:
        return len(self.intervals) + self.summed - self.rejected

    def empty(self) -> None:
        """Know nothing, as of a document that is not there."""
        self.intervals, self.runs = Intervals.empty(), {}
        self.floor, self.summed, self.rejected = -1, 0, 0

    def fill(self, content: dict[str, Any]) -> None:
        """Take the content of a document."""
        self.intervals = Intervals(
            np.array(content["first"], np.int64), np.array(content["last"], np.int64)
        )
        self.floor, self.summed = content.get("floor", -1), content["summed"]
        self.rejected = content["rejected"]
        self.runs = {
            started: Counters(started, served, dropped)
            for started, served, dropped in content["runs"]
        }

    def content(self) -> dict[str, Any]:
        """Give the content for a document."""
        return {
            "first": self.intervals.first.tolist(),
            "last": self.intervals.last.tolist(),
            "floor": self.floor,
            "summed": self.summed,
            "rejected": self.rejected,
            "runs": [[c.started, c.served, dict(c.dropped)] for c in self.runs.values()],
        }

    def take(self, taken: Taken, counters: Counters | None) -> bool:
        """Add sequences and counters; whether that changed anything."""
        numbers = taken.numbers
        under = numbers <= self.floor
        changed = bool(under.any()) and self._take_late(numbers[under], taken)
        numbers = numbers[~under]
        if len(numbers) and (growth := self.intervals.growth(numbers)) is not None:
            new = numbers if growth.rows is None else numbers[growth.rows]
            self.intervals.grow(growth)
            self.rejected += int(np.isin(new, taken.refused).sum()) if taken.refused else 0
            changed = True
        if counters is not None:
            found = self.runs.get(counters.started)
            first = min(self.runs, default=0)
            late = len(self.runs) >= MOST_RUNS and counters.started < first
            if not late and (found is None or counters.served >= found.served):
                changed |= found != counters
                self.runs[counters.started] = counters
        self._shorten()
        return changed

    def _take_late(self, numbers: Numbers, taken: Taken) -> bool:
        """Count those that no interval tells of: only what the store had not yet is new."""
        new = len(numbers) - int(np.isin(numbers, taken.known + taken.refused).sum())
        self.summed += new
        return new > 0

    def _shorten(self) -> None:
        over = len(self.intervals.first) - MOST_INTERVALS
        if over > 0:
            first, last = self.intervals.first, self.intervals.last
            self.summed += int((last[:over] - first[:over] + 1).sum())
            self.floor = int(last[over - 1])
            self.intervals = Intervals(first[over:], last[over:])
        while len(self.runs) > MOST_RUNS:
            one, two = sorted(self.runs)[:2]
            gone, kept = self.runs.pop(one), self.runs[two]
            self.runs[two] = Counters(two, gone.served + kept.served, summed(gone, kept))


def summed(*all_of_them: Counters) -> dict[str, int]:
    """Sum up what was dropped, by reason."""
    total: dict[str, int] = {}
    for counters in all_of_them:
        for reason, count in counters.dropped.items():
            total[reason] = total.get(reason, 0) + count
    return total


class Sensors:
    """All of them; any number of threads may use it."""

    def __init__(self, client: Client, indices: Indices, freshness: Freshness) -> None:
        self._client = client
        self._index = indices.state
        self._freshness = freshness
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def _of(self, sensor: str) -> _Known:
        with self._lock:
            return self._known.setdefault(sensor, _Known())

    def _path(self, sensor: str) -> str:
        return f"/{self._index}/_doc/{KIND}-{hashlib.sha256(sensor.encode()).hexdigest()[:32]}"

    def new(self, sensor: str, numbers: Numbers) -> Numbers | None:
        """Give the places in a batch of what is not known to be taken, None where all of it is.

        What another service took meanwhile is found out when it is written.
        """
        known = self._of(sensor)
        with known.lock:
            if known.version is None:
                self._read(sensor, known)
            growth = known.intervals.growth(numbers)
        if growth is None:
            return None
        return np.arange(len(numbers)) if growth.rows is None else growth.rows

    def _read(self, sensor: str, known: _Known) -> None:
        answer = self._client.ask("GET", self._path(sensor), seconds=WRITE_SECONDS, fine=(200, 404))
        data = answer.data
        if answer.status == 200 and isinstance(data, dict):
            known.fill(data["_source"]["content"])
            known.version = data["_seq_no"], data["_primary_term"]
        else:
            known.version = None

    def take(self, sensor: str, taken: Taken, counters: Counters | None) -> None:
        """Write down that sequences were taken, and counters."""
        known = self._of(sensor)
        with known.lock:
            for _ in range(TRIES):
                if not known.take(taken, counters) and known.version is not None:
                    return
                if self._write(sensor, known):
                    return
                known.empty()
                self._read(sensor, known)
        raise StoreUnavailableError(
            f"store {self._client.shown}: too many services write for the sensor {sensor!r}"
        )

    def _write(self, sensor: str, known: _Known) -> bool:
        """Write a document if nobody else did meanwhile; whether it was written."""
        body = {"kind": KIND, "name": sensor, "stored": known.stored, "content": known.content()}
        if known.version is None:
            params = {"op_type": "create"}
        else:
            number, term = known.version
            params = {"if_seq_no": str(number), "if_primary_term": str(term)}
        try:
            answer = self._client.ask(
                "PUT", self._path(sensor), body, params=params, seconds=WRITE_SECONDS,
                fine=(200, 201, 409),
            )  # fmt: skip
        except BaseException:
            self.forget(sensor)  # whatever came of it, the cluster knows
            raise
        if answer.status == 409:
            return False
        known.version = answer.data["_seq_no"], answer.data["_primary_term"]
        self._freshness.written(self._index)
        return True

    def forget(self, sensor: str) -> None:
        """Read the sensor's document anew the next time."""
        with self._lock:
            self._known.pop(sensor, None)

    def documents(self) -> list[tuple[str, int, int, list[Counters]]]:
        """Give name, stored, rejected and counters of every sensor, by name."""
        self._freshness.refresh(self._index)  # others write to it as well, and it is small
        found: list[tuple[str, int, int, list[Counters]]] = []
        body: dict[str, Any] = {
            "size": PAGE,
            "sort": [{"name": "asc"}],
            "query": {"term": {"kind": KIND}},
            "_source": ["name", "stored", "content.rejected", "content.runs"],
        }
        while True:
            hits = self._client.search(self._index, body)["hits"]["hits"]
            for hit in hits:
                source = hit["_source"]
                runs = [Counters(*run) for run in source["content"]["runs"]]
                found.append(
                    (source["name"], source["stored"], source["content"]["rejected"], runs)
                )
            if len(hits) < PAGE:
                return found
            body["search_after"] = hits[-1]["sort"]

    def runs(self) -> list[tuple[str, Counters]]:
        """Give the newest counters of every run of every sensor."""
        return [(name, run) for name, _, _, runs in self.documents() for run in runs]

    def all(self) -> list[Sensor]:
        """Give every sensor; events that the store refused count as dropped."""
        found = []
        for name, stored, rejected, runs in self.documents():
            dropped = summed(*runs)
            if rejected:
                dropped[REJECTED] = dropped.get(REJECTED, 0) + rejected
            found.append(Sensor(name, stored, sum(run.served for run in runs), dropped))
        return found
