"""`classify remote`: verdicts from the service, and nothing lost when it goes away."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from mlplugin.bundled.ports import free_port
from mlplugin.model import load

from .system import CoreDNS, Service, post_json, until
from .test_history import Load

pytestmark = pytest.mark.e2e

COREFILE = """
.:{port} {{
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:{metrics}
    mlplugin {{
        service {url}
        sensor remote
        classify remote 200ms
        on suspicious nxdomain
        on malicious nxdomain
    }}
    template IN A . {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.53"
    }}
}}
"""

# Invented; whatever the model says of them, both ways must say the same.
NAMES = [
    "wikipedia.org", "news.example.com", "xjq7vzk2mwpt9rb.com", "kq3v9zx8w7ypl2m.info",
    "paypa1-account-verify.top", "secure-login-appleid-support.xyz", "summerhousegarden.com",
    "qhzwbkfxjvmtpl.biz", "ab12cd34ef56ab78cd90.ru", "update-microsoft-security.click",
]  # fmt: skip


def ask(server: CoreDNS, name: str) -> bool:
    """Whether it was blocked."""
    query = dns.message.make_query(name + ".", "A")
    answer = dns.query.udp(query, "127.0.0.1", 5, server.port)
    assert answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
    return answer.rcode() == dns.rcode.NXDOMAIN


def test_remote_verdicts_and_fail_open(tmp_path: Path) -> None:
    model = load()
    offline = {name: model.judge(name).level != "benign" for name in NAMES}
    assert set(offline.values()) == {True, False}
    service = Service(tmp_path / "data", tmp_path / "service.log")
    service.start()
    port, metrics = free_port(), free_port()
    corefile = COREFILE.format(port=port, metrics=metrics, url=service.url)
    server = CoreDNS(tmp_path, corefile, port, metrics)
    server.start()
    until("the service is heard in time", lambda: closes(server), 30)
    assert {name: ask(server, name) for name in NAMES} == offline
    service.stop()
    again = {f"www.{name}": ask(server, f"www.{name}") for name in NAMES}
    assert again == {f"www.{name}": model.judge(f"www.{name}").level != "benign" for name in NAMES}
    counted = server.metrics()
    failed = sum(
        count
        for key, count in counted.items()
        if key.startswith("coredns_mlplugin_remote_names_total{") and '"ok"' not in key
    )
    assert failed > 0
    service.start()
    until("the circuit closes", lambda: closes(server), 30)
    server.stop()
    service.stop()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_the_service_goes_in_mid_load(how: signal.Signals, tmp_path: Path) -> None:
    """Every query is answered as before, and only the counters tell of it."""
    service = Service(tmp_path / "data", tmp_path / "service.log")
    service.start()
    port, metrics = free_port(), free_port()
    corefile = COREFILE.format(port=port, metrics=metrics, url=service.url)
    server = CoreDNS(tmp_path, corefile, port, metrics)
    server.start()
    zone = "hosts-of-a-quiet-town.com"  # for the model to judge: neither reserved nor reputed
    assert load().judge(f"n1.{zone}").source == "model"
    with Load(port, 1000, seed=5, zone=zone):
        until("the service is asked", lambda: remote_names(server, ok=True) > 0)
        service.send(how)
        until("it fails open", lambda: remote_names(server, ok=False) > 0)
        time.sleep(1)
    flagged = [
        key
        for key, count in server.metrics().items()
        if "verdicts_total{" in key and 'verdict="benign"' not in key and count
    ]
    assert flagged == []
    server.stop()
    service.send(signal.SIGCONT)
    service.stop(signal.SIGKILL)


def remote_names(server: CoreDNS, *, ok: bool) -> float:
    names = "coredns_mlplugin_remote_names_total{"
    found = server.metrics().items()
    return sum(n for key, n in found if key.startswith(names) and ('"ok"' in key) == ok)


def closes(server: CoreDNS) -> bool:
    closes.number += 1  # type: ignore[attr-defined]
    before = remote_names(server, ok=True)
    ask(server, f"probe{closes.number}.xjq7vzk2mwpt9rb.com")  # type: ignore[attr-defined]
    return remote_names(server, ok=True) > before


closes.number = 0  # type: ignore[attr-defined]


def test_original_protocol_gives_the_same_verdicts(tmp_path: Path) -> None:
    model = load()
    service = Service(tmp_path / "data", tmp_path / "service.log")
    service.start()
    for name in NAMES:
        answer = post_json(f"{service.url}/", {"Domain Name": name, "IP": "192.0.2.1"})
        assert (float(answer["p"]) >= 0.5) == (model.judge(name).level == "malicious"), name
    service.stop()
