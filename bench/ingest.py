"""Events a second from the socket to the store, and bytes of disk an event.

uv run python -m bench.ingest [--events 500000] [--connections 2] [--batch 10000] [FILE]

FILE has events as sensors send them (NDJSON); without one they are invented: some hundred
clients, names by Zipf's law, one in thirty never seen before, answers that hold for a while. The
service is a process of its own; its processor time tells what one core does.
"""

from __future__ import annotations

import argparse
import bisect
import http.client
import itertools
import json
import os
import random
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.system import Service

TICKS = os.sysconf("SC_CLK_TCK")
START = 1_790_000_000_000_000
BATCH = 10_000  # events that the plugin sends at once where there are many
SYLLABLES = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]
SUBDOMAINS = ("", "www.", "api.", "cdn.", "mail.", "img.", "static.", "login.", "edge.", "events.")
SUFFIXES = ("com",) * 10 + ("net", "net", "org", "org", "de", "io", "co.uk", "info")


def zipf(count: int, power: float) -> list[float]:
    """Cumulated weights."""
    return list(itertools.accumulate(1 / (rank + 2) ** power for rank in range(count)))


class Mix:
    """Invented traffic."""

    def __init__(self, names: int = 20_000, clients: int = 200, seed: int = 1) -> None:
        self.dice = random.Random(seed)
        self.names = [self.new_name() for _ in range(names)]
        self.name_weights = zipf(names, 1.0)
        self.clients = [f"192.0.2.{n}" if n < 150 else f"2001:db8::{n:x}" for n in range(clients)]
        self.client_weights = zipf(clients, 0.7)

    def pick(self, weights: list[float]) -> int:
        return bisect.bisect(weights, self.dice.random() * weights[-1])

    def new_name(self) -> dict[str, object]:
        """A name and what is always said of it."""
        dice = self.dice
        label = "".join(dice.choices(SYLLABLES, k=dice.randint(2, 5)))
        domain = f"{label}.{dice.choice(SUFFIXES)}"
        reputed = dice.random() < 0.7
        addresses = [
            ".".join(str(dice.randrange(1, 224)) for _ in range(4))
            for _ in range(dice.choice((1, 1, 1, 2, 4)))
        ]
        if dice.random() < 0.3:
            addresses.append(f"edge{dice.randrange(50)}.cdn.example.net")
        score = round(max(0.0, dice.gauss(4, 4)), 1)
        return {
            "qname": dice.choice(SUBDOMAINS) + domain,
            "registered_domain": domain,
            "answers": sorted(addresses),
            "verdict": "benign",
            "source": "reputation" if reputed else "model",
            **({} if reputed or not score else {"score": score}),
        }

    def events(self, count: int) -> Iterator[bytes]:
        """Events as lines."""
        dice, now = self.dice, START
        for sequence in range(START, START + count):
            now += int(dice.expovariate(1 / 200)) + 1
            fresh = dice.random() < 1 / 30
            name = self.new_name() if fresh else self.names[self.pick(self.name_weights)]
            qtype = dice.choices(("A", "AAAA", "HTTPS", "TXT", "PTR"), (62, 24, 10, 2, 2))[0]
            found: dict[str, object] = {
                "sequence": sequence,
                "time": now - dice.randrange(300),
                "client": self.clients[self.pick(self.client_weights)],
                "transport": "tcp" if dice.random() < 0.02 else "udp",
                **name,
                "qtype": qtype,
                "rcode": "NXDOMAIN" if dice.random() < 0.04 else "NOERROR",
                "duration": int(
                    dice.lognormvariate(9.2, 0.8) if fresh or dice.random() < 0.2
                    else dice.uniform(60, 250)
                ),
                "model": "2026.11.0",
            }  # fmt: skip
            if qtype not in {"A", "AAAA"} or found["rcode"] != "NOERROR":
                del found["answers"]
            if dice.random() < 0.002:
                found |= {
                    "verdict": "malicious", "threat": "dga", "score": 41.5, "source": "model",
                    "action": "nxdomain", "reason": "model: dga, score 41.5, label:xkq, suffix:biz",
                }  # fmt: skip
            yield json.dumps(found, separators=(",", ":")).encode() + b"\n"


def batches(lines: Iterator[bytes], size: int) -> list[tuple[int, bytes]]:
    """Bodies with the number of their events."""
    found = []
    while chunk := list(itertools.islice(lines, size)):
        found.append((len(chunk), b"".join(chunk)))
    return found


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def send(port: int, todo: Iterator[tuple[int, bytes]], lock: threading.Lock) -> None:
    """Send batches over one connection until none is left."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/x-ndjson"}
    while True:
        with lock:
            count, body = next(todo, (0, b""))
        if not count:
            return
        connection.request("POST", "/api/v1/events?sensor=bench", body, headers)
        answer = connection.getresponse()
        said = json.loads(answer.read())
        assert answer.status == 200, said
        assert said == {"stored": count, "known": 0}, said


def measure(bodies: list[tuple[int, bytes]], connections: int, data: Path) -> dict[str, float]:
    """Send everything, stop the service, and tell and print what that took."""
    total = sum(count for count, _ in bodies)
    service = Service(data, data.with_name("service.log"))
    service.start()
    # Pages are made once, a second after the start or for the first who looks: no cost of events.
    urllib.request.urlopen(service.url, timeout=60).close()
    before, began = cpu_seconds(service.pid), time.perf_counter()
    todo, lock = iter(bodies), threading.Lock()
    threads = [
        threading.Thread(target=send, args=(service.port, todo, lock)) for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall, cpu = time.perf_counter() - began, cpu_seconds(service.pid) - before
    assert service.stats()["queries"] == total
    service.stop()
    size = sum(path.stat().st_size for path in data.iterdir())
    sent = sum(len(body) for _, body in bodies)
    print(
        f"{total} events in batches of {bodies[0][0]}, {sent / total:.0f} B each on the wire, "
        f"{connections} connections\n"
        f"{total / wall:,.0f} events/s by the clock, {total / cpu:,.0f} events per second of "
        f"one core ({cpu:.2f} s)\n{size / total:.1f} B of disk an event"
    )
    return {
        "events": total,
        "events_per_s": round(total / wall),
        "events_per_core_s": round(total / cpu),
        "wire_bytes": round(sent / total, 1),
        "disk_bytes": round(size / total, 2),
    }


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--batch", type=int, default=BATCH)
    return parser.parse_args(arguments)


def main() -> int:
    """Measure."""
    options = parsed()
    with tempfile.TemporaryDirectory() as place:
        if options.file is None:
            bodies = batches(Mix().events(options.events), options.batch)
            measure(bodies, options.connections, Path(place) / "data")
        else:
            with options.file.open("rb") as stream:
                bodies = batches(itertools.islice(stream, options.events), options.batch)
            measure(bodies, options.connections, Path(place) / "data")
    return 0


if __name__ == "__main__":
    sys.exit(main())
