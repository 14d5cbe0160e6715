"""Every action, query type and transport, as a real client sees it."""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
import trustme

from mlplugin.bundled.ports import free_port

from .system import CoreDNS

pytestmark = pytest.mark.e2e

ACTIONS = {
    "observe": "observe",
    "nxdomain": "nxdomain",
    "nodata": "nodata",
    "refuse": "refuse",
    "drop": "drop",
    "sinkhole": "sinkhole",
    "honeypot": "sinkhole 192.0.2.66 2001:db8::66",
}
QTYPES = ["A", "AAAA", "HTTPS", "SVCB", "ANY", "MX", "TXT", "NS", "SRV", "CAA"]
TRANSPORTS = ["udp", "tcp", "tls", "https"]
SINK = {"sinkhole": ("0.0.0.0", "::"), "honeypot": ("192.0.2.66", "2001:db8::66")}
BLOCKED = "x.blocked.example.org."

BLOCK = """
{scheme}{port} {{
    bind 127.0.0.1
    {tls}
    errors
    mlplugin . {{
        deny blocked.example.org
        on malicious {action}
    }}
    template IN ANY . {{
        answer "{{{{ .Name }}}} 60 IN TXT upstream"
    }}
}}
"""

Ports = dict[tuple[str, str], int]


@pytest.fixture(scope="module")
def ports(
    certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ports]:
    """One CoreDNS with a server block for each action and transport."""
    tls = f"tls {certificate[0]} {certificate[1]}"
    schemes = {"udp": ("dns://.:", ""), "tls": ("tls://.:", tls), "https": ("https://.:", tls)}
    found: Ports = {}
    corefile = ""
    for name, action in ACTIONS.items():
        for transport, (scheme, option) in schemes.items():
            port = found[name, transport] = free_port()
            corefile += BLOCK.format(scheme=scheme, port=port, tls=option, action=action)
        found[name, "tcp"] = found[name, "udp"]
    server = CoreDNS(tmp_path_factory.mktemp("actions"), corefile, found[name, "udp"], None)
    server.start()
    yield found
    server.stop()


@pytest.fixture(scope="module")
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


def over_https(
    query: dns.message.Message, port: int, context: ssl.SSLContext
) -> dns.message.Message:
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    with contextlib.closing(connection):
        connection.request(
            "POST", "/dns-query", query.to_wire(), {"Content-Type": "application/dns-message"}
        )
        answer = connection.getresponse()
        body = answer.read()
    if answer.status != 200:
        raise dns.exception.Timeout
    return dns.message.from_wire(body)


def ask(
    query: dns.message.Message,
    transport: str,
    port: int,
    context: ssl.SSLContext,
    timeout: float = 5,
) -> dns.message.Message:
    if transport == "udp":
        return dns.query.udp(query, "127.0.0.1", timeout, port)
    if transport == "tcp":
        return dns.query.tcp(query, "127.0.0.1", timeout, port)
    if transport == "tls":
        return dns.query.tls(
            query, "127.0.0.1", timeout, port, ssl_context=context, server_hostname="127.0.0.1"
        )
    return over_https(query, port, context)


def addresses(answer: dns.message.Message) -> list[str]:
    return [str(record) for rrset in answer.answer for record in rrset]


def has_soa(answer: dns.message.Message) -> bool:
    return any(rrset.rdtype == dns.rdatatype.SOA and rrset.ttl <= 60 for rrset in answer.authority)


def expect_sinkhole(answer: dns.message.Message, name: str, qtype: str) -> None:
    assert answer.rcode() == dns.rcode.NOERROR
    four, six = SINK[name]
    wanted = {"A": [four], "AAAA": [six], "ANY": [four, six]}.get(qtype, [])
    assert addresses(answer) == wanted
    assert all(rrset.ttl <= 60 for rrset in answer.answer)
    if not wanted:
        assert has_soa(answer)


def expect(answer: dns.message.Message, name: str, qtype: str) -> None:
    if name in SINK:
        expect_sinkhole(answer, name, qtype)
        return
    rcode = {"nxdomain": dns.rcode.NXDOMAIN, "refuse": dns.rcode.REFUSED}.get(
        name, dns.rcode.NOERROR
    )
    assert answer.rcode() == rcode
    if name == "observe":
        assert addresses(answer) == ['"upstream"']
        return
    assert addresses(answer) == []
    assert has_soa(answer) == (name in ("nxdomain", "nodata"))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("qtype", QTYPES)
@pytest.mark.parametrize("name", [name for name in ACTIONS if name != "drop"])
def test_answer(
    name: str, qtype: str, transport: str, ports: Ports, context: ssl.SSLContext
) -> None:
    query = dns.message.make_query(BLOCKED, qtype, use_edns=0, want_dnssec=True, payload=1232)
    answer = ask(query, transport, ports[name, transport], context)
    expect(answer, name, qtype)
    assert answer.question == query.question
    assert answer.flags & dns.flags.QR
    assert answer.flags & dns.flags.RD
    if name == "observe":
        return
    assert answer.edns == 0
    assert answer.ednsflags & dns.flags.DO
    errors = [option for option in answer.options if isinstance(option, dns.edns.EDEOption)]
    assert [int(error.code) for error in errors] == [15]
    assert "blocked.example.org" in str(errors[0].text)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", [name for name in ACTIONS if name != "drop"])
def test_without_edns(name: str, transport: str, ports: Ports, context: ssl.SSLContext) -> None:
    """A client that did not speak EDNS gets none back (RFC 6891, 7)."""
    query = dns.message.make_query(BLOCKED, "A", use_edns=False)
    answer = ask(query, transport, ports[name, transport], context)
    expect(answer, name, "A")
    assert answer.edns == -1


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_drop(transport: str, ports: Ports, context: ssl.SSLContext) -> None:
    query = dns.message.make_query(BLOCKED, "A")
    with pytest.raises((dns.exception.DNSException, OSError, EOFError)):
        ask(query, transport, ports["drop", transport], context, timeout=0.7)
    other = dns.message.make_query("fine.example.org.", "A")
    answer = ask(other, transport, ports["drop", transport], context)
    assert addresses(answer) == ['"upstream"']


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", ACTIONS)
def test_other_names_pass(name: str, transport: str, ports: Ports, context: ssl.SSLContext) -> None:
    query = dns.message.make_query("WWW.Example.ORG.", "A", use_edns=0)
    answer = ask(query, transport, ports[name, transport], context)
    assert addresses(answer) == ['"upstream"']
    assert not [option for option in answer.options if isinstance(option, dns.edns.EDEOption)]
