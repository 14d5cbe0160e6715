from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from mlplugin.bundled.upstream import Record, Reply, Script, Upstream
from tests.support.upstream import UpstreamProcess

ALIAS = Reply(
    records=(
        Record("CNAME", "target.example.net"),
        Record("A", "192.0.2.9", owner="target.example.net"),
    )
)
SCRIPT = Script(
    names={
        "www.example.org": Reply(records=(Record("A", "192.0.2.7"), Record("TXT", "x" * 300))),
        "alias.example.org": ALIAS,
        "mail.example.org": Reply(records=(Record("MX", "10 mx.example.org", ttl=5),)),
        ".": Reply("REFUSED"),
    },
    zones={
        "gone.example": Reply("NXDOMAIN"),
        "kept.gone.example": Reply(records=(Record("AAAA", "2001:db8::7"),)),
        "mute.example": Reply(silent=True),
    },
)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(SCRIPT) as server:
        yield server


def ask(upstream: Upstream, name: str, kind: str, tcp: bool = False) -> dns.message.Message:
    query = dns.message.make_query(name, kind)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query, "127.0.0.1", 5, upstream.port)


def data(answer: dns.message.Message) -> list[str]:
    return [f"{rrset.name} {item.to_text()}" for rrset in answer.answer for item in rrset]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize(
    ("name", "kind", "rcode", "expected"),
    [
        ("www.example.org", "A", "NOERROR", ["www.example.org. 192.0.2.7"]),
        ("WWW.Example.ORG", "A", "NOERROR", ["WWW.Example.ORG. 192.0.2.7"]),
        ("www.example.org", "AAAA", "NOERROR", []),
        ("mail.example.org", "MX", "NOERROR", ["mail.example.org. 10 mx.example.org."]),
        ("a.gone.example", "A", "NXDOMAIN", []),
        ("a.kept.gone.example", "AAAA", "NOERROR", ["a.kept.gone.example. 2001:db8::7"]),
        ("else.example", "A", "NOERROR", ["else.example. 192.0.2.1"]),
        (
            "alias.example.org",
            "A",
            "NOERROR",
            ["alias.example.org. target.example.net.", "target.example.net. 192.0.2.9"],
        ),
    ],
)
def test_answers(
    *, upstream: Upstream, name: str, kind: str, rcode: str, expected: list[str], tcp: bool
) -> None:
    answer = ask(upstream, name, kind, tcp)
    assert dns.rcode.to_text(answer.rcode()) == rcode
    assert data(answer) == expected


def test_long_text_and_any(upstream: Upstream) -> None:
    assert {rrset.rdtype for rrset in ask(upstream, "www.example.org", "ANY").answer} == {
        dns.rdatatype.A,
        dns.rdatatype.TXT,
    }


def test_the_same_again_is_the_same_but_for_the_id(upstream: Upstream) -> None:
    first, second = (ask(upstream, "www.example.org", "A") for _ in range(2))
    assert data(first) == data(second)
    assert upstream.queries == 2


def test_silence_and_nonsense(upstream: Upstream) -> None:
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(
            dns.message.make_query("a.mute.example", "A"), "127.0.0.1", 0.2, upstream.port
        )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for packet in (b"", b"x", b"\0" * 12, b"\0" * 12 + b"\x3fcut"):
            client.sendto(packet, ("127.0.0.1", upstream.port))
    assert data(ask(upstream, "www.example.org", "A"))


def test_a_process_of_its_own_answers_the_same(tmp_path: Path) -> None:
    with UpstreamProcess(SCRIPT, tmp_path) as process:
        query = dns.message.make_query("alias.example.org", "A")
        assert len(dns.query.udp(query, "127.0.0.1", 5, process.port).answer) == 2
    assert process.queries == 1


def test_a_script_survives_json() -> None:
    assert Script.from_json(SCRIPT.to_json()) == SCRIPT


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), ([], 1), (["x", "y"], 1)])
def test_usage_is_one_line(arguments: list[str], status: int) -> None:
    command = [sys.executable, "-m", "mlplugin.bundled.upstream", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert (done.stdout + done.stderr).startswith("usage: python -m mlplugin.bundled.upstream")
    assert len((done.stdout + done.stderr).splitlines()) == 1
