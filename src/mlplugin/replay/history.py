"""What the service has of a run: how many events, and which names were flagged."""

from __future__ import annotations

import contextlib
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mlplugin.errors import PortError
from mlplugin.verdict import Level

Get = Callable[[str, dict[str, str]], Any]

FLAGGED = (Level.MALICIOUS, Level.SUSPICIOUS)
PAGE = 1000
MOST_ROWS = 200_000
POLL_SECONDS = 0.2
# The plugin sends what it has within a second or two; after this long nothing more will come.
SETTLED_SECONDS = 8.0


@dataclass
class Flagged:
    """One name that was flagged in a run, with the strongest verdict on it."""

    qname: str
    verdict: str
    threat: str | None
    score: float
    reason: str
    count: int = 0
    clients: set[str] = field(default_factory=set)

    def row(self) -> dict[str, Any]:
        """The columns that are shown."""
        return {
            "qname": self.qname,
            "verdict": self.verdict,
            "threat": self.threat,
            "score": self.score,
            "count": self.count,
            "clients": len(self.clients),
            "reason": self.reason,
        }


def rfc3339(moment: float) -> str:
    """Write seconds since 1970 as the API takes times, in UTC with microseconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class History:
    """The history that a service keeps, from `since` on (seconds since 1970).

    `get` asks the service: a path and a query, and the JSON of the answer. It raises PortError
    or StoreError where that fails, and every method here lets them through.
    """

    def __init__(self, get: Get, since: float) -> None:
        self._get = get
        self._since = rfc3339(since)

    def count(self) -> int:
        """How many queries it has."""
        return int(self._get("/api/v1/stats", {"since": self._since})["queries"])

    def wait_for(self, count: int, patience: float, report: Callable[[int], None]) -> int:
        """Wait until `count` queries are there, or no more come, and give how many there are.

        `patience` is the longest wait in seconds.
        """
        end = time.monotonic() + patience
        found, grown = self.count(), time.monotonic()
        while found < count and time.monotonic() < min(end, grown + SETTLED_SECONDS):
            time.sleep(POLL_SECONDS)
            now_there = self.count()
            if now_there > found:
                found, grown = now_there, time.monotonic()
            report(found)
        return found

    def flagged(self) -> list[Flagged]:
        """The flagged names, worst first: by verdict, score, and how often they were asked for."""
        names: dict[str, Flagged] = {}
        for level in FLAGGED:
            for row in self.rows({"verdict": str(level)}):
                known = names.get(row["qname"])
                if known is None:
                    known = names[row["qname"]] = Flagged(
                        row["qname"],
                        row["verdict"],
                        row.get("threat"),
                        float(row.get("score") or 0.0),
                        row.get("reason") or "",
                    )
                known.count += 1
                known.clients.add(row["client"])
        worst = {str(level): rank for rank, level in enumerate(FLAGGED)}
        return sorted(
            names.values(), key=lambda name: (worst[name.verdict], -name.score, -name.count)
        )

    def rows(self, filters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Every stored query that fits the API's filters, page by page, up to MOST_ROWS."""
        given = 0
        query = {"since": self._since, **filters, "limit": str(PAGE)}
        while given < MOST_ROWS:
            page = self._get("/api/v1/queries", query)
            yield from page["queries"]
            given += len(page["queries"])
            if not page.get("next"):
                return
            query["cursor"] = page["next"]


def check_url(url: str) -> str:
    """Give the URL of a service if it is one. Raises PortError."""
    with contextlib.suppress(ValueError):  # of brackets that are not closed
        parts = urllib.parse.urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname:
            return url
    raise PortError(f"{url!r} is no URL of a service: write http://127.0.0.1:5000")
