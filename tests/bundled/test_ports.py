from __future__ import annotations

import os
import socket
import sys

import pytest

from mlplugin.bundled.ports import (
    Endpoint,
    free_port,
    listening,
    parse_endpoint,
    require_free,
    who_listens,
)
from mlplugin.errors import PortError, UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:1053", Endpoint("127.0.0.1", 1053)),
        ("192.0.2.1", Endpoint("192.0.2.1", 53)),
        ("localhost:5300", Endpoint("127.0.0.1", 5300)),
        (":5300", Endpoint("0.0.0.0", 5300)),
        ("[::1]:5300", Endpoint("::1", 5300)),
        ("[2001:DB8::1]", Endpoint("2001:db8::1", 53)),
        ("2001:db8::1", Endpoint("2001:db8::1", 53)),
    ],
)
def test_endpoints(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text, 53) == expected
    assert parse_endpoint(str(expected), 1) == expected


@pytest.mark.parametrize(
    "text", ["nowhere:53", "127.0.0.1:65536", "127.0.0.1:dns", "1.2.3", "[::1"]
)
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:1053|at most 65535"):
        parse_endpoint(text, 53)


def test_where_a_client_finds_it() -> None:
    assert str(Endpoint("0.0.0.0", 53).reachable) == "127.0.0.1:53"
    assert str(Endpoint("::", 53).reachable) == "[::1]:53"
    assert str(Endpoint("192.0.2.1", 53).reachable) == "192.0.2.1:53"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_a_port_in_use_is_named_with_its_user(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        # As CoreDNS binds: without a look beforehand, a second one would share the port.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        endpoint = Endpoint("127.0.0.1", other.getsockname()[1])
        with pytest.raises(PortError) as caught:
            require_free(endpoint, (socket.SOCK_STREAM, socket.SOCK_DGRAM), "--dns")
        message = str(caught.value)
        assert str(endpoint) in message
        assert "--dns" in message
        assert "\n" not in message
        if sys.platform.startswith("linux"):
            assert f"(process {os.getpid()})" in message
    require_free(endpoint, (kind,), "--dns")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_nobody_listens_on_a_free_port() -> None:
    assert who_listens(Endpoint("127.0.0.1", free_port()), socket.SOCK_STREAM) is None


def test_free_ports_are_not_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of one CoreDNS on one port share its connections, and say nothing."""
    first = free_port()
    bind = socket.socket.bind
    offered = iter([first, first])

    def offer_again(self: socket.socket, address: tuple[str, int]) -> None:
        bind(self, (address[0], next(offered, 0)) if address[1] == 0 else address)

    monkeypatch.setattr(socket.socket, "bind", offer_again)
    assert free_port() != first


def test_a_free_port_is_free_for_udp_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        held = other.getsockname()[1]
        bind = socket.socket.bind
        offered = iter([held])

        def offer_held(self: socket.socket, address: tuple[str, int]) -> None:
            bind(self, (address[0], next(offered, 0)) if address[1] == 0 else address)

        monkeypatch.setattr(socket.socket, "bind", offer_held)
        assert free_port() != held


def test_an_address_of_another_machine() -> None:
    with pytest.raises(PortError, match=r"192\.0\.2\.1 is no address of this machine"):
        require_free(Endpoint("192.0.2.1", 1053), (socket.SOCK_DGRAM,), "--dns")


def test_a_port_without_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(PortError, match=r"no right to listen on 127\.0\.0\.1:53 \(TCP\).*--dns"):
        require_free(Endpoint("127.0.0.1", 53), (socket.SOCK_STREAM,), "--dns")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "0.0.0.0", "::1", "::"])
def test_what_a_process_listens_on(host: str) -> None:
    before = listening(os.getpid())
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server, socket.socket(family) as idle:
        server.bind((host, 0))
        idle.bind((host, 0))
        server.listen()
        found = [place for place in listening(os.getpid()) if place not in before]
        assert found == [Endpoint(host, server.getsockname()[1])]
    assert listening(os.getpid()) == before
    assert listening(2**22 + 1) == []
