"""The past judged again: what a policy and a model would have made of the names of the history.

Every name is judged once. Of those with which it would have been otherwise, it is found who asked
for them. What a name's answers decided at the time, an alias or an address, is left as it was.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlplugin.service.past import LISTED, Past
from mlplugin.service.rules import MALICIOUS, Judged, Rules
from mlplugin.service.times import rfc3339
from mlplugin.store.past import MOST_ASKED

# In the order in which one of them names a row.
NEWLY_BLOCKED, NO_LONGER_BLOCKED = "newly_blocked", "no_longer_blocked"
NEWLY_FLAGGED, NO_LONGER_FLAGGED = "newly_flagged", "no_longer_flagged"
KINDS = (NEWLY_BLOCKED, NO_LONGER_BLOCKED, NEWLY_FLAGGED, NO_LONGER_FLAGGED)
NOW_MALICIOUS = "now_malicious"
NOW_KINDS = (NOW_MALICIOUS,)
# Of those who asked for a name, and of all clients, so many are listed.
ASKED_BY, CLIENTS = 10, 20
# So many clients are told apart in all.
MOST_CLIENTS = 100_000
# So many pairs of a name and a client are looked at in one go: some 200 MB.
MOST_ROWS = 500_000

Numbers = NDArray[np.int64]
# How many queries would have been otherwise, by kind: of counts as columns, and judgements.
Effects = Callable[[pa.Table, Judged], dict[str, Numbers]]


def otherwise(counts: pa.Table, judged: Judged) -> dict[str, Numbers]:
    """What would be blocked or flagged, and what no longer."""
    column = {name: counts[name].to_numpy() for name in counts.schema.names if name != "first"}
    flagged, blocked = judged.level > 0, judged.blocks
    return {
        NEWLY_BLOCKED: np.where(blocked, column["queries"] - column["blocked"], 0),
        NO_LONGER_BLOCKED: np.where(~blocked, column["blocked"] - column["blocked_by_answer"], 0),
        NEWLY_FLAGGED: np.where(flagged, column["queries"] - column["flagged"], 0),
        NO_LONGER_FLAGGED: np.where(~flagged, column["flagged"] - column["flagged_by_answer"], 0),
    }


def now_malicious(counts: pa.Table, judged: Judged) -> dict[str, Numbers]:
    """What is malicious, and was not thought so."""
    queries, then = counts["queries"].to_numpy(), counts["malicious"].to_numpy()
    return {NOW_MALICIOUS: np.where(judged.level == MALICIOUS, queries - then, 0)}


def portions(names: Sequence[int], queries: Sequence[int]) -> Iterator[list[int]]:
    """Cut names so that who asked for a part of them is not too much to look at once.

    Nobody asks for a name who makes no query: a part of rare names is as long as it may be, one
    of names that a whole network asks for is short.
    """
    part: list[int] = []
    rows = 0
    for name, count in zip(names, queries, strict=True):
        most = min(count, MOST_CLIENTS)
        if part and (len(part) == MOST_ASKED or rows + most > MOST_ROWS):
            yield part
            part, rows = [], 0
        part.append(name)
        rows += most
    if part:
        yield part


@dataclass(slots=True)
class Total:
    """Of one kind."""

    queries: int = 0
    names: int = 0
    clients: int = 0


@dataclass(slots=True)
class Found:
    """What a replay found.

    Attributes:
        names: that were judged.
        queries: of them all.
        totals: by kind.
        clients: those with the most queries that would have been otherwise.
        listed: names, those with the most such queries first.
    """

    names: int = 0
    queries: int = 0
    totals: dict[str, Total] = field(default_factory=dict)
    clients: list[dict[str, Any]] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Give the object of the interface."""
        totals = {
            kind: {"queries": one.queries, "names": one.names, "clients": one.clients}
            for kind, one in self.totals.items()
        }
        return {
            "names": self.names, "queries": self.queries, "totals": totals,
            "clients": self.clients, "listed": self.listed,
        }  # fmt: skip


