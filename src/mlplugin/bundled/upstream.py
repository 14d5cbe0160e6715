"""A scripted upstream: a DNS server on loopback that answers by rule, fast and the same every time.

The self-test and the tests forward to it in place of the internet.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import select
import socket
import struct
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TYPES = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "DNAME": 39,
}
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}
ALIASES = frozenset({TYPES["CNAME"], TYPES["DNAME"]})
ANY = 255
HEADER = 12
RECEIVE_BUFFER = 8 << 20
MOST_KNOWN = 200_000
USAGE = "usage: python -m mlplugin.bundled.upstream SCRIPT.json [PORT]"
POINTER_TO_QUESTION = b"\xc0\x0c"


@dataclass(frozen=True)
class Record:
    """One record of an answer; `owner` None stands for the name that was asked."""

    type: str
    data: str
    ttl: int = 60
    owner: str | None = None


@dataclass(frozen=True)
class Reply:
    """What to answer: an rcode and records. A record of another type than asked is left out,
    unless it is an alias; `silent` answers nothing at all.
    """

    rcode: str = "NOERROR"
    records: tuple[Record, ...] = ()
    silent: bool = False


@dataclass(frozen=True)
class Script:
    """Replies by name: `names` exactly, then the longest of `zones` at or above, then `default`.

    Names are lower case without a trailing dot, in presentation form.
    """

    names: Mapping[str, Reply] = field(default_factory=dict)
    zones: Mapping[str, Reply] = field(default_factory=dict)
    default: Reply = Reply(records=(Record("A", "192.0.2.1"), Record("AAAA", "2001:db8::1")))

    def to_json(self) -> str:
        """Write the script as JSON, for a server in a process of its own."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Script:
        """Read what `to_json` wrote."""
        content = json.loads(text)
        return cls(
            names={name: _reply(value) for name, value in content["names"].items()},
            zones={name: _reply(value) for name, value in content["zones"].items()},
            default=_reply(content["default"]),
        )


def _reply(value: Mapping[str, Any]) -> Reply:
    records = tuple(Record(**record) for record in value["records"])
    return Reply(rcode=value["rcode"], records=records, silent=value["silent"])


def _wire_name(name: str) -> bytes:
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def _rdata(record: Record) -> bytes:
    words = record.data.split()
    match record.type:
        case "A" | "AAAA":
            return ipaddress.ip_address(record.data).packed
        case "CNAME" | "DNAME" | "NS" | "PTR":
            return _wire_name(record.data)
        case "MX":
            return struct.pack("!H", int(words[0])) + _wire_name(words[1])
        case "TXT":
            octets = record.data.encode()
            parts = [octets[at : at + 255] for at in range(0, len(octets), 255)] or [b""]
            return b"".join(bytes((len(part),)) + part for part in parts)
        case "SOA":
            return (
                _wire_name(words[0])
                + _wire_name(words[1])
                + struct.pack("!5I", *map(int, words[2:]))
            )
    raise ValueError(f"no rule for records of type {record.type}")


class _Compiled:
    """A reply as octets: for each type, what follows the question."""

    def __init__(self, reply: Reply) -> None:
        self.silent = reply.silent
        self.rcode = RCODES[reply.rcode]
        self._records: list[tuple[int, bytes]] = []
        for record in reply.records:
            owner = POINTER_TO_QUESTION if record.owner is None else _wire_name(record.owner)
            number, data = TYPES[record.type], _rdata(record)
            fixed = struct.pack("!HHIH", number, 1, record.ttl, len(data))
            self._records.append((number, owner + fixed + data))
        self._by_type: dict[int, bytes] = {}

    def after_question(self, qtype: int) -> bytes:
        """Record count and records for a query type: those of the type and the aliases."""
        known = self._by_type.get(qtype)
        if known is None:
            fitting = [
                octets
                for number, octets in self._records
                if number in ALIASES or qtype in {number, ANY}
            ]
            known = len(fitting).to_bytes(2) + b"".join(fitting)
            self._by_type[qtype] = known
        return known


