"""A cluster killed, stopped and out of disk at full load, while CoreDNS answers; then a count."""

from __future__ import annotations

import contextlib
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.elastic_load import Pool, Sender, counted, serving
from bench.outage import COREFILE, build_dnsload, run_load
from mlplugin.bundled.ports import free_port
from tests.e2e.system import CoreDNS, Service, until
from tests.support.search_servers import SearchServer, running

POOL = 200_000
# Of a tmpfs: for each event, and beside that. Merges need room for a second copy.
EVENT_BYTES, OTHER_BYTES = 350, 2 << 30
DNS_RATE, DNS_SECONDS = 500, 5
FULL_SECONDS = 15
SENSOR = "bench"  # CoreDNS's, by the Corefile


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent, and seconds: how long the server is stopped, and left in peace between."""

    pool: Pool
    rounds: int
    stop: float
    quiet: float

    @property
    def events(self) -> int:
        return self.pool.events * self.rounds


class Watch:
    """Queries at a steady rate all the time; their latency by what happened meanwhile."""

    def __init__(self, folder: Path, service: Service) -> None:
        names = folder / "names"
        names.write_text("".join(f"host{n}.example{n % 997}.com\n" for n in range(20_000)))
        self.load = build_dnsload(folder), names
        port, metrics = free_port(), free_port()
        corefile = COREFILE.format(
            port=port, metrics=metrics, url=service.url, spool=folder / "spool"
        )
        self.server = CoreDNS(folder, corefile, port, metrics)
        self.server.start()
        self.began = time.perf_counter()
        self.phase = "nothing else"
        self.seen: dict[str, list[dict[str, Any]]] = {}
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while not self.ending.is_set():
            phase = self.phase
            report = run_load(self.load[0], self.server, self.load[1], DNS_RATE, DNS_SECONDS)
            if phase != self.phase:
                phase = f"{phase}, then {self.phase}"
            self.seen.setdefault(phase, []).append(report)

    def say(self, phase: str, sent: int) -> None:
        """Begin a phase."""
        self.phase = phase
        print(f"{time.perf_counter() - self.began:6.0f} s  sent {sent:>11,}  {phase}", flush=True)

    def end(self) -> tuple[int, int]:
        """Stop asking, and give how many were asked for, and how many were not answered."""
        self.ending.set()
        self.thread.join()
        until("the sensor has no event left", self.delivered, 300)
        print(
            f"DNS at {DNS_RATE} queries a second, µs: medians of parts of {DNS_SECONDS} s (worst)"
        )
        for phase, reports in self.seen.items():
            p50, p99, worst = ([report[key] for report in reports] for key in ("p50", "p99", "max"))
            print(
                f"  {phase:44} {len(reports):3} parts  p50 {statistics.median(p50):6.0f} "
                f"({max(p50):6.0f})  p99 {statistics.median(p99):6.0f} ({max(p99):6.0f})  "
                f"max {max(worst):.0f}  lost {sum(report['lost'] for report in reports)}"
            )
        reports = [report for part in self.seen.values() for report in part]
        return sum(one["sent"] for one in reports), sum(one["lost"] for one in reports)

    def delivered(self) -> bool:
        return self.server.metrics()["coredns_mlplugin_events_pending"] == 0

    def counters(self) -> tuple[int, int]:
        """How many queries CoreDNS served, and how many events it gave up."""
        found = self.server.metrics()
        dropped = found.get("coredns_mlplugin_events_dropped_total", 0)
        return int(found["coredns_mlplugin_queries_total"]), int(dropped)


@contextlib.contextmanager
def disk_of(folder: Path, size: int) -> Iterator[Path]:
    """A file system of its own, which can be filled."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
    try:
        (disk / "data").mkdir()
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def disturb(server: SearchServer, disk: Path, plan: Plan, say: Callable[[str], None]) -> None:
    """Kill it, stop it, and fill its disk, each once, with some seconds of peace between."""
    time.sleep(plan.quiet)
    say("killed, and started again")
    server.kill()
    server.start()
    say("peace")
    time.sleep(plan.quiet)
    say(f"stopped for {plan.stop:.0f} s")
    server.send(signal.SIGSTOP)
    time.sleep(plan.stop)
    server.send(signal.SIGCONT)
    say("peace")
    time.sleep(plan.quiet)
    say(f"disk full for {FULL_SECONDS} s")
    ballast = disk / "ballast"
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
            file.flush()
    time.sleep(FULL_SECONDS)
    ballast.unlink()
    end = time.monotonic() + 30
    while not server.answers() and time.monotonic() < end:
        time.sleep(0.5)
    if not server.answers():  # an engine may end itself when its disk is full
        say("did not come back by itself: started again")
        server.kill()
        server.start()
    say("peace")


