"""The sender against real sockets: the scripted upstream, a mute one, a closed port."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from mlplugin.bundled.upstream import Reply, Script, Upstream
from mlplugin.errors import PortError
from mlplugin.replay.proxy import header
from mlplugin.replay.query import Client, Query, make_query
from mlplugin.replay.sender import Sender, Tally


def numbered(count: int) -> Iterator[Query]:
    for number in range(count):
        yield make_query([b"n%d" % number, b"example", b"org"], 1)


def silent(_: Tally) -> None:
    return


@contextlib.contextmanager
def listener(take: list[bytes], answer: bytes | None = None) -> Iterator[int]:
    """A socket that keeps what it gets, in order, and answers nothing or always the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)

        def listen() -> None:
            while packet := server.recvfrom(4096):
                if packet[0] == b"end":
                    return
                take.append(packet[0])
                if answer is not None:
                    server.sendto(answer, packet[1])

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"end", server.getsockname())
        thread.join()


def test_everything_is_answered_once_and_counted() -> None:
    script = Script(zones={"n7.example.org": Reply("NXDOMAIN"), "n8.example.org": Reply("REFUSED")})
    with Upstream(script) as upstream:
        tally = Sender(("127.0.0.1", upstream.port)).run(numbered(3000), silent)
    assert (tally.sent, tally.answered, tally.timeouts, tally.resent) == (3000, 3000, 0, 0)
    assert tally.rcodes == {0: 2998, 3: 1, 5: 1}
    assert len(tally.latencies) == 3000
    median, late = tally.percentile(0.5), tally.percentile(0.99)
    assert median is not None
    assert late is not None
    assert 0 < median <= late < tally.seconds


def test_more_queries_than_ids() -> None:
    with Upstream(Script()) as upstream:
        tally = Sender(("127.0.0.1", upstream.port)).run(numbered(70_000), silent)
        assert upstream.queries == 70_000
    assert tally.answered == 70_000


def test_order_is_kept() -> None:
    taken: list[bytes] = []
    with listener(taken) as port:
        Sender(("127.0.0.1", port), timeout=0.3, retries=0).run(numbered(150), silent)
    assert [packet[2:] for packet in taken] == [query.tail for query in numbered(150)]


def test_rate_is_kept() -> None:
    """It is never exceeded; a busy machine may hold any one run up, but not every one."""
    with Upstream(Script()) as upstream:
        server = ("127.0.0.1", upstream.port)
        took = [Sender(server, rate=1000).run(numbered(500), silent).seconds for _ in range(5)]
    assert min(took) == pytest.approx(0.5, abs=0.15)
    assert min(took) >= 0.499, "the last is due then"


def test_silence_is_asked_again_and_counted() -> None:
    script = Script(names={"n3.example.org": Reply(silent=True)})
    with Upstream(script) as upstream:
        # long enough for those that are answered, also where a busy machine takes its time
        sender = Sender(("127.0.0.1", upstream.port), timeout=1.0, retries=2)
        tally = sender.run(numbered(10), silent)
        assert upstream.queries == 12
    assert (tally.sent, tally.answered, tally.timeouts, tally.resent) == (10, 9, 1, 2)


def test_silence_does_not_hold_up_the_others() -> None:
    """Names that a firewall drops leave the window after a while, long before they time out."""
    script = Script(zones={"dropped.example.org": Reply(silent=True)})
    dropped = [make_query([b"d%d" % n, b"dropped", b"example", b"org"], 1) for n in range(400)]
    with Upstream(script) as upstream:
        sender = Sender(("127.0.0.1", upstream.port), timeout=3, retries=0)
        tally = sender.run([*dropped, *numbered(200)], silent)
    assert (tally.answered, tally.timeouts) == (200, 400)
    assert tally.seconds < 6


def test_a_closed_port_is_said_so() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(PortError, match=f"nothing listens at 127.0.0.1:{port}"):
        Sender(("127.0.0.1", port), timeout=1, retries=0).run(numbered(10), silent)


def test_clients_go_before_the_query() -> None:
    taken: list[bytes] = []
    four, six = (
        Client(bytes((192, 0, 2, 7)), 4000),
        Client(bytes.fromhex("20010db8" + "0" * 24), 53),
    )
    queries = [
        Query(query.tail, client) for query, client in zip(numbered(2), (four, six), strict=True)
    ]
    with listener(taken) as port:
        Sender(("127.0.0.1", port), timeout=0.2, retries=0, proxy=True).run(queries, silent)
    assert len(taken) == 3  # the first was only to see whether PROXY headers are taken
    for packet, query, client in zip(taken[1:], queries, (four, six), strict=True):
        assert packet.startswith(header(client))
        assert packet.removeprefix(header(client))[2:] == query.tail


def test_header_is_that_of_the_specification() -> None:
    made = header(Client(bytes((192, 0, 2, 7)), 4000))
    assert made[:12] == b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"
    assert made[12:16] == b"\x21\x12\x00\x0c"  # version 2, PROXY; UDP over IPv4; 12 octets follow
    assert made[16:] == bytes((192, 0, 2, 7, 127, 0, 0, 1)) + b"\x0f\xa0\x00\x35"
    assert len(header(Client(bytes(16), 1))) == 16 + 36


def test_a_server_without_proxy_protocol_is_found_out() -> None:
    taken: list[bytes] = []
    with (
        listener(taken, answer=b"\x0d\x0a\x8d\x04" + bytes(8)) as port,
        pytest.raises(PortError, match="takes no PROXY protocol"),
    ):
        Sender(("127.0.0.1", port), proxy=True).run(numbered(1), silent)
    assert len(taken) == 1


def test_nonsense_in_answers_is_passed_over() -> None:
    with listener([], answer=b"no") as port:
        tally = Sender(("127.0.0.1", port), timeout=0.2, retries=0).run(numbered(3), silent)
    assert (tally.answered, tally.timeouts) == (0, 3)