class Upstream:
    """The server: UDP and TCP on one port of `host`, in threads of its own.

    `queries` counts what arrived. Use it as a context manager.
    """

    def __init__(self, script: Script, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind. Raises OSError if the port cannot be had."""
        self.queries = 0
        self._names = {name: _Compiled(reply) for name, reply in script.names.items()}
        self._zones = {name: _Compiled(reply) for name, reply in script.zones.items()}
        self._default = _Compiled(script.default)
        # Everything after the id decides the reply, so equal queries are answered from here.
        self._known: dict[bytes, bytes | None] = {}
        self._udp, self._tcp = _bound(host, port)
        self.port: int = self._udp.getsockname()[1]
        self._end, self._ended = socket.socketpair()
        self._threads = [
            threading.Thread(target=target, name=f"upstream {name}", daemon=True)
            for name, target in (("udp", self._serve_udp), ("tcp", self._serve_tcp))
        ]

    def __enter__(self) -> Upstream:
        """Start answering."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering and close the port."""
        self._end.close()
        for thread in self._threads:
            thread.join()
        for open_socket in (self._udp, self._tcp, self._ended):
            open_socket.close()

    def reply_to(self, message: bytes) -> bytes | None:
        """Give the reply to a message; None where the script is silent or it is no query."""
        self.queries += 1
        rest = message[2:]
        try:
            known = self._known[rest]
        except KeyError:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[rest] = self._made(rest)
        return None if known is None else message[:2] + known

    def _made(self, rest: bytes) -> bytes | None:
        """The reply to a message without its id, without the id as well."""
        labels, at = [], HEADER - 2
        while at < len(rest) and 0 < rest[at] < 64:
            labels.append(rest[at + 1 : at + 1 + rest[at]].decode("latin-1").lower())
            at += 1 + rest[at]
        end = at + 5
        if len(rest) < end or rest[at] or rest[0] & 0x80:
            return None
        compiled = self._chosen(labels)
        if compiled.silent:
            return None
        qtype = int.from_bytes(rest[at + 1 : at + 3])
        flags = 0x8080 | (rest[0] & 0x01) << 8 | compiled.rcode
        answer = compiled.after_question(qtype)
        counts = b"\0\1" + answer[:2] + b"\0\0\0\0"
        return flags.to_bytes(2) + counts + rest[HEADER - 2 : end] + answer[2:]

    def _chosen(self, labels: Sequence[str]) -> _Compiled:
        exact = self._names.get(".".join(labels))
        if exact is not None:
            return exact
        for start in range(len(labels)) if self._zones else ():
            zone = self._zones.get(".".join(labels[start:]))
            if zone is not None:
                return zone
        return self._default

    def _serve_udp(self) -> None:
        poller = select.poll()
        poller.register(self._udp, select.POLLIN)
        poller.register(self._ended, select.POLLIN | select.POLLHUP)
        receive, send, reply_to = self._udp.recvfrom, self._udp.sendto, self.reply_to
        while True:
            try:
                message, client = receive(4096)
            except BlockingIOError:
                if any(handle == self._ended.fileno() for handle, _ in poller.poll()):
                    return
                continue
            reply = reply_to(message)
            if reply is not None:
                with contextlib.suppress(OSError):
                    send(reply, client)

    def _serve_tcp(self) -> None:
        poller = select.poll()
        poller.register(self._tcp, select.POLLIN)
        poller.register(self._ended, select.POLLIN | select.POLLHUP)
        while not any(handle == self._ended.fileno() for handle, _ in poller.poll()):
            with contextlib.suppress(OSError):
                connection, _ = self._tcp.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as stream:
            connection.settimeout(30)
            while len(length := stream.read(2)) == 2:
                reply = self.reply_to(stream.read(int.from_bytes(length)))
                if reply is None:
                    return
                connection.sendall(len(reply).to_bytes(2) + reply)


def _bound(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a listening TCP socket on one port, a free one if `port` is 0."""
    for attempt in range(50):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            udp.bind((host, port))
            tcp.bind((host, udp.getsockname()[1]))
            tcp.listen(128)
        except OSError:
            udp.close()
            tcp.close()
            if port or attempt == 49:
                raise
            continue
        udp.setblocking(False)
        tcp.setblocking(False)
        return udp, tcp
    raise AssertionError("the loop above returns or raises")


def main() -> None:
    """Run a server alone: `python -m mlplugin.bundled.upstream SCRIPT.json [PORT]`.

    Prints its port, and ends when standard input does, so that it never outlives its parent.
    """
    arguments = sys.argv[1:]
    if {"-h", "--help"} & set(arguments):
        print(USAGE)
        return
    if len(arguments) not in {1, 2} or not all(port.isdecimal() for port in arguments[1:]):
        sys.exit(USAGE)
    script = Script.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with Upstream(script, port=int(sys.argv[2]) if len(sys.argv) > 2 else 0) as server:
        print(server.port, flush=True)
        sys.stdin.buffer.read()
        print(server.queries, flush=True)


if __name__ == "__main__":
    main()
