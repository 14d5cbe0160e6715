"""Sending queries over UDP as fast as one core goes, or at a rate, and counting what comes back."""

from __future__ import annotations

import collections
import secrets
import select
import socket
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from mlplugin.errors import PortError
from mlplugin.replay.proxy import header
from mlplugin.replay.query import Client, Query

IDS = 1 << 16
# Queries sent in the last RECENT_SECONDS that have no answer yet: about what the receive
# buffer of a server's socket holds by default, so that loopback loses nothing.
WINDOW = 192
RECENT_SECONDS = 0.5
BURST = 32
MOST_OUTSTANDING = 50_000
HOPELESS_SECONDS = 10.0
REPORT_SECONDS = 0.1


@dataclass
class Tally:
    """What was sent and what came back; times in seconds."""

    sent: int = 0
    answered: int = 0
    timeouts: int = 0
    resent: int = 0
    seconds: float = 0.0
    rcodes: collections.Counter[int] = field(default_factory=collections.Counter)
    latencies: array[float] = field(default_factory=lambda: array("f"))

    def percentile(self, share: float) -> float | None:
        """Give the latency that `share` of the answers did not exceed, in seconds."""
        if not self.latencies:
            return None
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


@dataclass(slots=True)
class _Pending:
    packet: bytes
    sent: float
    tries: int
    recent: bool


