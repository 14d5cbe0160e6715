"""Events for a cluster at full speed: prepared batches, sent over and over as later events."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.ingest import START, Mix, batches
from tests.e2e.system import Service
from tests.support.search_servers import SearchServer

SENSORS = 4
BATCH = 5000
# What a later round has in place of the first digits of each sequence and time: a round has
# fewer events, and lasts less, than what is left of the number counts.
SEQUENCES, TIMES = 10**7, 10**8


class Pool:
    """Batches for several sensors, each with sequences of its own that follow one another."""

    def __init__(self, events: int, seed: int = 1) -> None:
        found = batches(Mix(seed=seed).events(events), BATCH)
        self.each = len(found) // SENSORS
        self.parts = [found[n * self.each : (n + 1) * self.each] for n in range(SENSORS)]

    @property
    def events(self) -> int:
        """How many a round has."""
        return sum(count for part in self.parts for count, _ in part)

    def ranges(self, rounds: int) -> Iterator[tuple[str, int, int]]:
        """Every sensor with the first sequence, and how many follow it without a gap."""
        for turn in range(rounds):
            for number, part in enumerate(self.parts):
                first = START + turn * SEQUENCES + number * self.each * BATCH
                yield f"bench{number}", first, sum(count for count, _ in part)

    def sent(self, sensor: int, turns: range) -> Iterator[tuple[int, bytes]]:
        """The batches of a sensor in some rounds."""
        for turn in turns:
            for count, body in self.parts[sensor]:
                yield count, _moved(_moved(body, "sequence", SEQUENCES, turn), "time", TIMES, turn)


def _moved(body: bytes, key: str, unit: int, turn: int) -> bytes:
    return body.replace(
        f'"{key}":{START // unit}'.encode(), f'"{key}":{START // unit + turn}'.encode()
    )


class Sender:
    """Sends the batches of each sensor over a connection, each again until it is taken."""

    def __init__(self, service: Service, pool: Pool, turns: range) -> None:
        self.service = service
        self.lock = threading.Lock()
        self.sent = 0
        self.waits = 0
        self.failed: list[BaseException] = []
        self.threads = [
            threading.Thread(target=self.run, args=(f"bench{n}", pool.sent(n, turns)))
            for n in range(SENSORS)
        ]

    def run(self, sensor: str, bodies: Iterator[tuple[int, bytes]]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=120)
        with contextlib.closing(connection):
            try:
                for count, body in bodies:
                    while not self.taken(connection, sensor, body):
                        self.waits += 1
                        time.sleep(0.5)
                    with self.lock:
                        self.sent += count
            except BaseException as fault:
                self.failed.append(fault)
                raise

    def taken(self, connection: http.client.HTTPConnection, sensor: str, body: bytes) -> bool:
        headers = {"Content-Type": "application/x-ndjson"}
        connection.request("POST", f"/api/v1/events?sensor={sensor}", body, headers)
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status in {200, 503}, said
        assert answer.status == 503 or "refused" not in json.loads(said), said
        return answer.status == 200

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join()
        if self.failed:
            raise self.failed[0]

    def all(self) -> None:
        self.start()
        self.join()


@contextlib.contextmanager
def serving(server: SearchServer, folder: Path) -> Iterator[Service]:
    """A service on a cluster."""
    service = Service(folder / "data", folder / "service.log")
    service.command += ["--store", server.url]
    service.start()
    try:
        yield service
    finally:
        service.stop()


def counted(server: SearchServer) -> int:
    """The number of events by the server's own word."""
    server.ask("POST", "/mlplugin-events-*/_refresh", timeout=120)
    return int(server.ask("GET", "/mlplugin-events-*/_count", timeout=120)["count"])
