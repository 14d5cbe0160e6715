"""A real server on a port of its own, in a thread."""

from __future__ import annotations

import dataclasses
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mlplugin.api import create_app
from mlplugin.api.access import Access
from mlplugin.api.server import Server
from mlplugin.model import load
from mlplugin.service.service import Service, assemble
from mlplugin.store import open_store
from tests.support.rdap import offline

TINY = Path(__file__).resolve().parents[2] / "testdata" / "model-tiny"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    cookies: list[str] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Live:
    """A running server and a client of it."""

    port: int
    service: Service

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send one request; a body that is no bytes goes as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            cookies = response.headers.get_all("Set-Cookie") or []
            return Answer(response.status, found, response.read(), cookies)
        finally:
            connection.close()

    def send(self, body: bytes, sensor: str = "edge", **headers: str) -> Answer:
        """Send a batch of events."""
        given = {"Content-Type": "application/x-ndjson"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", f"/api/v1/events?sensor={sensor}", body, given)


Start = Callable[..., Live]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers, each on a store of its own; all end with the test."""
    running: list[tuple[Server, threading.Thread, Service]] = []

    def starting(
        access: Access | None = None, threads: int = 4, trusted_proxy: str | None = None
    ) -> Live:
        data = tmp_path / f"data{len(running)}"
        service = assemble(open_store(None, data), load(TINY))
        service = dataclasses.replace(service, registrations=offline())
        server = Server(create_app(service, access), "127.0.0.1", 0, threads, trusted_proxy)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread, service))
        return Live(server.port, service)

    yield starting
    for server, thread, service in running:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()
        service.close()


@pytest.fixture
def live(start: Start) -> Live:
    return start()
