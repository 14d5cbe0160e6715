"""Captures written by dpkt and by hand, read by our own reader."""

from __future__ import annotations

import collections
import contextlib
import io
import ipaddress
import struct
from collections.abc import Callable, Sequence

import dns.message
import dpkt
import pytest

from mlplugin.errors import UsageError
from mlplugin.replay.capture import CutShortError, from_capture
from mlplugin.replay.query import Query

CLIENT4, CLIENT6 = ipaddress.ip_address("192.0.2.7"), ipaddress.ip_address("2001:db8::7")
SERVER4, SERVER6 = ipaddress.ip_address("192.0.2.53"), ipaddress.ip_address("2001:db8::53")


def message(name: str) -> bytes:
    return dns.message.make_query(name, "A").to_wire()


def ipv4(content: bytes, protocol: int = dpkt.ip.IP_PROTO_UDP, fragment: bool = False) -> bytes:
    packet = dpkt.ip.IP(src=CLIENT4.packed, dst=SERVER4.packed, p=protocol, len=20 + len(content))
    packet.mf = int(fragment)
    packet.data = content
    return bytes(packet)


def ipv6(content: bytes, protocol: int = dpkt.ip.IP_PROTO_UDP) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(content), protocol, 64)
    return head + CLIENT6.packed + SERVER6.packed + content


def udp(payload: bytes, port: int = 53) -> bytes:
    return bytes(dpkt.udp.UDP(sport=4000, dport=port, ulen=8 + len(payload), data=payload))


def tcp(payload: bytes, sequence: int, flags: int = dpkt.tcp.TH_ACK) -> bytes:
    return bytes(dpkt.tcp.TCP(sport=4000, dport=53, seq=sequence, flags=flags, data=payload))


def ethernet(packet: bytes, kind: int = 0x0800, tags: bytes = b"") -> bytes:
    return bytes(12) + tags + kind.to_bytes(2) + packet


def pcap(frames: Sequence[bytes], link: int = 1, nano: bool = False) -> bytes:
    out = io.BytesIO()
    writer = dpkt.pcap.Writer(out, linktype=link, nano=nano)
    for number, frame in enumerate(frames):
        writer.writepkt(frame, ts=1_700_000_000 + number)
    return out.getvalue()


def big_endian(frames: Sequence[bytes]) -> bytes:
    out = struct.pack(">IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    return out + b"".join(struct.pack(">4I", 1, 0, len(f), len(f)) + f for f in frames)


def pcapng(frames: Sequence[bytes]) -> bytes:
    out = io.BytesIO()
    writer = dpkt.pcapng.Writer(out)
    for frame in frames:
        writer.writepkt(frame, ts=1.0)
    return out.getvalue()


def block(kind: int, body: bytes, order: str = ">") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def pcapng_by_hand(frames: Sequence[bytes]) -> bytes:
    """Big-endian, two sections, each with simple and obsolete packet blocks."""
    section = block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1))
    section += block(1, struct.pack(">HHI", 1, 0, 0))
    simple, old = frames[0], frames[1]
    section += block(5, b"statistics..")
    section += block(3, struct.pack(">I", len(simple)) + simple)
    section += block(2, struct.pack(">HHIIII", 0, 0, 0, 0, len(old), len(old)) + old)
    return section * 2


def read(capture: bytes) -> tuple[list[Query], collections.Counter[str]]:
    skipped: collections.Counter[str] = collections.Counter()

    def skip(reason: str) -> None:
        skipped[reason] += 1

    return list(from_capture(io.BytesIO(capture), skip)), skipped


def names(queries: list[Query]) -> list[str]:
    found = [dns.message.from_wire(b"\0\1" + query.tail).question[0].name for query in queries]
    return [name.to_text(omit_final_dot=True) for name in found]


