"""A cluster that hangs is left alone for a while: who waits for it answers nobody."""

from __future__ import annotations

import threading
import time

from mlplugin.store.port import StoreUnavailableError

# How long what did not answer in time is left alone.
HANG_SECONDS = 3.0


class Breaker:
    """One for each kind of request that can hang by itself; any number of threads may use it.

    Args:
        shown: whom it guards, for people.
        nodes: how many must have failed to answer, one after another, before it trips.
    """

    def __init__(self, shown: str, nodes: int) -> None:
        self._shown = shown
        self._nodes = nodes
        self._lock = threading.Lock()
        self._late = 0
        self._until = 0.0

    def enter(self, seconds: float) -> None:
        """Let one request in a while find out whether it still hangs.

        Raises StoreUnavailableError for the others at once.
        """
        with self._lock:
            now = time.monotonic()
            if now < self._until:
                raise StoreUnavailableError(
                    f"store {self._shown} hangs: it is asked again every {HANG_SECONDS:g} s"
                )
            if self._until:
                self._until = now + max(HANG_SECONDS, seconds)

    def answered(self) -> None:
        """Something came back, be it a refusal."""
        with self._lock:
            self._late, self._until = 0, 0.0

    def late(self, nodes: int = 1) -> None:
        """So many nodes did not answer in time."""
        with self._lock:
            self._late += nodes
            if self._late >= self._nodes:
                self._until = time.monotonic() + HANG_SECONDS
