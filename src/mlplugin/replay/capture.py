"""Queries out of packet captures: pcap and pcapng, UDP and TCP to port 53."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from mlplugin.errors import UsageError
from mlplugin.replay.packets import Streams, segment_of
from mlplugin.replay.query import Client, Query, SkippedError, from_message

Skip = Callable[[str], None]
PCAP_MAGIC = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",
}
PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
LONGEST_BLOCK = 64 << 20
INTERFACE_BLOCK, OLD_PACKET_BLOCK, SIMPLE_BLOCK, PACKET_BLOCK = 1, 2, 3, 6
PORT = 53


class CutShortError(UsageError):
    """A file that ends in the middle of something."""


def from_capture(stream: BinaryIO, skip: Skip) -> Iterator[Query]:
    """Queries of a capture, in its order. Raises CutShortError, UsageError."""
    magic = stream.read(4)
    frames = _pcapng(stream) if magic == PCAPNG_MAGIC else _pcap(stream, magic)
    streams = Streams()
    for link, frame in frames:
        try:
            segment = segment_of(link, frame)
            if segment is None or segment.target_port != PORT:
                continue
            messages = streams.messages(segment) if segment.tcp else [segment.payload]
        except SkippedError as reason:
            skip(str(reason))
            continue
        client = Client(segment.source, segment.source_port)
        for message in messages:
            try:
                yield from_message(message, client)
            except SkippedError as reason:
                skip(str(reason))


def _exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise CutShortError("the capture is cut short")
    return content


def _pcap(stream: BinaryIO, magic: bytes) -> Iterator[tuple[int, bytes]]:
    """(link type, frame) of each packet of a classic capture."""
    order = PCAP_MAGIC[magic]
    (link,) = struct.unpack(f"{order}I", _exactly(stream, 20)[16:])
    record = struct.Struct(f"{order}4I")
    while header := stream.read(record.size):
        if len(header) != record.size:
            raise CutShortError("the capture is cut short")
        captured = record.unpack(header)[2]
        if captured > LONGEST_BLOCK:
            raise UsageError("the capture is damaged: a packet of more than 64 MiB")
        yield link & 0xFFFF, _exactly(stream, captured)


def _pcapng(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(link type, frame) of each packet of a pcapng file, all sections; its magic was read."""
    order = ""
    links: list[int] = []
    kind_octets = PCAPNG_MAGIC
    while kind_octets:
        if kind_octets == PCAPNG_MAGIC:
            length_octets, mark = _exactly(stream, 4), _exactly(stream, 4)
            if mark not in BYTE_ORDER:
                raise UsageError("the capture is damaged: a section without a byte order")
            order, links, read = BYTE_ORDER[mark], [], 12
        else:
            length_octets, read = _exactly(stream, 4), 8
        (length,) = struct.unpack(f"{order}I", length_octets)
        if not read + 4 <= length <= LONGEST_BLOCK or length % 4:
            raise UsageError(f"the capture is damaged: a block of {length} octets")
        body = _exactly(stream, length - read)[:-4]
        (kind,) = struct.unpack(f"{order}I", kind_octets)
        if kind == INTERFACE_BLOCK and len(body) >= 2:
            links.append(struct.unpack_from(f"{order}H", body)[0])
        elif kind_octets != PCAPNG_MAGIC:
            yield from _packet(kind, body, order, links)
        kind_octets = stream.read(4)
        if 0 < len(kind_octets) < 4:
            raise CutShortError("the capture is cut short")


def _packet(kind: int, body: bytes, order: str, links: list[int]) -> Iterator[tuple[int, bytes]]:
    """The frame of one packet block; nothing for blocks of other kinds."""
    if kind == PACKET_BLOCK:
        layout, start = f"{order}I8xI", 20
    elif kind == OLD_PACKET_BLOCK:
        layout, start = f"{order}H10xI", 20
    elif kind == SIMPLE_BLOCK:
        if links and len(body) >= 4:
            (original,) = struct.unpack_from(f"{order}I", body)
            yield links[0], body[4 : 4 + original]
        return
    else:
        return
    if len(body) < start:
        raise UsageError("the capture is damaged: a packet block that is too short")
    interface, captured = struct.unpack_from(layout, body)
    if interface >= len(links):
        raise UsageError("the capture is damaged: a packet of an interface that is not described")
    yield links[interface], body[start : start + captured]
