"""Ask a live server for many names, each once, and see which it blocks."""

from __future__ import annotations

import collections
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlplugin.qname import from_wire
from mlplugin.replay.query import name_octets
from mlplugin.replay.source import Source

HEADER = 12
AT_ONCE = 200
NXDOMAIN = 3
TRIES = 20
# Recursion desired, one question; type A, class IN.
FRONT, BACK = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", b"\x00\x01\x00\x01"


@dataclass(frozen=True)
class Traffic:
    """Names of some logs, as they stand in messages, with how often each is asked for."""

    title: str
    names: collections.Counter[bytes]


def traffic(title: str, logs: Iterable[Path]) -> Traffic:
    """Read logs and captures."""
    names: collections.Counter[bytes] = collections.Counter()
    for log in logs:
        with Source(log) as source:
            for query in source.queries():
                if (name := _name(query.tail)) is not None:
                    names[name] += 1
    return Traffic(title, names)


def _name(tail: bytes) -> bytes | None:
    """The name of the first question of a message without its id, in lower case."""
    at = HEADER - 2
    begin = at
    while at < len(tail) and tail[at]:
        if tail[at] > 63:
            return None
        at += tail[at] + 1
    # octets of lengths are below the letters, and stay as they are
    return tail[begin : at + 1].lower() if begin < at < len(tail) else None


def octets(names: Iterable[str]) -> list[bytes]:
    """Names as they stand in messages."""
    return [name_octets([label.encode() for label in name.split(".")]) for name in names]


def text(name: bytes) -> str:
    """A name in words."""
    labels, at = [], 0
    while name[at]:
        labels.append(name[at + 1 : at + 1 + name[at]])
        at += name[at] + 1
    return from_wire(labels)


def blocked(port: int, names: Sequence[bytes]) -> set[bytes]:
    """Those of the names that are answered with NXDOMAIN."""
    found: set[bytes] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect(("127.0.0.1", port))
        wire.settimeout(0.5)
        for at in range(0, len(names), AT_ONCE):
            found |= _asked(wire, names[at : at + AT_ONCE])
    return found


def _asked(wire: socket.socket, names: Sequence[bytes]) -> set[bytes]:
    open_, found = dict(enumerate(names)), set()
    for _ in range(TRIES):
        for number, name in open_.items():
            wire.send(number.to_bytes(2, "big") + FRONT + name + BACK)
        while open_:
            try:
                answer = wire.recv(4096)
            except TimeoutError:
                break
            number = int.from_bytes(answer[:2], "big")
            asked = open_.get(number)
            # one that was asked for again is answered twice, maybe when others have its number
            if asked is None or answer[HEADER : HEADER + len(asked)].lower() != asked.lower():
                continue
            del open_[number]
            if answer[3] & 15 == NXDOMAIN:
                found.add(asked)
        if not open_:
            return found
    raise AssertionError(f"no answer for {len(open_)} names")
