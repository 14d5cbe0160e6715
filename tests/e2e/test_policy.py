"""What people decide reaches the live plugin in seconds, and a swap under load harms no answer."""

from __future__ import annotations

import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest

from mlplugin.bundled.ports import free_port

from .system import CoreDNS, Service, get_json, mlplugin, until

pytestmark = pytest.mark.e2e

COREFILE = """
.:{port} {{
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:{metrics}
    mlplugin {{
        service {url}
        sensor policy
        deny {deny}
        on malicious nxdomain
    }}
    template IN A . {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.53"
    }}
}}
"""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[tuple[CoreDNS, Service, Path]]:
    service = Service(tmp_path / "data", tmp_path / "service.log")
    service.start()
    port, metrics = free_port(), free_port()
    deny = tmp_path / "deny.txt"
    deny.write_text("0.0.0.0 listed.example.net\n||blocked.example.net^\n# a comment\n")
    server = CoreDNS(
        tmp_path,
        COREFILE.format(port=port, metrics=metrics, url=service.url, deny=deny),
        port,
        metrics,
    )
    server.start()
    yield server, service, deny
    server.stop()
    service.stop()


def rcode(server: CoreDNS, name: str) -> str:
    query = dns.message.make_query(name, "A", use_edns=0)
    return dns.rcode.to_text(dns.query.udp(query, "127.0.0.1", 5, server.port).rcode())


def vet(service: Service, *arguments: str) -> None:
    done = mlplugin("vet", *arguments, "--service", service.url)
    assert done.returncode == 0, done.stderr


def test_vetting_reaches_the_plugin(system: tuple[CoreDNS, Service, Path]) -> None:
    server, service, _ = system
    assert rcode(server, "a.vetted.example.org.") == "NOERROR"
    vet(service, "vetted.example.org", "blocked", "--reason", "a test")
    until("it is blocked", lambda: rcode(server, "a.vetted.example.org.") == "NXDOMAIN", 15)
    vet(service, "vetted.example.org", "benign", "--client", "127.0.0.1", "--for", "1h")
    until("this client may", lambda: rcode(server, "a.vetted.example.org.") == "NOERROR", 15)
    vet(service, "vetted.example.org", "unvetted", "--client", "127.0.0.1")
    until("it may no more", lambda: rcode(server, "a.vetted.example.org.") == "NXDOMAIN", 15)


def test_reason_is_told(system: tuple[CoreDNS, Service, Path]) -> None:
    server, service, _ = system
    vet(service, "told.example.org", "blocked", "--reason", 'say "why"\nplease')
    until("it is blocked", lambda: rcode(server, "told.example.org.") == "NXDOMAIN", 15)
    query = dns.message.make_query("told.example.org.", "A", use_edns=0)
    answer = dns.query.udp(query, "127.0.0.1", 5, server.port)
    (error,) = [option for option in answer.options if isinstance(option, dns.edns.EDEOption)]
    assert "override" in str(error.text)
    flagged = [line for line in server.output().splitlines() if "told.example.org" in line]
    assert flagged
    assert all("please" in line or "why" not in line for line in flagged), "a line was split"


def test_lists_are_read_again(system: tuple[CoreDNS, Service, Path]) -> None:
    server, _, deny = system
    for name in ("listed.example.net.", "x.blocked.example.net."):
        assert rcode(server, name) == "NXDOMAIN"
    assert rcode(server, "other.example.net.") == "NOERROR"
    deny.write_text("other.example.net\n")
    until("the new list holds", lambda: rcode(server, "other.example.net.") == "NXDOMAIN", 30)
    assert rcode(server, "listed.example.net.") == "NOERROR"


def test_swap_under_load(system: tuple[CoreDNS, Service, Path]) -> None:
    """While policies change, names that no policy touches are answered right, each of them."""
    server, service, _ = system
    wrong: list[str] = []
    running = threading.Event()
    running.set()

    def ask() -> None:
        number = 0
        while running.is_set():
            number += 1
            name, want = (
                ("listed.example.net.", "NXDOMAIN")
                if number % 3 == 0
                else (f"n{number % 50}.steady.example.com.", "NOERROR")
            )
            if (got := rcode(server, name)) != want:
                wrong.append(f"{name} {got}")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    start = time.monotonic()
    for number in range(12):
        name = urllib.parse.quote(f"swap{number}.example.org")
        get_json(
            f"{service.url}/api/v1/overrides/{name}",
            data=b'{"status": "blocked"}',
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        until(
            "it is swapped in",
            lambda n=number: rcode(server, f"swap{n}.example.org.") == "NXDOMAIN",
            15,
        )
        if time.monotonic() - start > 30:
            break
    running.clear()
    for thread in threads:
        thread.join()
    assert wrong == []
