"""What several people look at is asked once: answers are shared for a few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mlplugin.errors import StoreError

Value = TypeVar("Value")

FRESH_SECONDS = 4.0
MOST_KEPT = 256
# What took long is kept longer: asking again takes at most this part of the time.
LARGEST_PART = 0.1
# How many questions to the store run at once: its cores are left for sensors and programs.
MOST_AT_ONCE = 3


@dataclass
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float = float("-inf")
    took: float = 0.0
    fresh: float = 0.0
    value: Any = None

    def stale(self, now: float) -> bool:
        return now - self.at >= self.fresh


class Shared:
    """Keeps answers; of those who ask the same at the same time one asks, the others wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Hashable, _Kept] = {}
        self._askers = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="asker")
        self._ended = False
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)

    def get(
        self, key: Hashable, ask: Callable[[], Value], fresh_seconds: float = FRESH_SECONDS
    ) -> Value:
        """Give the answer for a key; what `ask` raises is not kept."""
        with self._lock:
            self._forget()
            kept = self._kept.setdefault(key, _Kept())
        with kept.lock:
            if kept.stale(self._clock()):
                with self._room:
                    began = self._clock()
                    kept.value = ask()
                kept.at = self._clock()
                kept.took = kept.at - began
                kept.fresh = max(fresh_seconds, kept.took / LARGEST_PART)
            value: Value = kept.value
            return value

    def forget(self, key: Hashable) -> None:
        """Have the next who asks for a key not get what is kept."""
        with self._lock:
            self._kept.pop(key, None)

    def begin(self, key: Hashable, ask: Callable[[], Value]) -> Future[Value]:
        """Ask for what `get` gives, and go on meanwhile; `cancel` what nobody waits for."""
        with self._lock:
            if not self._ended:
                return self._askers.submit(self.get, key, ask)
        refused: Future[Value] = Future()
        refused.set_exception(StoreError("the service is ending"))
        return refused

    def end(self) -> None:
        """Begin nothing any more, and drop what has not begun."""
        with self._lock:
            self._ended = True
        self._askers.shutdown(wait=False, cancel_futures=True)

    def _forget(self) -> None:
        """Drop what is old, but nothing that is asked just now. The caller holds the lock."""
        now = self._clock()
        gone = [key for key, kept in self._kept.items() if kept.stale(now)]
        if len(self._kept) - len(gone) >= MOST_KEPT:
            gone = sorted(self._kept, key=lambda key: self._kept[key].at)[: MOST_KEPT // 2]
        for key in gone:
            if not self._kept[key].lock.locked():
                del self._kept[key]