def chaos(events: int, stop: float, quiet: float, name: str) -> int:
    """Send everything while the server is hurt, then count."""
    pool = Pool(min(POOL, events))
    plan = Plan(pool, max(1, events // pool.events), stop, quiet)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        size = plan.events * EVENT_BYTES + OTHER_BYTES
        with (
            disk_of(folder, size) as disk,
            running(name, "1g", disk / "data") as server,
            serving(server, folder) as service,
        ):
            print(f"{name}, 1 GB of heap, a disk of {size >> 20} MiB", flush=True)
            return hurt(server, service, disk, plan)


def hurt(server: SearchServer, service: Service, disk: Path, plan: Plan) -> int:
    """The load and what is done to the server beside it; 0 if all is there, each once."""
    watch = Watch(disk.parent, service)
    time.sleep(3 * DNS_SECONDS)
    sender = Sender(service, plan.pool, range(plan.rounds))
    watch.say("peace", 0)
    sender.start()
    disturb(server, disk, plan, lambda phase: watch.say(phase, sender.sent))
    sender.join()
    watch.say("all sent", sender.sent)
    asked, lost = watch.end()
    total, dns = counted(server), count_of(server, SENSOR)
    served, dropped = watch.counters()
    wrong = doubles(server, plan)
    stats = service.stats()
    print(
        f"sent {sender.sent:,}, {sender.waits} times told to wait; CoreDNS was asked {asked:,} "
        f"times, {lost} answers were not seen, and served {served:,}\n"
        f"in the store by its own count {total - dns:,} and {dns:,}, dropped by CoreDNS {dropped}; "
        f"ranges of sequences that are not there once each: {wrong}\n"
        f"by the service {stats['queries']:,}, as it counts its sensors "
        f"{sum(one['stored'] for one in stats['sensors']):,}, dropped {stats['dropped']:,}",
        flush=True,
    )
    watch.server.stop()
    fine = (
        total - dns == sender.sent == plan.events
        and dns + dropped == served
        and stats["queries"] == total
        and wrong == 0
    )
    print("stored + dropped = sent, each once" if fine else "THE COUNTS DIFFER", flush=True)
    return 0 if fine else 1


def count_of(server: SearchServer, sensor: str) -> int:
    """How many events of a sensor there are."""
    wanted = {"query": {"term": {"observer.name": sensor}}}
    return int(server.ask("POST", "/mlplugin-events-*/_count", wanted, 120)["count"])


def doubles(server: SearchServer, plan: Plan) -> int:
    """In how many ranges of sequences one is missing or there twice."""
    wrong = 0
    for sensor, first, count in plan.pool.ranges(plan.rounds):
        body = {
            "size": 0,
            "track_total_hits": True,
            "query": {
                "bool": {
                    "filter": [
                        {"term": {"observer.name": sensor}},
                        {"range": {"event.sequence": {"gte": first, "lt": first + count}}},
                    ]
                }
            },
            "aggs": {"most": {"terms": {"field": "event.sequence", "size": 1}}},
        }
        found = server.ask("POST", "/mlplugin-events-*/_search", body, 120)
        (most,) = found["aggregations"]["most"]["buckets"] or [{"doc_count": 0}]
        wrong += found["hits"]["total"]["value"] != count or most["doc_count"] != 1
    return wrong
