"""Malformed packets and odd names: DNS keeps answering, and the odd names are judged."""

from __future__ import annotations

import json
import random
import shutil
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import pytest

from mlplugin.bundled.ports import free_port
from mlplugin.model import shipped

from .system import CoreDNS, Service, get_json, until

pytestmark = pytest.mark.e2e

COREFILE = """
.:{port} {{
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:{metrics}
    mlplugin {{
        service {url}
        sensor odd
    }}
    template IN ANY . {{
        answer "{{{{ .Name }}}} 60 IN TXT upstream"
    }}
    template CH ANY . {{
        rcode REFUSED
    }}
}}
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CoreDNS, Service]]:
    folder = tmp_path_factory.mktemp("odd")
    service = Service(folder / "data", folder / "service.log")
    service.start()
    port, metrics = free_port(), free_port()
    corefile = COREFILE.format(port=port, metrics=metrics, url=service.url)
    server = CoreDNS(folder, corefile, port, metrics)
    server.start()
    yield server, service
    server.stop()
    service.stop()


def name_of(*labels: bytes) -> dns.name.Name:
    return dns.name.Name([*labels, b""])


LONGEST = name_of(b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 61)
ODD_NAMES = {
    "root": (dns.name.root, "."),
    "253 octets": (LONGEST, ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])),
    "space": (name_of(b"with space", b"example", b"org"), r"with\032space.example.org"),
    "quotes": (name_of(b'"it\'s"', b"example", b"org"), '"it\'s".example.org'),
    "control": (name_of(b"\x00\n\x1b[31m", b"example", b"org"), r"\000\010\027[31m.example.org"),
    "high bytes": (name_of(b"\xff\xfe", b"example", b"org"), r"\255\254.example.org"),
    "dot inside": (name_of(b"a.b", b"example", b"org"), r"a\.b.example.org"),
    "backslash": (name_of(b"a\\b", b"example", b"org"), r"a\\b.example.org"),
    "upper": (name_of(b"WWW", b"EXAMPLE", b"ORG"), "www.example.org"),
    "underscore": (name_of(b"_dmarc", b"example", b"org"), "_dmarc.example.org"),
    "idn": (name_of(b"xn--mnchen-3ya", b"example", b"org"), "xn--mnchen-3ya.example.org"),
    "script": (name_of(b"<script>", b"example", b"org"), "<script>.example.org"),
    "brackets": (name_of(b"(a);@$", b"example", b"org"), "(a);@$.example.org"),
}


@pytest.mark.parametrize("kind", ODD_NAMES)
def test_odd_names_are_answered_and_stored(kind: str, system: tuple[CoreDNS, Service]) -> None:
    server, service = system
    name, canonical = ODD_NAMES[kind]
    query = dns.message.make_query(name, "TXT")
    answer = dns.query.udp(query, "127.0.0.1", 5, server.port)
    assert answer.rcode() == dns.rcode.NOERROR

    def stored() -> bool:
        page = get_json(f"{service.url}/api/v1/queries?limit=100&sensor=odd")
        return canonical in [row["qname"] for row in page["queries"]]

    until(f"{canonical} is in the history", stored, 15)


def broken_packets() -> list[bytes]:
    whole = dns.message.make_query("www.example.org.", "A", use_edns=0).to_wire()
    dice = random.Random(1035)
    cut = [whole[:length] for length in range(len(whole))]
    flipped = []
    for _ in range(300):
        packet = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            packet[dice.randrange(len(packet))] = dice.randrange(256)
        flipped.append(bytes(packet))
    noise = [dice.randbytes(dice.randint(1, 600)) for _ in range(100)]
    loop = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + b"\xc0\x0c\x00\x01\x00\x01"
    crowd = struct.pack("!6H", 8, 0x0100, 65535, 65535, 65535, 65535) + whole[12:]
    no_question = struct.pack("!6H", 9, 0x0100, 0, 0, 0, 0)
    return [*cut, *flipped, *noise, loop, crowd, no_question]


def answers(server: CoreDNS) -> bool:
    """Whether a query is answered; behind a flood of datagrams the kernel may drop one."""
    query = dns.message.make_query("still.example.org.", "A")
    try:
        answer = dns.query.udp(query, "127.0.0.1", 1, server.port)
    except dns.exception.DNSException:  # lost, or the answer to a packet of before
        return False
    return answer.rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
def test_broken_packets_do_no_harm(kind: int, system: tuple[CoreDNS, Service]) -> None:
    server, _ = system
    before = server.metrics()
    for packet in broken_packets():
        with socket.socket(socket.AF_INET, kind) as client:
            client.connect(("127.0.0.1", server.port))
            framed = (
                packet if kind == socket.SOCK_DGRAM else struct.pack("!H", len(packet)) + packet
            )
            client.send(framed)
    until("it answers still", lambda: answers(server), 15)
    assert server.alive()
    panics = "coredns_panics_total"
    assert server.metrics().get(panics, 0) == before.get(panics, 0)


def test_other_classes_pass(system: tuple[CoreDNS, Service]) -> None:
    server, _ = system
    query = dns.message.make_query("version.bind.", "TXT", dns.rdataclass.CH)
    answer = dns.query.udp(query, "127.0.0.1", 5, server.port)
    assert answer.rcode() == dns.rcode.REFUSED


STARTUP = """
.:{port} {{
    bind 127.0.0.1
    mlplugin {{
        {option}
    }}
    whoami
}}
"""


def model_copy(folder: Path) -> Path:
    return Path(shutil.copytree(shipped(), folder / "model"))


def missing_model(folder: Path) -> str:
    return f"model {folder / 'none'}"


def cut_model(folder: Path) -> str:
    directory = model_copy(folder)
    weights = directory / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    return f"model {directory}"


def newer_model(folder: Path) -> str:
    directory = model_copy(folder)
    config = directory / "config.json"
    settings = json.loads(config.read_text())
    config.write_text(json.dumps({**settings, "format": 99}))
    return f"model {directory}"


def tampered_model(folder: Path) -> str:
    directory = model_copy(folder)
    weights = directory / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 0xFF
    weights.write_bytes(content)
    return f"model {directory}"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _: "modle /x", "model"),
        (lambda _: "on sometimes nxdomain", "sometimes"),
        (lambda _: "on malicious explode", "explode"),
        (lambda _: "on malicious sinkhole not-an-address", "not-an-address"),
        (lambda _: "deny /no/such/list", "/no/such/list"),
        (lambda _: "classify remote 50ms", "service"),
        (lambda _: "service ftp://127.0.0.1", "ftp"),
        (missing_model, "none"),
        (cut_model, "weights.safetensors"),
        (newer_model, "99"),
        (tampered_model, "weights.safetensors"),
    ],
    ids=[
        "option", "verdict", "action", "address", "list", "remote", "scheme",
        "no model", "cut model", "newer model", "tampered model",
    ],
)  # fmt: skip
def test_a_broken_start_says_why(make, says: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    corefile = STARTUP.format(port=free_port(), option=make(tmp_path))
    server = CoreDNS(tmp_path, corefile, 0, None)
    super(CoreDNS, server).start()
    until("CoreDNS gives up", lambda: not server.alive(), 20)
    assert server.stop() != 0
    lines = [line for line in server.output().splitlines() if line.strip()]
    assert says in lines[-1], lines
    assert "goroutine" not in server.output()
    assert "plugin/mlplugin" in lines[-1]
