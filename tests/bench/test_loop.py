"""How a live server is asked what it blocks."""

from __future__ import annotations

import socket
import threading

from bench.loop import asking
from bench.loop.asking import blocked, octets


def test_an_answer_that_comes_late_is_not_that_of_another_name() -> None:
    (good,), (bad,) = octets(["good.example"]), octets(["bad.example"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)

        def answer() -> None:
            query, whom = server.recvfrom(4096)
            late = query[:2] + b"\x81\x83" + query[4 : asking.HEADER] + bad + asking.BACK
            server.sendto(late, whom)
            server.sendto(query[:2] + b"\x81\x80" + query[4:], whom)

        thread = threading.Thread(target=answer)
        thread.start()
        found = blocked(server.getsockname()[1], [good])
        thread.join(20)
    assert found == set()
