"""Pages that are built while somebody waits: bounded, shared, and never queued."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import wait

import pytest

from mlplugin.dashboard.builds import Builds
from mlplugin.dashboard.shared import MOST_AT_ONCE, Shared
from mlplugin.errors import StoreError

PATIENCE = 60
# A build that is never done, and a process that ends.
ABANDONED = """
import threading
from mlplugin.dashboard.builds import Builds
begun = threading.Event()
Builds().begin("a", lambda: (begun.set(), threading.Event().wait()))
begun.wait()
"""


def test_no_more_are_begun_than_there_is_room_for() -> None:
    go_on, builds = threading.Event(), Builds[bool](most=2)
    built: list[str] = []
    try:
        first, second = (builds.begin(key, lambda: go_on.wait(PATIENCE)) for key in "ab")
        assert builds.begin("c", lambda: not built.append("c")) is None
        assert builds.begin("a", lambda: not built.append("a")) is first
    finally:
        go_on.set()
    assert first is not None
    assert second is not None
    wait((first, second), PATIENCE)
    assert built == []
    third = builds.begin("c", lambda: not built.append("c"))
    assert third is not None
    assert third.result(PATIENCE)
    assert built == ["c"]


def test_what_goes_wrong_is_told_and_makes_room() -> None:
    def broken() -> int:
        raise RuntimeError("no page")

    builds = Builds[int](most=1)
    building = builds.begin("a", broken)
    assert building is not None
    with pytest.raises(RuntimeError, match="no page"):
        building.result(PATIENCE)
    again = builds.begin("a", lambda: 1)
    assert again is not None
    assert again.result(PATIENCE) == 1


def test_where_there_is_no_thread_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    builds = Builds[int](most=1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        assert builds.begin("a", lambda: 1) is None
    assert builds.begin("b", lambda: 1) is not None


def test_nothing_is_begun_after_the_end() -> None:
    builds = Builds[int]()
    builds.end()
    assert builds.begin("a", lambda: 1) is None


def test_the_process_ends_without_what_is_abandoned() -> None:
    subprocess.run([sys.executable, "-c", ABANDONED], check=True, timeout=PATIENCE)


def test_what_waits_for_an_answer_is_dropped_at_the_end() -> None:
    go_on, shared = threading.Event(), Shared()
    try:
        begun = threading.Barrier(MOST_AT_ONCE + 1)

        def ask() -> None:
            begun.wait(PATIENCE)
            go_on.wait(PATIENCE)

        under_way = [shared.begin(number, ask) for number in range(MOST_AT_ONCE)]
        begun.wait(PATIENCE)
        queued = shared.begin("later", lambda: None)
        shared.end()
        assert queued.cancelled()
        with pytest.raises(StoreError):
            shared.begin("after", lambda: None).result(PATIENCE)
    finally:
        go_on.set()
    wait(under_way, PATIENCE)
