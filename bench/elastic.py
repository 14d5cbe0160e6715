"""What a cluster costs as the store: disk, processor time, and what is left after it was hurt.

uv run python -m bench.elastic size [--times 18] LOG [SERVER...]
uv run python -m bench.elastic rate [--events 400000] [--rounds 3] [SERVER...]
uv run python -m bench.elastic chaos [--events 1000000] [--stop 60] [--quiet 20] [SERVER]

SERVER is elasticsearch-8.19.21 and the like (default), fetched from Maven Central and started
here with a heap of 1 GB. `size` judges the queries of a Zeek log, stores them until there are
a million, and measures the merged index. `rate` sends rounds of prepared batches of four sensors
to a service of its own process until every document is searchable, after one round to warm up.
`chaos` does that while the server is killed, stopped for --stop seconds, and out of disk (a tmpfs
of its own, which needs root), with --quiet seconds of peace between, and CoreDNS answers; then it
counts with the server's own words, every sequence of every sensor.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.elastic_chaos import chaos
from bench.elastic_load import Pool, Sender, counted, serving
from bench.ingest import cpu_seconds
from bench.replay_counts import zeek_rows
from mlplugin.errors import InvalidNameError
from mlplugin.model import load
from mlplugin.qname import canonical
from mlplugin.store import open_store
from tests.e2e.system import Service
from tests.support.events import table
from tests.support.search_servers import SearchServer, running

DEFAULT = "elasticsearch-8.19.21"
MILLION = 1_000_000


def logged(log: Path) -> list[dict[str, Any]]:
    """The queries of a Zeek log as events, judged by the shipped model."""
    rows = []
    for row in zeek_rows(log):
        with contextlib.suppress(InvalidNameError):
            row["query"] = canonical(row["query"])
            if row["qtype_name"] != "-":
                rows.append(row)
    verdicts = load().judge_many([row["query"] for row in rows])
    return [event_of(row, verdict) for row, verdict in zip(rows, verdicts, strict=True)]


def event_of(row: dict[str, str], verdict: Any) -> dict[str, Any]:
    """One line of the log as an event."""
    found = {
        "time": int(float(row["ts"]) * 1e6),
        "client": row["id.orig_h"],
        "transport": row["proto"],
        "qname": row["query"],
        "registered_domain": verdict.registered_domain,
        "qtype": row["qtype_name"] if row["qtype_name"].isalnum() else "ANY",
        "rcode": None if row["rcode_name"] == "-" else row["rcode_name"],
        "answers": None if row["answers"] == "-" else sorted(set(row["answers"].split(",")))[:8],
        "duration": None if row["rtt"] == "-" else int(float(row["rtt"]) * 1e6),
        "verdict": str(verdict.level),
        "threat": None if verdict.threat is None else str(verdict.threat),
        "score": verdict.score,
        "source": str(verdict.source),
        "model": verdict.model,
    }
    return {key: value for key, value in found.items() if value is not None}


def size(log: Path, times: int | None, names: list[str]) -> None:
    """Bytes of disk an event, merged, with the log's queries stored over and over in new times."""
    events = logged(log)
    span = events[-1]["time"] - events[0]["time"] + 1
    now = int(time.time() * 1e6) // 86_400_000_000 * 86_400_000_000 - 86_400_000_000
    times = times or MILLION // len(events)
    print(f"{len(events)} queries of the log, {times} times")
    for name in names:
        with running(name, "1g") as server, tempfile.TemporaryDirectory() as place:
            store = open_store(server.url, Path(place))
            sequence, total = now, 0
            for turn in range(times):
                shift = now + turn * span // 20 - events[0]["time"]  # within one day
                rows = [
                    {**event, "sequence": sequence + n, "time": event["time"] + shift}
                    for n, event in enumerate(events)
                ]
                sequence += len(rows)
                for at in range(0, len(rows), 8000):
                    total += store.append("bench", table(rows[at : at + 8000])).stored
            server.ask("POST", "/mlplugin-events-*/_forcemerge?max_num_segments=1", timeout=600)
            server.ask("POST", "/mlplugin-events-*/_flush", timeout=600)
            held = store.size()
            assert held.rows == total
            print(f"{name}: {held.bytes / held.rows:.1f} B an event ({held.rows} events)")
            store.close()


def rate(events: int, rounds: int, names: list[str]) -> None:
    """Events a second until searchable, and processor time for one."""
    pool = Pool(events)
    for name in names:
        with running(name, "1g") as server, tempfile.TemporaryDirectory() as place:
            with serving(server, Path(place)) as service:
                found = [one_round(server, service, pool, turn) for turn in range(rounds + 1)][1:]
            print(
                f"{name}: {told(found, 'rate', ',.0f')} events/s until searchable; "
                f"{told(found, 'service', '.1f')} µs of the service's CPU an event, "
                f"{told(found, 'server', '.1f')} µs of the server's, "
                f"{told(found, 'here', '.1f')} µs to send it",
                flush=True,
            )


def one_round(server: SearchServer, service: Service, pool: Pool, turn: int) -> dict[str, float]:
    """Send a round, wait until it can be searched for, and tell what it took."""
    pids = {"service": service.pid, "server": server.pid, "here": os.getpid()}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    began = time.perf_counter()
    sender = Sender(service, pool, range(turn, turn + 1))
    sender.all()
    assert counted(server) == (turn + 1) * pool.events
    found = {"rate": sender.sent / (time.perf_counter() - began)}
    for name, pid in pids.items():
        found[name] = (cpu_seconds(pid) - before[name]) / sender.sent * 1e6
    return found


def told(found: list[dict[str, float]], key: str, form: str) -> str:
    """The median, and from where to where it went."""
    values = [one[key] for one in found]
    return (
        f"{format(statistics.median(values), form)} "
        f"({format(min(values), form)} to {format(max(values), form)})"
    )


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="what", required=True)
    one = commands.add_parser("size")
    one.add_argument("log", type=Path)
    one.add_argument("--times", type=int, help="how often the log is stored")
    one.add_argument("servers", nargs="*", default=[DEFAULT])
    two = commands.add_parser("rate")
    two.add_argument("--events", type=int, default=400_000)
    two.add_argument("--rounds", type=int, default=3)
    two.add_argument("servers", nargs="*", default=[DEFAULT])
    three = commands.add_parser("chaos")
    three.add_argument("--events", type=int, default=MILLION)
    three.add_argument("--stop", type=float, default=60)
    three.add_argument("--quiet", type=float, default=20)
    three.add_argument("server", nargs="?", default=DEFAULT)
    return parser.parse_args(arguments)


def main() -> int:
    """Measure."""
    options = parsed()
    if options.what == "size":
        size(options.log, options.times, options.servers)
    elif options.what == "rate":
        rate(options.events, options.rounds, options.servers)
    else:
        return chaos(options.events, options.stop, options.quiet, options.server)
    return 0


if __name__ == "__main__":
    sys.exit(main())
