"""A CoreDNS that blocks with the shipped model lets everyday names through, however odd."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import dns.message
import dns.query
import dns.rcode
import pytest

from mlplugin.bundled.ports import free_port

from ..model.test_hard_cases import CLASSES
from .system import CoreDNS

pytestmark = pytest.mark.e2e

BLOCK = """
.:{port} {{
    bind 127.0.0.1
    errors
    mlplugin . {{
        deny blocked.example.org
        {rules}
    }}
    template IN TXT . {{
        answer "{{{{ .Name }}}} 60 IN TXT upstream"
    }}
}}
"""
MALICIOUS = "on malicious nxdomain"
RULES = {"malicious": MALICIOUS, "suspicious": f"on suspicious nxdomain\n        {MALICIOUS}"}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """One CoreDNS that blocks what is malicious, and on another port what is suspicious too."""
    found = {level: free_port() for level in RULES}
    corefile = "".join(
        BLOCK.format(port=found[level], rules=rules) for level, rules in RULES.items()
    )
    server = CoreDNS(tmp_path_factory.mktemp("hard"), corefile, found["suspicious"], None)
    server.start()
    yield found
    server.stop()


def blocked(name: str, port: int) -> bool:
    """Whether the name does not exist; it must be answered either way."""
    query = dns.message.make_query(f"{name}.", "TXT")
    answer, _ = dns.query.udp_with_fallback(query, "127.0.0.1", 10, port)
    if answer.rcode() == dns.rcode.NXDOMAIN:
        return True
    assert answer.rcode() == dns.rcode.NOERROR, name
    assert [str(record) for rrset in answer.answer for record in rrset] == ['"upstream"'], name
    return False


@pytest.mark.parametrize("level", RULES)
def test_blocking_is_on(level: str, ports: dict[str, int]) -> None:
    assert blocked("www.blocked.example.org", ports[level])


def test_none_is_blocked_as_malicious(ports: dict[str, int]) -> None:
    names = [name for kind in CLASSES.values() for name in kind.names]
    hits = [name for name in names if blocked(name, ports["malicious"])]
    assert not hits, "\n".join(hits)


def test_hardly_any_is_blocked_as_suspicious(ports: dict[str, int]) -> None:
    """No more of a class than its rule allows, of all classes together next to none."""
    port = ports["suspicious"]
    hits = {kind: [n for n in of.names if blocked(n, port)] for kind, of in CLASSES.items()}
    over = {kind: names for kind, names in hits.items() if len(names) > CLASSES[kind].allowed}
    assert not over, "\n".join(f"{kind}: {names}" for kind, names in over.items())
    count = Counter({kind: len(names) for kind, names in hits.items()})
    assert count.total() <= 0.002 * sum(len(of.names) for of in CLASSES.values()), hits
