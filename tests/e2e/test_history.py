"""stored + dropped = served, to the last query, whatever happens to the service."""

from __future__ import annotations

import collections
import random
import resource
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import pytest

from mlplugin.bundled.ports import free_port
from tests.support.threads import ended

from .system import CoreDNS, Service, get_json, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

COREFILE = """
.:{port} {{
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:{metrics}
    mlplugin {{
        service {url}
        sensor {sensor}
        spool {spool} 64MiB
    }}
    template IN A . {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.53"
    }}
}}
"""

RATE = 2_000
# Fewer than a socket's buffer holds, so that a busy machine delays datagrams and drops none.
MOST_OUTSTANDING = 120


class Load:
    """A steady stream of queries for distinct names from one thread; it notes what failed."""

    def __init__(self, port: int, rate: int, seed: int, zone: str = "load.example.net") -> None:
        self.port, self.rate, self.zone = port, rate, zone
        self.dice = random.Random(seed)
        self.sent: collections.Counter[str] = collections.Counter()
        self.answered = 0
        self.running = threading.Event()
        self.thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> Load:
        self.running.set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.connect(("127.0.0.1", self.port))
        self.thread.start()
        return self

    def _send(self) -> None:
        start, number = time.monotonic(), 0
        self.socket.setblocking(False)
        while self.running.is_set():
            due = int((time.monotonic() - start) * self.rate)
            for _ in range(min(due - number, MOST_OUTSTANDING - (number - self.answered))):
                name = f"n{self.dice.randrange(500)}.{self.zone}"
                query = dns.message.make_query(name + ".", "A")
                query.id = number & 0xFFFF
                self.socket.send(query.to_wire())
                self.sent[name] += 1
                number += 1
            self._receive()
            time.sleep(0.001)

    def _receive(self) -> None:
        while True:
            try:
                packet = self.socket.recv(1500)
            except BlockingIOError:
                return
            if struct.unpack("!H", packet[2:4])[0] & 0xF == 0:
                self.answered += 1

    def __exit__(self, *_: object) -> None:
        self.running.clear()
        ended([self.thread], 60)
        end = time.monotonic() + 5
        while self.answered < self.sent.total() and time.monotonic() < end:
            self._receive()
            time.sleep(0.01)
        self.socket.close()
        assert self.answered == self.sent.total(), "a query was not answered"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "data", tmp_path / "service.log")
    service.start()
    yield service
    service.stop()


@pytest.fixture
def server(service: Service, tmp_path: Path) -> Iterator[CoreDNS]:
    port, metrics = free_port(), free_port()
    corefile = COREFILE.format(
        port=port, metrics=metrics, url=service.url, sensor="load", spool=tmp_path / "spool"
    )
    server = CoreDNS(tmp_path, corefile, port, metrics)
    server.start()
    yield server
    server.stop()


def settled(server: CoreDNS) -> dict[str, float] | None:
    counters = server.metrics()
    return counters if counters["coredns_mlplugin_events_pending"] == 0 else None


def assert_all_there(server: CoreDNS, service: Service, sent: collections.Counter[str]) -> None:
    counters = until("all events are delivered", lambda: settled(server))
    served = counters["coredns_mlplugin_queries_total"]
    dropped = counters.get("coredns_mlplugin_events_dropped_total", 0)
    assert served == sent.total()
    stats = service.stats()
    assert stats["queries"] + dropped == served
    assert dropped == 0
    for name, count in sent.most_common(20):
        page = get_json(f"{service.url}/api/v1/queries?qname={name}&limit=1")
        assert page["total"] == count, name


def load_for(server: CoreDNS, seconds: float) -> Load:
    with Load(server.port, RATE, seed=1) as load:
        time.sleep(seconds)
    return load


def test_in_peace(server: CoreDNS, service: Service) -> None:
    load = load_for(server, 2)
    assert_all_there(server, service, load.sent)


def test_service_killed(server: CoreDNS, service: Service) -> None:
    with Load(server.port, RATE, seed=2) as load:
        until("events flow", lambda: service.stats()["queries"] > RATE / 2)
        service.stop(signal.SIGKILL)
        time.sleep(2)
        service.start()
        time.sleep(1)
    assert_all_there(server, service, load.sent)


def test_service_stopped(server: CoreDNS, service: Service) -> None:
    with Load(server.port, RATE, seed=3) as load:
        until("events flow", lambda: service.stats()["queries"] > RATE / 2)
        service.send(signal.SIGSTOP)
        time.sleep(7)
        service.send(signal.SIGCONT)
        time.sleep(1)
    assert_all_there(server, service, load.sent)


def test_disk_full(server: CoreDNS, service: Service, tmp_path: Path) -> None:
    """A file size limit on the running service: every further write fails as on a full disk."""
    with Load(server.port, RATE, seed=4) as load:
        until("events flow", lambda: service.stats()["queries"] > RATE / 2)
        before = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (1, before[1]))
        failures = until("the store refuses", lambda: spooled(server))
        assert failures > 0
        time.sleep(2)
        assert service.alive()
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, before)
        time.sleep(1)
    assert_all_there(server, service, load.sent)


def spooled(server: CoreDNS) -> float:
    return server.metrics().get("coredns_mlplugin_events_spool_bytes", 0)


def test_coredns_restarted_during_an_outage(
    server: CoreDNS, service: Service, tmp_path: Path
) -> None:
    service.stop()
    load = load_for(server, 1)
    server.stop()
    server.start()
    service.start()
    until("the spool is read", lambda: service.stats()["queries"] == load.sent.total())
