"""Pages that are built while somebody waits: few at once, each once, and none in a queue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Built = TypeVar("Built")

MOST_AT_ONCE = 4


class Builds(Generic[Built]):
    """Builds in threads of its own.

    Whoever waits may leave before a build is done. So nothing is kept for later: what is not begun
    at once is not begun. The end of the process waits for none of the threads.
    """

    def __init__(self, most: int = MOST_AT_ONCE) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Future[Built]] = {}
        self._ended = False

    def begin(self, key: Hashable, build: Callable[[], Built]) -> Future[Built] | None:
        """Begin a build, or join the same one; None where too many others are under way."""
        with self._lock:
            found = self._under_way.get(key)
            if found is not None:
                return found
            if self._ended or len(self._under_way) >= self._most:
                return None
            building = self._under_way[key] = Future()
        try:
            threading.Thread(
                target=self._run, args=(key, build, building), name="page", daemon=True
            ).start()
        except RuntimeError:  # the machine has no thread left
            with self._lock:
                del self._under_way[key]
            return None
        return building

    def end(self) -> None:
        """Begin nothing any more."""
        with self._lock:
            self._ended = True

    def _run(self, key: Hashable, build: Callable[[], Built], building: Future[Built]) -> None:
        try:
            built = build()
        except BaseException as fault:  # it is raised where somebody waits
            self._done(key)
            building.set_exception(fault)
        else:
            self._done(key)
            building.set_result(built)

    def _done(self, key: Hashable) -> None:
        """Make room, before anybody knows of what is built."""
        with self._lock:
            del self._under_way[key]
