"""Keeps the history within its bounds, in small steps in a thread of its own.

Decisions that have expired go as well; the record of decisions tells of them for good.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlplugin.errors import StoreError
from mlplugin.store.port import Store, StoreBusyError

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 60.0
# Between two steps others get their turn.
STEP_SECONDS = 0.05
# How long people may still look at a decision that has expired.
EXPIRED_KEPT = timedelta(days=1)
WHO = "retention"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How old (days) and how large (bytes of the store) the history may be; None: no bound."""

    days: float | None = None
    most_bytes: int | None = None


class Retention:
    """Trims the store until it is within the bounds, again and again."""

    def __init__(self, store: Store, bounds: Bounds, look_seconds: float = LOOK_SECONDS) -> None:
        self._store = store
        self._bounds = bounds
        self._look_seconds = look_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, after the step that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def step(self) -> int:
        """Take one step; the number of events taken away, 0 where all is within the bounds."""
        before = None
        if self._bounds.days is not None:
            before = datetime.now(UTC) - timedelta(days=self._bounds.days)
        return self._store.trim(before, self._bounds.most_bytes)

    def _step(self) -> int:
        """Take one step if it can be taken now; decisions do not wait for it."""
        try:
            return self.step()
        except StoreBusyError as fault:
            LOG.debug("retention: %s", fault)
            return 0

    def drop_expired(self) -> int:
        """Delete the decisions that expired a day ago or earlier; how many."""
        now = datetime.now(UTC)
        return self._store.drop_expired(now - EXPIRED_KEPT, now, WHO)

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            pause = self._look_seconds
            try:
                if taken := self._step():
                    LOG.info("retention: %d events taken away", taken)
                    pause = STEP_SECONDS
                elif gone := self.drop_expired():
                    LOG.info("retention: %d expired decisions taken away", gone)
            except StoreError as fault:
                LOG.warning("retention: %s", fault)
            except Exception:  # without this thread a disk fills up, and nobody is told
                LOG.exception("retention failed, and is tried again")