FORMS: dict[str, Callable[[Sequence[bytes]], bytes]] = {
    "pcap": pcap,
    "pcap, nanoseconds": lambda frames: pcap(frames, nano=True),
    "pcap, big endian": big_endian,
    "pcapng": pcapng,
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    frames = [
        ethernet(ipv4(udp(message("four.example.org")))),
        ethernet(ipv6(udp(message("six.example.org"))), 0x86DD),
        ethernet(ipv4(udp(message("not-dns.example.org"), port=5353))),
        ethernet(bytes(28), 0x0806),
        ethernet(ipv4(bytes(8), dpkt.ip.IP_PROTO_ICMP)),
    ]
    queries, skipped = read(FORMS[form](frames))
    assert names(queries) == ["four.example.org", "six.example.org"]
    assert [query.client for query in queries] == [
        (CLIENT4.packed, 4000),
        (CLIENT6.packed, 4000),
    ]
    assert not skipped


def test_other_blocks_of_pcapng() -> None:
    frames = [ethernet(ipv4(udp(message(f"{n}.example.org")))) for n in "ab"]
    queries, _ = read(pcapng_by_hand(frames))
    assert names(queries) == ["a.example.org", "b.example.org"] * 2


LINKS = {
    "vlan": (1, lambda p: ethernet(p, tags=b"\x81\0\0\5")),
    "two vlans": (1, lambda p: ethernet(p, tags=b"\x88\xa8\0\5\x81\0\0\6")),
    "raw": (101, lambda p: p),
    "loopback": (0, lambda p: b"\2\0\0\0" + p),
    "cooked": (113, lambda p: bytes(14) + b"\x08\0" + p),
    "cooked 2": (276, lambda p: b"\x08\0" + bytes(18) + p),
}


@pytest.mark.parametrize("link", LINKS)
def test_link_types(link: str) -> None:
    number, wrap = LINKS[link]
    queries, skipped = read(pcap([wrap(ipv4(udp(message("example.org"))))], number))
    assert names(queries) == ["example.org"]
    assert not skipped


def test_extension_headers_are_passed_over() -> None:
    extension = bytes((17, 0)) + bytes(6)
    frame = ipv6(extension + udp(message("example.org")), protocol=0)
    assert names(read(pcap([frame], 101))[0]) == ["example.org"]


def test_padding_behind_a_packet_is_no_part_of_it() -> None:
    frame = ethernet(ipv4(udp(message("example.org")))) + b"\xff" * 20
    query = read(pcap([frame]))[0][0]
    assert query.tail == message("example.org")[2:]


def test_what_cannot_be_read_is_counted() -> None:
    frames = [
        ethernet(ipv4(udp(message("example.org")), fragment=True)),
        ethernet(ipv4(udp(message("example.org"))[:6])),
        ethernet(ipv4(udp(b"short"))),
        ethernet(ipv6(bytes(16), protocol=44), 0x86DD),
        b"",
    ]
    queries, skipped = read(pcap(frames))
    assert not queries
    assert skipped == {
        "a fragment of a packet": 2,
        "a packet that is cut short": 1,
        "a message shorter than a DNS header": 1,
    }
    assert read(pcap([b"wifi"], 105))[1] == {"a packet of link type 105, which is not read": 1}


def framed(name: str) -> bytes:
    return len(message(name)).to_bytes(2) + message(name)


def stream(*segments: tuple[int, bytes], start: int = 1000) -> bytes:
    frames = [ethernet(ipv4(tcp(b"", start, dpkt.tcp.TH_SYN), dpkt.ip.IP_PROTO_TCP))]
    frames += [
        ethernet(ipv4(tcp(payload, (start + 1 + offset) % 2**32), dpkt.ip.IP_PROTO_TCP))
        for offset, payload in segments
    ]
    return pcap(frames)


@pytest.mark.parametrize("start", [1000, 2**32 - 10], ids=["plain", "sequence wraps"])
def test_tcp_messages_over_segments(start: int) -> None:
    both = framed("one.example.org") + framed("two.example.org")
    parts = [(0, both[:1]), (1, both[1:20]), (1, both[1:20]), (20, b""), (20, both[20:])]
    queries, skipped = read(stream(*parts, start=start))
    assert names(queries) == ["one.example.org", "two.example.org"]
    assert not skipped


def test_a_gap_in_tcp_is_counted() -> None:
    whole = framed("one.example.org")
    queries, skipped = read(stream((0, whole[:10]), (15, whole[15:])))
    assert not queries
    assert skipped == {"a TCP stream with a gap": 1}


@pytest.mark.parametrize("form", FORMS)
def test_a_capture_cut_anywhere_gives_what_is_whole(form: str) -> None:
    frames = [ethernet(ipv4(udp(message(f"{n}.example.org")))) for n in "abc"]
    whole = FORMS[form](frames)
    for length in range(4, len(whole)):
        found: list[Query] = []
        with contextlib.suppress(CutShortError):
            found.extend(from_capture(io.BytesIO(whole[:length]), lambda _: None))
        assert len(found) < 3


@pytest.mark.parametrize(
    "damaged",
    [
        struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        + struct.pack("<4I", 1, 0, 1 << 31, 1 << 31),
        b"\x0a\x0d\x0d\x0a" + bytes(8),
        block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(6, bytes(24)),
        block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1)) + struct.pack(">II", 6, 5),
    ],
    ids=["huge packet", "no byte order", "no interface", "odd block"],
)
def test_damaged_captures_are_refused(damaged: bytes) -> None:
    with pytest.raises(UsageError, match="damaged"):
        read(damaged)
