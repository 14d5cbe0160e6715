"""What is too old or too much: whole days, taken by one service at a time."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from mlplugin.store.elastic.client import ADMIN_SECONDS, COUNT_SECONDS, WRITE_SECONDS, Client
from mlplugin.store.elastic.faults import StoreBlockedError
from mlplugin.store.elastic.template import Indices
from mlplugin.store.port import Size, StoreBusyError

LEASE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Held:
    """An index of events: what it holds, and when its day or year is over."""

    name: str
    end: datetime
    rows: int
    bytes: int


class Lease:
    """A job that one service does at a time, by a document that says who, and changes each time.

    No time of day is compared with another's, whose clock may be wrong: the lease of another is
    over when its document was seen not to change for `LEASE_SECONDS`.
    """

    def __init__(
        self,
        client: Client,
        indices: Indices,
        job: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._path = f"/{indices.state}/_doc/lease-{job}"
        self._job = job
        self._clock = clock
        self._holder = uuid.uuid4().hex
        self._until = -math.inf
        self._seen: tuple[int, int] | None = None
        self._seen_at = 0.0

    def take(self) -> bool:
        """Hold it for `LEASE_SECONDS` from now on; False where another one does.

        Raises StoreBlockedError where nothing can be written.
        """
        if self._clock() < self._until - LEASE_SECONDS / 2:
            return True
        answer = self._client.ask("GET", self._path, fine=(200, 404))
        params = {"op_type": "create"}
        data = answer.data
        if answer.status == 200 and isinstance(data, dict):
            holder = data["_source"]["content"]["holder"]
            if holder != self._holder and not self._over((data["_primary_term"], data["_seq_no"])):
                return False
            params = {
                "if_seq_no": str(data["_seq_no"]),
                "if_primary_term": str(data["_primary_term"]),
            }
        return self._write(params)

    def _over(self, version: tuple[int, int]) -> bool:
        """Whether the document of another was in this version for as long as a lease lasts."""
        if version != self._seen:
            self._seen, self._seen_at = version, self._clock()
        return self._clock() - self._seen_at >= LEASE_SECONDS

    def _write(self, params: dict[str, str]) -> bool:
        until = self._clock() + LEASE_SECONDS  # before others can see it
        body = {"kind": "lease", "name": self._job, "content": {"holder": self._holder}}
        answer = self._client.ask(
            "PUT", self._path, body, params=params, seconds=WRITE_SECONDS, fine=(200, 201, 409)
        )
        if answer.status == 409:
            return False
        self._until = until
        return True

    def release(self) -> None:
        """Let another one have it at once."""
        if self._clock() >= self._until:
            return
        self._until = -math.inf
        answer = self._client.ask("GET", self._path, fine=(200, 404))
        data = answer.data
        if answer.status == 200 and data["_source"]["content"]["holder"] == self._holder:
            version = {
                "if_seq_no": str(data["_seq_no"]),
                "if_primary_term": str(data["_primary_term"]),
            }
            with suppress(StoreBlockedError):  # it ends by itself
                self._client.ask("DELETE", self._path, params=version, fine=(200, 404, 409))


class Upkeep:
    """Sizes, and the taking away of whole indices."""

    def __init__(self, client: Client, indices: Indices) -> None:
        self._client = client
        self._indices = indices
        self.lease = Lease(client, indices, "retention")

    def held(self) -> list[Held]:
        """Give the indices of events, the oldest first."""
        answer = self._client.get(
            "GET", f"/{self._indices.events}/_stats/docs,store", seconds=COUNT_SECONDS
        )
        found = []
        for name, content in answer.get("indices", {}).items():
            end = self._indices.end_of(name)
            if end is None:
                continue
            rows = content["primaries"]["docs"]["count"]
            size = content["total"]["store"]["size_in_bytes"]
            found.append(Held(name, end, rows, size))
        return sorted(found, key=lambda one: (one.end, one.name))

    def size(self) -> Size:
        """Measure, copies included."""
        held = self.held()
        return Size(sum(one.bytes for one in held), sum(one.rows for one in held))

    def trim(self, before: datetime | None, most_bytes: int | None) -> int:
        """Take away the oldest index that is too old or too much; its events, 0 if none."""
        if not self._surplus(before, most_bytes):
            self.lease.release()
            return 0
        if not self._mine():
            raise StoreBusyError(f"store {self._client.shown}: another service trims it just now")
        for one in self._surplus(before, most_bytes):  # as it is now that nobody else takes any
            self._client.ask("DELETE", f"/{one.name}", seconds=ADMIN_SECONDS, fine=(200, 404))
            if one.rows:
                return one.rows
        return 0

    def _mine(self) -> bool:
        """Whether this service may take indices away.

        A full disk takes no lease. All may then: an index that is gone is none's fault, and room
        is made only so.
        """
        try:
            return self.lease.take()
        except StoreBlockedError:
            return True

    def _surplus(self, before: datetime | None, most_bytes: int | None) -> list[Held]:
        """Give the indices that are too old or, where none is, that are too much."""
        if before is None and most_bytes is None:
            return []
        held = self.held()
        old = [one for one in held if before is not None and one.end <= before]
        if old or most_bytes is None:
            return old
        much = sum(one.bytes for one in held) - most_bytes
        found = []
        for one in held[:-1]:  # the newest is written to
            if much <= 0:
                break
            found.append(one)
            much -= one.bytes
        return found
