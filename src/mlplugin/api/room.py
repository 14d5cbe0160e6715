"""How many threads of the server each kind of work may keep, so that some are left for sensors."""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable
from enum import Enum

from flask import Response

from mlplugin.api.problems import problem

# Where an application keeps its room: the server says there how many threads it has.
ROOM = "mlplugin.room"
THREADS = 8
# So many threads are kept from all of these, or half of them where there are few. What waits for
# room keeps a thread as well: one is left beside those that wait.
LEFT = 2
WAIT_SECONDS = 0.5
RETRY_SECONDS = 5


class Kind(Enum):
    """What keeps a thread for longer than a moment."""

    PAGES = "parts of pages"
    # Whoever takes an answer slowly, or stops, keeps a thread of the server as long.
    FILES = "exports"
    # Asked for while names are still read: in one bound with them, each of two who look back
    # would wait for the other.
    ASKERS = "lists of who asked"
    FOLLOWERS = "followers of jobs"
    # A registry may take its time.
    REGISTRIES = "questions to registries"


class Room:
    """Counts what is under way of each kind."""

    def __init__(self, threads: int = THREADS) -> None:
        self._changed = threading.Condition()
        self._taken: Counter[Kind] = Counter()
        self._waiting = 0
        self.resize(threads)

    def resize(self, threads: int) -> None:
        """Take how many threads the server has."""
        with self._changed:
            self._threads, self._all = threads, threads - min(LEFT, threads // 2)
            self._most = {
                Kind.PAGES: max(5 * threads // 8, 1),
                Kind.FILES: 2,
                Kind.ASKERS: 1,
                Kind.REGISTRIES: min(2, max(threads - LEFT, 1)),
                # each lasts as long as its job, maybe an hour
                Kind.FOLLOWERS: min(3, max(threads - LEFT, 0)),
            }

    def take(self, kind: Kind) -> bool:
        """Take a thread's room, which `give` gives back; False where none comes free soon."""
        with self._changed:
            if not self._has(kind) and not self._waited(kind):
                return False
            self._taken[kind] += 1
            return True

    def give(self, kind: Kind) -> None:
        """Give it back."""
        with self._changed:
            self._taken[kind] -= 1
            self._changed.notify_all()

    def streamed(
        self, kind: Kind, begin: Callable[[], Response], instead: str = "wait for one to end"
    ) -> Response:
        """Give an answer that has its room until it is sent or given up; 429 where there is none.

        Args:
            kind: of the answer.
            begin: makes it; a fault of that is still told by the status.
            instead: what else to do, where there is no room.
        """
        if not self.take(kind):
            most = f"{self._most[kind]} at once with --threads {self._threads}"
            why = f"there is no room for more {kind.value} just now ({most}): {instead}"
            return problem(429, why, headers={"Retry-After": str(RETRY_SECONDS)})
        try:
            answer = begin()
        except BaseException:
            self.give(kind)
            raise
        answer.call_on_close(functools.partial(self.give, kind))
        return answer

    def _waited(self, kind: Kind) -> bool:
        """Wait for room where a thread is left for that; the caller holds the lock."""
        if self._taken.total() + self._waiting >= self._threads - 1:
            return False
        self._waiting += 1
        try:
            return self._changed.wait_for(lambda: self._has(kind), WAIT_SECONDS)
        finally:
            self._waiting -= 1

    def _has(self, kind: Kind) -> bool:
        return self._taken[kind] < self._most[kind] and self._taken.total() < self._all
