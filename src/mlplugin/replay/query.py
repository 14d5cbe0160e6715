"""One query to send, made from the octets of its labels or from a captured message."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mlplugin.errors import MlpluginError

HEADER = struct.Struct("!6H")
QUESTION_TAIL = struct.Struct("!2H")
RECURSION_DESIRED = 0x0100
# Of a captured header: recursion desired, authentic data, checking disabled.
KEPT_FLAGS = 0x0130
CLASS_IN = 1
TYPE_A = 1
TYPE_OPT = 41
LONGEST_NAME = 255
LONGEST_LABEL = 63


class SkippedError(MlpluginError):
    """A record that cannot be sent as a query; the message is the reason it is counted under."""

    exit_code = 2


class Client(NamedTuple):
    """Whose query it was: a packed IPv4 or IPv6 address, and the port."""

    address: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Query:
    """A DNS message but for its first two octets, the id; and its client, where known."""

    tail: bytes
    client: Client | None = None


def name_octets(labels: Sequence[bytes]) -> bytes:
    """Give a name in wire form. Raises SkippedError if DNS cannot carry it."""
    for label in labels:
        if not label:
            raise SkippedError("a name with an empty label")
        if len(label) > LONGEST_LABEL:
            raise SkippedError("a label over 63 octets")
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    if len(wire) > LONGEST_NAME:
        raise SkippedError("a name over 255 octets")
    return wire


def make_query(
    labels: Sequence[bytes], qtype: int, qclass: int = CLASS_IN, client: Client | None = None
) -> Query:
    """Give a query with recursion desired. Raises SkippedError if DNS cannot carry it."""
    if not (0 <= qtype <= 0xFFFF and 0 <= qclass <= 0xFFFF):
        raise SkippedError("a query type or class over 65535")
    head = HEADER.pack(0, RECURSION_DESIRED, 1, 0, 0, 0)[2:]
    return Query(head + name_octets(labels) + QUESTION_TAIL.pack(qtype, qclass), client)


def from_message(message: bytes, client: Client | None = None) -> Query:
    """Give the query that a captured message is: its question and its EDNS, octet by octet.

    Raises SkippedError for what is no query: answers, other opcodes, malformed messages.
    """
    if len(message) < HEADER.size:
        raise SkippedError("a message shorter than a DNS header")
    _, flags, questions, answers, authorities, extras = HEADER.unpack_from(message)
    if flags & 0x8000:
        raise SkippedError("an answer, not a query")
    if flags & 0x7800:
        raise SkippedError("an opcode other than QUERY")
    if questions != 1:
        raise SkippedError("not exactly one question")
    end = _end_of_name(message, HEADER.size) + QUESTION_TAIL.size
    if end > len(message):
        raise SkippedError("a question that is cut short")
    edns = b""
    if (answers, authorities, extras) == (0, 0, 1):
        edns = _opt(message[end:])
    head = HEADER.pack(0, flags & KEPT_FLAGS, 1, 0, 0, 1 if edns else 0)[2:]
    return Query(head + message[HEADER.size : end] + edns, client)


def _end_of_name(message: bytes, start: int) -> int:
    """Where the question's name ends; a pointer has no place there."""
    at = start
    while at < len(message):
        length = message[at]
        if length == 0:
            if at + 1 - start > LONGEST_NAME:
                raise SkippedError("a name over 255 octets")
            return at + 1
        if length > LONGEST_LABEL:
            raise SkippedError("a question with a compressed or malformed name")
        at += 1 + length
    raise SkippedError("a question that is cut short")


def _opt(record: bytes) -> bytes:
    """The record if it is one whole OPT record, else nothing (a signature would not hold)."""
    if len(record) < 11 or record[0] != 0 or int.from_bytes(record[1:3]) != TYPE_OPT:
        return b""
    length = int.from_bytes(record[9:11])
    return record[: 11 + length] if len(record) >= 11 + length else b""
