"""Threads that end: servers, and jobs that run at the same time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any


@contextlib.contextmanager
def running(run: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """Run something in a thread, and stop it for sure."""
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(30)
        assert not thread.is_alive()


def ended(threads: Iterable[threading.Thread], seconds: float = 120.0) -> None:
    """Wait for threads to end; one that does not fails the test."""
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
        assert not thread.is_alive(), f"{thread.name} did not end within {seconds:.0f} s"


def together(*jobs: Callable[[], Any], seconds: float = 120.0) -> list[Any]:
    """What jobs give that begin at the same time; an exception in place of what it broke off."""
    found: list[Any] = [None] * len(jobs)
    start = threading.Barrier(len(jobs))

    def run(place: int) -> None:
        start.wait(seconds)
        try:
            found[place] = jobs[place]()
        except Exception as fault:
            found[place] = fault

    threads = [
        threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(jobs))
    ]
    for thread in threads:
        thread.start()
    ended(threads, seconds)
    return found
