"""How many of the server's threads are kept, and how many are left."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator

import pytest

from mlplugin.api import room as module
from mlplugin.api.room import Kind, Room
from mlplugin.service.retraining import Retraining
from mlplugin.service.service import Service
from tests.api.conftest import Start
from tests.e2e.system import until


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.0)


def taken(room: Room, kind: Kind) -> int:
    """How many of a kind there is room for; they stay."""
    return next(count for count in range(1000) if not room.take(kind))


@pytest.mark.parametrize(
    ("threads", "most"),
    # parts of pages, exports, lists of who asked, followers, registries; and all of them together
    [(1, (1, 1, 1, 0, 1, 1)), (2, (1, 1, 1, 0, 1, 1)), (3, (1, 2, 1, 1, 1, 2)),
     (4, (2, 2, 1, 2, 2, 2)), (8, (5, 2, 1, 3, 2, 6)), (64, (40, 2, 1, 3, 2, 48))],
)  # fmt: skip
def test_room(threads: int, most: tuple[int, ...]) -> None:
    assert tuple(taken(Room(threads), kind) for kind in Kind) == most[:-1]
    room = Room(threads)
    assert sum(taken(room, kind) for kind in reversed(Kind)) == most[-1]


def test_what_is_given_back_is_there_for_others() -> None:
    room = Room(1)
    assert room.take(Kind.FILES)
    assert not room.take(Kind.PAGES)
    room.give(Kind.FILES)
    assert room.take(Kind.PAGES)


def test_those_that_wait_leave_a_thread_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 60.0)
    room, came = Room(8), []
    assert all(room.take(Kind.PAGES) for _ in range(5))
    threads = [
        threading.Thread(target=lambda: came.append(room.take(Kind.PAGES))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    until("two wait", lambda: room._waiting == 2)
    assert not room.take(Kind.PAGES), "and the next is sent away at once"
    assert room.take(Kind.FILES)
    for _ in threads:
        room.give(Kind.PAGES)
    for thread in threads:
        thread.join(60)
    assert came == [True, True]


@pytest.mark.parametrize(("threads", "followers"), [(2, 0), (3, 1)])
def test_those_who_follow_a_job_leave_threads_to_others(
    threads: int, followers: int, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def events(_self: Retraining, _number: str, _after: int) -> Iterator[None]:
        while not over.wait(0.05):
            yield None

    monkeypatch.setattr(Retraining, "find", lambda *_: {})
    monkeypatch.setattr(Retraining, "events", events)
    live = start(threads=threads)
    path = "/api/v1/jobs/1/events"
    connections = []
    try:
        for _ in range(followers):
            connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=30)
            connection.request("GET", path)
            assert connection.getresponse().status == 200
            connections.append(connection)
        refused = live.ask("GET", path)
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        assert "ask /api/v1/jobs/1 instead" in refused.json["detail"]
        assert live.ask("GET", "/readyz").status == 200
    finally:
        over.set()
        for connection in connections:
            connection.close()


def test_slow_registries_leave_threads_to_others(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, asked = threading.Event(), []

    def registration(_self: Service, name: str) -> dict[str, object]:
        asked.append(name)
        over.wait(60)
        return {}

    monkeypatch.setattr(Service, "registration", registration)
    live = start(threads=8)
    path = "/api/v1/domains/wikipedia.org/registration"
    threads = [threading.Thread(target=live.ask, args=("GET", path)) for _ in range(2)]
    try:
        for thread in threads:
            thread.start()
        until("both are asked", lambda: len(asked) == 2)
        refused = live.ask("GET", path)
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        assert live.ask("GET", "/readyz").status == 200
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