@dataclass(slots=True)
class Replay:
    """Judges a stretch of history again.

    Attributes:
        advance: told how many names were judged; what it raises ends the replay.
        limit: how many names are listed.
    """

    past: Past
    rules: Rules
    effects: Effects = otherwise
    limit: int = LISTED
    advance: Callable[[int], None] = lambda _: None
    _found: Found = field(default_factory=Found)
    _clients: dict[str, list[int]] = field(default_factory=dict)
    _heap: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    _kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Begin with nothing of each kind."""
        self._kinds = NOW_KINDS if self.effects is now_malicious else KINDS
        self._found.totals = {kind: Total() for kind in self._kinds}

    def run(self) -> Found:
        """Do it."""
        for batch in self.past.names():
            self._judge(batch)
            self.advance(batch.num_rows)
        return self.found()

    def found(self) -> Found:
        """Give what was found so far."""
        found = self._found
        for at, kind in enumerate(self._kinds):
            found.totals[kind].clients = sum(1 for row in self._clients.values() if row[at])
        chosen = heapq.nsmallest(
            CLIENTS, self._clients.items(), key=lambda item: (-max(item[1]), item[0])
        )
        found.clients = [
            {"client": client, **dict(zip(self._kinds, counts, strict=True))}
            for client, counts in chosen
        ]
        found.listed = [row for _, _, row in sorted(self._heap, key=lambda x: (-x[0], x[1]))]
        return found

    def _judge(self, batch: pa.RecordBatch) -> None:
        """Judge some names, and look closer at those with which it would be otherwise."""
        counts = pa.Table.from_batches([batch])
        names = batch["qname"].to_pylist()
        queries = batch["queries"].to_numpy()
        self._found.names += len(names)
        self._found.queries += int(queries.sum())
        # A list in a Corefile may have come or gone meanwhile: what it mostly said counts.
        allowed, denied = (batch[side].to_numpy() * 2 > queries for side in ("allowed", "denied"))
        judged = self.rules.judge(names, allowed, denied)
        any_effect = sum(self.effects(counts, judged).values())
        closer = np.flatnonzero((any_effect > 0) | judged.open)
        for rows in portions(closer.tolist(), queries[closer].tolist()):
            self._look_closer({names[row]: row for row in rows}, judged)

    def _look_closer(self, rows: dict[str, int], judged: Judged) -> None:
        """Find who asked for some names, and what would have been otherwise for whom."""
        batches = list(self.past.askers(list(rows)))
        if not batches:
            return
        asked = pa.Table.from_batches(batches).sort_by([("qname", "ascending")])
        names, clients = asked["qname"].to_pylist(), asked["client"].to_pylist()
        theirs = judged.take([rows[name] for name in names])
        theirs = self.rules.for_clients(theirs, names, clients)
        effects = self.effects(asked, theirs)
        columns = [effects[kind].tolist() for kind in self._kinds]
        self._tally(clients, columns)
        times = [asked[end].to_pylist() for end in ("first", "last")]
        at = 0
        for name, group in itertools.groupby(names):
            end = at + len(list(group))
            sums = [sum(column[at:end]) for column in columns]
            if any(sums):
                self._name(name, sums, theirs, slice(at, end), (clients, columns, times))
            at = end

    def _tally(self, clients: list[str], columns: list[list[int]]) -> None:
        for client, *counts in zip(clients, *columns, strict=True):
            if not any(counts):
                continue
            known = self._clients.get(client)
            if known is None:
                if len(self._clients) >= MOST_CLIENTS:
                    continue
                known = self._clients[client] = [0] * len(counts)
            for at, count in enumerate(counts):
                known[at] += count

    def _name(
        self,
        name: str,
        sums: list[int],
        judged: Judged,
        rows: slice,
        asked: tuple[list[str], list[list[int]], list[list[datetime]]],
    ) -> None:
        """Count a name, and keep it where it is among those to be listed."""
        for kind, count in zip(self._kinds, sums, strict=True):
            total = self._found.totals[kind]
            total.queries += count
            total.names += 1 if count else 0
        at = next(number for number, count in enumerate(sums) if count)
        worth = (sums[at], name)
        if len(self._heap) >= self.limit and worth[0] <= self._heap[0][0]:
            return
        clients, columns, (firsts, lasts) = asked
        theirs = [row for row in range(rows.start, rows.stop) if columns[at][row]]
        theirs.sort(key=lambda row: (-columns[at][row], clients[row]))
        row = {
            "qname": name,
            "change": self._kinds[at],
            **judged.told(theirs[0]),
            "queries": sums[at],
            "clients": len(theirs),
            "first": rfc3339(min(firsts[one] for one in theirs)),
            "last": rfc3339(max(lasts[one] for one in theirs)),
            "asked_by": [
                {
                    "client": clients[one],
                    "queries": columns[at][one],
                    "first": rfc3339(firsts[one]),
                    "last": rfc3339(lasts[one]),
                }
                for one in theirs[:ASKED_BY]
            ],
        }
        push = heapq.heappush if len(self._heap) < self.limit else heapq.heappushpop
        push(self._heap, (*worth, row))
