"""Queries that are served while CoreDNS shuts down are in the history, or counted."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path
from typing import Any

import dns.message
import pytest

from mlplugin.bundled.ports import free_port

from .system import CoreDNS, Service, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

COREFILE = """
.:{port} {{
    bind 127.0.0.1
    errors
    health 127.0.0.1:{health} {{
        lameduck 2s
    }}
    prometheus 127.0.0.1:{metrics}
    mlplugin {{
        service {url}
        sensor lame
        spool {spool} 64MiB
    }}
    template IN A . {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.53"
    }}
}}
"""


def system(folder: Path) -> tuple[Service, CoreDNS]:
    service = Service(folder / "data", folder / "service.log")
    port, metrics = free_port(), free_port()
    corefile = COREFILE.format(
        port=port, metrics=metrics, health=free_port(), url=service.url, spool=folder / "spool"
    )
    return service, CoreDNS(folder, corefile, port, metrics)


def asked_until_gone(server: CoreDNS) -> int:
    """Ask one query after the other until CoreDNS has gone; give how many were answered."""
    query = dns.message.make_query("www.example.net.", "A")
    answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        client.connect(("127.0.0.1", server.port))
        while server.alive():
            try:
                client.send(query.to_wire())
                client.recv(1500)
            except OSError:
                continue
            answered += 1
            time.sleep(0.005)
    return answered


def adds_up(service: Service) -> Any:
    """What the service knows, once stored + dropped = served."""
    stats = service.stats()
    complete: bool = stats["served"] > 0 and stats["queries"] + stats["dropped"] == stats["served"]
    return stats if complete else None


def assert_lameduck_recorded(stats: Any, answered: int) -> None:
    assert answered > 50, "nothing was served during the lameduck"
    assert stats["served"] >= answered
    # Only what came between the sender's end and the process's may be dropped, and is counted;
    # on a busy machine that takes a while, yet nothing like the two seconds before.
    assert stats["dropped"] < answered / 2, stats


def test_lameduck_with_the_service(tmp_path: Path) -> None:
    service, server = system(tmp_path)
    try:
        service.start()
        server.start()
        server.send(signal.SIGTERM)
        answered = asked_until_gone(server)
        stats = until("all is told", lambda: adds_up(service))
        assert_lameduck_recorded(stats, answered)
    finally:
        server.stop()
        service.stop()


def test_lameduck_in_an_outage(tmp_path: Path) -> None:
    service, server = system(tmp_path)
    try:
        server.start()
        server.send(signal.SIGTERM)
        answered = asked_until_gone(server)
        service.start()
        server.start()
        stats = until("the spool is read", lambda: adds_up(service))
        assert_lameduck_recorded(stats, answered)
    finally:
        server.stop()
        service.stop()