class Sender:
    """Sends to one server; `proxy` puts each query's client before it by PROXY protocol 2."""

    def __init__(
        self,
        server: tuple[str, int],
        *,
        rate: float | None = None,
        timeout: float = 5.0,
        retries: int = 2,
        proxy: bool = False,
    ) -> None:
        """`rate` is in queries a second, None: no limit; `timeout` in seconds, a try."""
        self.tally = Tally()
        self._server, self._proxy = server, proxy
        self._rate, self._timeout, self._retries = rate, timeout, retries
        self._pending: dict[int, _Pending] = {}
        self._recent: collections.deque[tuple[int, _Pending]] = collections.deque()
        self._waiting: collections.deque[tuple[float, int, _Pending]] = collections.deque()
        self._recent_count = 0
        self._next_id = secrets.randbelow(IDS)
        self._last_answer = self._refused = 0.0
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.setblocking(False)
        self._poller = select.poll()
        self._poller.register(self._socket, select.POLLIN)

    def run(self, queries: Iterable[Query], report: Callable[[Tally], None]) -> Tally:
        """Send all and wait for the last answer or its timeout; `report` is called as it goes.

        Raises PortError if nothing answers at the server's address, or if it takes no PROXY
        protocol where that is wanted.
        """
        with self._socket:
            try:
                self._socket.connect(self._server)
            except OSError as fault:
                raise PortError(f"{self._named()} cannot be reached: {fault.strerror}") from None
            if self._proxy:
                self._try_proxy()
            started = self._last_answer = time.perf_counter()
            try:
                self._loop(iter(queries), started, report)
            finally:
                self.tally.seconds = time.perf_counter() - started
        return self.tally

    def _loop(
        self, queries: Iterator[Query], started: float, report: Callable[[Tally], None]
    ) -> None:
        more, reported = True, started
        while more or self._pending:
            now = time.perf_counter()
            if more:
                more = self._send_some(queries, started, now)
            heard = self._receive()
            now = time.perf_counter()
            self._expire(now)
            if now - reported > REPORT_SECONDS:
                self.tally.seconds = now - started
                report(self.tally)
                reported = now
            if not heard and not (more and self._may_send(started, now)):
                self._poller.poll(self._pause(started, now, more) * 1000)
        report(self.tally)

    def _may_send(self, started: float, now: float) -> int:
        """How many queries the window, the free ids and the rate allow just now."""
        if self._recent_count >= WINDOW:
            self._age(now)
        room = min(WINDOW - self._recent_count, MOST_OUTSTANDING - len(self._pending), BURST)
        if self._rate is not None:
            room = min(room, int((now - started) * self._rate) + 1 - self.tally.sent)
        return max(room, 0)

    def _pause(self, started: float, now: float, more: bool) -> float:
        """How long to wait for an answer at most before something else is due, in seconds."""
        pause = 0.05
        if more and self._rate is not None:
            pause = min(pause, max(started + self.tally.sent / self._rate - now, 0.0))
        return pause

    def _age(self, now: float) -> None:
        """Take out of the window what was sent a while ago, answered or not."""
        recent = self._recent
        while recent and (not recent[0][1].recent or now - recent[0][1].sent > RECENT_SECONDS):
            _, pending = recent.popleft()
            if pending.recent:
                pending.recent = False
                self._recent_count -= 1

    def _send_some(self, queries: Iterator[Query], started: float, now: float) -> bool:
        """Send what may be sent; False when there are no more."""
        for _ in range(self._may_send(started, now)):
            query = next(queries, None)
            if query is None:
                return False
            number = self._next_id
            while number in self._pending:
                number = (number + 1) % IDS
            self._next_id = (number + 1) % IDS
            packet = number.to_bytes(2) + query.tail
            if self._proxy and query.client is not None:
                packet = header(query.client) + packet
            pending = _Pending(packet, time.perf_counter(), 1, recent=True)
            self._pending[number] = pending
            self._recent.append((number, pending))
            self._recent_count += 1
            self._waiting.append((pending.sent + self._timeout, number, pending))
            self.tally.sent += 1
            self._put(packet)
        return True

    def _put(self, packet: bytes) -> None:
        try:
            self._socket.send(packet)
        except BlockingIOError:
            pass  # as good as lost on the way: sent again after the timeout
        except ConnectionRefusedError:
            self._on_refusal()

    def _on_refusal(self) -> None:
        """The server's port is closed: at the start, or for long, that is the end."""
        now = time.perf_counter()
        if self.tally.answered == 0 or now - self._last_answer > HOPELESS_SECONDS:
            raise PortError(
                f"nothing listens at {self._named()} (UDP): start it with `mlplugin up`, "
                "or name another server with --dns"
            )

    def _receive(self) -> int:
        """Take in all answers that have arrived; gives their number."""
        heard = 0
        receive, pendings, tally = self._socket.recv, self._pending, self.tally
        while heard < BURST * 4:
            try:
                packet = receive(4096)
            except BlockingIOError:
                break
            except ConnectionRefusedError:
                self._on_refusal()
                continue
            heard += 1
            if len(packet) < 4 or packet[2] < 0x80:
                continue
            pending = pendings.pop(packet[0] << 8 | packet[1], None)
            if pending is None:
                continue
            if pending.recent:
                pending.recent = False
                self._recent_count -= 1
            self._last_answer = time.perf_counter()
            tally.answered += 1
            tally.rcodes[packet[3] & 0xF] += 1
            tally.latencies.append(self._last_answer - pending.sent)
        return heard

    def _expire(self, now: float) -> None:
        """Send again what has waited too long, or give it up."""
        waiting = self._waiting
        while waiting and (
            waiting[0][0] <= now or self._pending.get(waiting[0][1]) is not waiting[0][2]
        ):
            _, number, pending = waiting.popleft()
            if self._pending.get(number) is not pending:
                continue
            if pending.tries > self._retries:
                del self._pending[number]
                self.tally.timeouts += 1
                if pending.recent:
                    pending.recent = False
                    self._recent_count -= 1
                continue
            pending.tries += 1
            self.tally.resent += 1
            waiting.append((now + self._timeout, number, pending))
            self._put(pending.packet)

    def _try_proxy(self) -> None:
        """Send a bare PROXY header: who knows it stays silent, who does not answers it as DNS."""
        self._put(header(Client(bytes(4), 0)))
        self._poller.poll(300)
        try:
            answer = self._socket.recv(4096)
        except BlockingIOError:
            return
        except ConnectionRefusedError:
            self._on_refusal()
            return
        if answer:
            raise PortError(
                f"{self._named()} takes no PROXY protocol, so --clients keep cannot work: add "
                "`proxyproto { allow 127.0.0.1/32 }` to its Corefile, as `mlplugin up` does"
            )

    def _named(self) -> str:
        host, port = self._server
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
