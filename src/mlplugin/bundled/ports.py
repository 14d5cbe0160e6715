"""Addresses to listen on: reading them, finding out beforehand whether they can be had."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlplugin.errors import PortError, UsageError

TCP_LISTEN = "0A"
# Few enough that most of the ports that the system gives (28,000 on Linux) are left.
_given: deque[int] = deque(maxlen=1000)
# Linux names a socket by its family in /proc/net.
TABLES = {
    (socket.AF_INET, socket.SOCK_STREAM): "tcp",
    (socket.AF_INET, socket.SOCK_DGRAM): "udp",
    (socket.AF_INET6, socket.SOCK_STREAM): "tcp6",
    (socket.AF_INET6, socket.SOCK_DGRAM): "udp6",
}


@dataclass(frozen=True)
class Endpoint:
    """An IP address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """The usual text form, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def family(self) -> socket.AddressFamily:
        """IPv4 or IPv6."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def reachable_host(self) -> str:
        """Where a client on this machine finds what listens here."""
        address = ipaddress.ip_address(self.host)
        if not address.is_unspecified:
            return self.host
        return "::1" if address.version == 6 else "127.0.0.1"

    @property
    def reachable(self) -> Endpoint:
        """The endpoint as a client on this machine dials it."""
        return Endpoint(self.reachable_host, self.port)


def parse_endpoint(text: str, default_port: int) -> Endpoint:
    """Read `ADDRESS`, `ADDRESS:PORT`, `[IPv6]:PORT`, `:PORT` or `localhost:PORT`.

    Raises UsageError.
    """
    match = re.fullmatch(r"\[([^]]*)\](?::(\d+))?|([^:]*)(?::(\d+))?", text.strip())
    if match:
        host, port = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
    else:
        host, port = text.strip(), None
    host = {"": "0.0.0.0", "localhost": "127.0.0.1"}.get(host, host)  # noqa: S104 - as `:53` says
    number = default_port if port is None else int(port)
    try:
        host = str(ipaddress.ip_address(host))
    except ValueError:
        raise UsageError(f"{text!r} is no address: write it as 127.0.0.1:1053") from None
    if number > 65535:
        raise UsageError(f"{text!r}: a port is at most 65535")
    return Endpoint(host, number)


def free_port(host: str = "127.0.0.1") -> int:
    """Give a port that is free for TCP and UDP just now, and was not given to this process lately.

    CoreDNS listens with SO_REUSEPORT: two of its servers on one port do not clash, each gets
    every other connection.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with (
            socket.socket(family, socket.SOCK_STREAM) as tcp,
            socket.socket(family, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind((host, 0))
            port: int = tcp.getsockname()[1]
            if port in _given:
                continue
            try:
                udp.bind((host, port))
            except OSError as fault:
                if fault.errno != errno.EADDRINUSE:
                    raise
            else:
                _given.append(port)
                return port


def require_free(endpoint: Endpoint, kinds: tuple[socket.SocketKind, ...], option: str) -> None:
    """Raise PortError, in one line that says what to do, if the endpoint cannot be had.

    `kinds` are the socket kinds to be listened on; `option` is what moves it elsewhere.
    """
    for kind in kinds:
        with socket.socket(endpoint.family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((endpoint.host, endpoint.port))
            except OSError as fault:
                raise PortError(_refusal(endpoint, kind, option, fault)) from None


def _refusal(endpoint: Endpoint, kind: socket.SocketKind, option: str, fault: OSError) -> str:
    where = f"{endpoint} ({'TCP' if kind == socket.SOCK_STREAM else 'UDP'})"
    if fault.errno == errno.EADDRINUSE:
        user = who_listens(endpoint, kind)
        by = f" by {user}" if user else ""
        return f"{where} is in use{by}: stop it, or choose another port with {option}"
    if fault.errno == errno.EACCES:
        return (
            f"no right to listen on {where}: choose a port from 1024 up with {option}, "
            f"run as root, or `sysctl net.ipv4.ip_unprivileged_port_start={endpoint.port}`"
        )
    if fault.errno == errno.EADDRNOTAVAIL:
        return f"{endpoint.host} is no address of this machine: choose one with {option}"
    return f"cannot listen on {where}: {fault.strerror}"


def who_listens(endpoint: Endpoint, kind: socket.SocketKind) -> str | None:
    """Name the process that holds the port, as far as Linux lets this user see it."""
    pid = listener(endpoint, kind)
    return None if pid is None else named(pid)


def named(pid: int) -> str:
    """Name a process as the messages do."""
    try:
        name = (Path("/proc") / str(pid) / "comm").read_text().strip()
    except OSError:
        name = "a process"
    return f"{name} (process {pid})"


def listener(endpoint: Endpoint, kind: socket.SocketKind) -> int | None:
    """The id of the process that holds the port, as far as Linux lets this user see it."""
    inodes = set(_inodes(endpoint, kind))
    return next(_open_in(inodes.__contains__), None) if inodes else None


def listening(pid: int) -> list[Endpoint]:
    """The TCP endpoints that a process listens on, as far as Linux lets this user see them."""
    found = []
    for family in (socket.AF_INET, socket.AF_INET6):
        for columns in _sockets(family, socket.SOCK_STREAM):
            inode = f"socket:[{columns[9]}]"
            if columns[3] == TCP_LISTEN and pid in _open_in(inode.__eq__, pid):
                found.append(_endpoint(columns[1], family))
    return found


def _endpoint(text: str, family: socket.AddressFamily) -> Endpoint:
    """Read `ADDRESS:PORT` of /proc/net: hexadecimal, the address in words of this machine."""
    address, _, port = text.rpartition(":")
    octets = bytes.fromhex(address)
    words = [int.from_bytes(octets[at : at + 4], sys.byteorder) for at in range(0, len(octets), 4)]
    packed = b"".join(word.to_bytes(4, "big") for word in words)
    return Endpoint(socket.inet_ntop(family, packed), int(port, 16))


def holders(directory: Path) -> list[int]:
    """The processes that have a file open in a directory, as far as this user may see them."""
    start = f"{directory.resolve()}/"
    own = os.getpid()
    return [pid for pid in _open_in(lambda target: target.startswith(start)) if pid != own]


def _open_in(wanted: Callable[[str], bool], pid: int | None = None) -> Iterator[int]:
    """The processes that have open what is wanted, by where /proc says their files point.

    Only the one of `pid` is looked at if that is given.
    """
    for process in Path("/proc").glob("[0-9]*" if pid is None else str(pid)):
        with contextlib.suppress(OSError):
            for handle in (process / "fd").iterdir():
                try:
                    found = wanted(str(handle.readlink()))
                except OSError:
                    continue
                if found:
                    yield int(process.name)
                    break


def parent_of(pid: int) -> int | None:
    """The id of a process's parent, where Linux tells it."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _inodes(endpoint: Endpoint, kind: socket.SocketKind) -> Iterator[str]:
    for family in (socket.AF_INET, socket.AF_INET6):
        for columns in _sockets(family, kind):
            listens = kind == socket.SOCK_DGRAM or columns[3] == TCP_LISTEN
            if listens and int(columns[1].rpartition(":")[2], 16) == endpoint.port:
                yield f"socket:[{columns[9]}]"


def _sockets(family: socket.AddressFamily, kind: socket.SocketKind) -> list[list[str]]:
    """The columns of Linux's table of sockets; none where it has no such table."""
    try:
        rows = (Path("/proc/net") / TABLES[family, kind]).read_text().splitlines()[1:]
    except OSError:
        return []
    return [row.split() for row in rows]
