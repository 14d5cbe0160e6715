"""What was written becomes searchable: at most one request a second, however many read."""

from __future__ import annotations

import logging
import math
import threading
import time

from mlplugin.errors import StoreError
from mlplugin.store.elastic.client import READ_SECONDS, Client

LOG = logging.getLogger(__name__)
# A reader may miss what was written in this time: each refresh costs the cluster a segment.
SECONDS = 1.0


class Freshness:
    """Knows which indices were written here; any number of threads may use it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._written: set[str] = set()
        self._turn = threading.Lock()
        self._at = -math.inf

    def written(self, index: str) -> None:
        """Note that something was written to an index."""
        with self._lock:
            self._written.add(index)

    def refresh(self, *others: str, at_once: bool = False, seconds: float = READ_SECONDS) -> None:
        """Let searches see what was written here, and in `others`, whoever wrote there.

        Where that fails they see it later: the engine does it by itself. Nothing is done within
        a second of the last time, unless `at_once`; `seconds` is how long it may take.
        """
        with self._turn:  # who waits here sees what the one before brings
            if not at_once and time.monotonic() - self._at < SECONDS:
                return
            with self._lock:
                written, self._written = self._written, set()
            names = written | set(others)
            if not names:
                return
            try:
                self._ask(names, seconds)
            except StoreError as fault:
                LOG.debug("%s", fault)
                with self._lock:
                    self._written |= written
            self._at = time.monotonic()

    def _ask(self, names: set[str], seconds: float) -> None:
        self._client.ask(
            "POST", f"/{','.join(sorted(names))}/_refresh",
            params={"ignore_unavailable": "true", "allow_no_indices": "true"},
            seconds=seconds, fine=(200, 404),
        )  # fmt: skip
