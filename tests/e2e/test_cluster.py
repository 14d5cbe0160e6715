"""CoreDNS, the service and a real cluster that hangs and dies: every query is in it afterwards."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import pytest

from mlplugin.bundled.ports import free_port
from tests.support.search_servers import SearchServer, running

from .system import CoreDNS, Service, get_json, until
from .test_history import COREFILE

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SERVER = "elasticsearch-8.19.21"
EACH = 200


@pytest.fixture
def cluster() -> Iterator[SearchServer]:
    with running(SERVER) as server:
        yield server


def ask(server: CoreDNS, turn: str) -> None:
    """Send some queries, one after another; each is answered, whatever the cluster does."""
    for number in range(EACH):
        query = dns.message.make_query(f"n{number}.{turn}.example.net.", "A")
        answer = dns.query.udp(query, "127.0.0.1", timeout=10, port=server.port)
        assert answer.answer, turn


def count(cluster: SearchServer, sensor: str) -> int:
    """How many queries of a sensor it holds by its own word."""
    cluster.ask("POST", "/mlplugin-events-*/_refresh")
    wanted = {"query": {"term": {"observer.name": sensor}}}
    return int(cluster.ask("POST", "/mlplugin-events-*/_count", wanted)["count"])


def test_an_outage_of_the_cluster_loses_nothing(cluster: SearchServer, tmp_path: Path) -> None:
    service = Service(tmp_path / "data", tmp_path / "service.log")
    service.command += ["--store", cluster.url]
    service.start()
    port, metrics = free_port(), free_port()
    sensor = f"sensor-{uuid.uuid4().hex[:8]}"
    corefile = COREFILE.format(
        port=port, metrics=metrics, url=service.url, sensor=sensor, spool=tmp_path / "spool"
    )
    server = CoreDNS(tmp_path, corefile, port, metrics)
    server.start()

    def pending() -> float:
        return server.metrics()["coredns_mlplugin_events_pending"]

    ask(server, "peace")
    until("events arrive", lambda: count(cluster, sensor) == EACH, 120)
    policy = f"{service.url}/api/v1/policy"
    before = get_json(policy)["version"]

    cluster.send(signal.SIGSTOP)
    ask(server, "hangs")
    until("the service says that it hangs", lambda: not service.ready())
    assert pending() >= EACH, "events wait"
    assert get_json(policy)["version"] == before, "the last policy is served"

    cluster.kill()
    ask(server, "dead")
    until("all of them wait", lambda: pending() == 2 * EACH)
    cluster.start()
    until("it is used again", service.ready, 120)
    ask(server, "back")

    until("all events are delivered", lambda: pending() == 0, 180)
    dropped = server.metrics().get("coredns_mlplugin_events_dropped_total", 0)
    assert (count(cluster, sensor), dropped) == (4 * EACH, 0)
    until("the sensor's own counts are there", lambda: service.stats()["served"] == 4 * EACH)
    stats = service.stats()
    assert (stats["queries"], stats["dropped"]) == (4 * EACH, 0)
    assert "Traceback" not in service.output()
    assert server.stop() == 0
    assert service.stop() == 0
