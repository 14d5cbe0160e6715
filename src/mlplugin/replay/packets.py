"""From a frame to the octets that UDP or TCP carried, and from TCP segments to messages."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mlplugin.replay.query import SkippedError

IPV4, IPV6 = 0x0800, 0x86DD
VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
TCP, UDP, FRAGMENT = 6, 17, 44
# Hop-by-hop, routing, destination options: each says its length in units of 8 octets.
EXTENSIONS = frozenset({0, 43, 60})
SYN = 0x02
MOST_STREAMS = 10_000
LONGEST_STREAM = 2 + 65_535

# Link types (tcpdump.org): how many octets precede the packet, and where its type stands.
ETHERNET, LINUX_SLL, LINUX_SLL2 = 1, 113, 276
RAW = frozenset({12, 14, 101, 228, 229})
BSD_LOOPBACK = frozenset({0, 108})


@dataclass(frozen=True, slots=True)
class Segment:
    """A UDP datagram or TCP segment: packed source and target addresses, ports, content."""

    source: bytes
    source_port: int
    target: bytes
    target_port: int
    tcp: bool
    payload: bytes
    sequence: int = 0
    opens: bool = False


def segment_of(link: int, frame: bytes) -> Segment | None:
    """Read one frame; None if it carries neither UDP nor TCP.

    Raises SkippedError for link types that are not known, fragments, and what is cut short.
    """
    packet = _packet(link, frame)
    if not packet:
        return None
    version = packet[0] >> 4
    if version == 4 and len(packet) >= 20:
        return _ipv4(packet)
    if version == 6 and len(packet) >= 40:
        return _ipv6(packet)
    return None


def _packet(link: int, frame: bytes) -> bytes:
    """The IP packet inside a frame, or nothing."""
    if link in RAW:
        return frame
    if link in BSD_LOOPBACK:
        return frame[4:]
    if link == ETHERNET:
        at = 12
        while int.from_bytes(frame[at : at + 2]) in VLAN_TAGS:
            at += 4
    elif link == LINUX_SLL:
        at = 14
    elif link == LINUX_SLL2:
        return frame[20:] if int.from_bytes(frame[:2]) in {IPV4, IPV6} else b""
    else:
        raise SkippedError(f"a packet of link type {link}, which is not read")
    return frame[at + 2 :] if int.from_bytes(frame[at : at + 2]) in {IPV4, IPV6} else b""


def _ipv4(packet: bytes) -> Segment | None:
    header = (packet[0] & 0xF) * 4
    total = int.from_bytes(packet[2:4])
    protocol = packet[9]
    if protocol not in {TCP, UDP}:
        return None
    if int.from_bytes(packet[6:8]) & 0x3FFF:
        raise SkippedError("a fragment of a packet")
    # Network cards that cut packets leave 0 as the length of what was captured before the cut.
    end = total if total >= header else len(packet)
    return _transport(protocol, packet[12:16], packet[16:20], packet[header:end])


def _ipv6(packet: bytes) -> Segment | None:
    kind, at = packet[6], 40
    end = 40 + int.from_bytes(packet[4:6]) if packet[4:6] != b"\0\0" else len(packet)
    while kind in EXTENSIONS and at + 8 <= len(packet):
        kind, at = packet[at], at + 8 + packet[at + 1] * 8
    if kind == FRAGMENT:
        raise SkippedError("a fragment of a packet")
    if kind not in {TCP, UDP}:
        return None
    return _transport(kind, packet[8:24], packet[24:40], packet[at:end])


def _transport(protocol: int, source: bytes, target: bytes, content: bytes) -> Segment:
    if len(content) < (8 if protocol == UDP else 20):
        raise SkippedError("a packet that is cut short")
    source_port, target_port = struct.unpack_from("!2H", content)
    if protocol == UDP:
        length = int.from_bytes(content[4:6])
        return Segment(source, source_port, target, target_port, False, content[8 : max(length, 8)])
    offset = (content[12] >> 4) * 4
    return Segment(
        source,
        source_port,
        target,
        target_port,
        True,
        content[offset:],
        int.from_bytes(content[4:8]),
        bool(content[13] & SYN),
    )


class Streams:
    """Joins TCP segments that arrive in order into length-prefixed messages."""

    def __init__(self) -> None:
        self._open: dict[tuple[bytes, int, bytes, int], tuple[int, bytes]] = {}

    def messages(self, segment: Segment) -> list[bytes]:
        """Give the messages that this segment completes.

        What was sent again is left out. Raises SkippedError where the capture has a gap.
        """
        key = (segment.source, segment.source_port, segment.target, segment.target_port)
        if segment.opens:
            self._keep(key, (segment.sequence + 1) & 0xFFFFFFFF, b"")
            return []
        if not segment.payload:
            return []
        # A capture may begin in mid-stream: the first segment seen is taken as a message's start.
        expected, held = self._open.get(key, (segment.sequence, b""))
        ahead = (segment.sequence - expected) & 0xFFFFFFFF
        if ahead >= 0x80000000:
            return []
        if ahead:
            self._open.pop(key, None)
            raise SkippedError("a TCP stream with a gap")
        content = held + segment.payload
        found, at = [], 0
        while len(content) - at >= 2:
            end = at + 2 + int.from_bytes(content[at : at + 2])
            if end > len(content):
                break
            found.append(content[at + 2 : end])
            at = end
        following = (segment.sequence + len(segment.payload)) & 0xFFFFFFFF
        self._keep(key, following, content[at:][:LONGEST_STREAM])
        return found

    def _keep(self, key: tuple[bytes, int, bytes, int], expected: int, held: bytes) -> None:
        if key not in self._open and len(self._open) >= MOST_STREAMS:
            self._open.pop(next(iter(self._open)))
        self._open[key] = (expected, held)
