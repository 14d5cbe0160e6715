"""The dashboard's questions on a history of many events."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from mlplugin.qname import canonical
from mlplugin.store.duckdb_store import DuckDBStore
from mlplugin.store.port import Filter
from mlplugin.verdict import Level, Source

CHUNK = 5_000_000
DAYS = 7

# Traffic as resolvers see it, made by the store itself: 500 clients; 200,000 names by a law near
# Zipf's and one event in thirty with a name of its own; one in 500 flagged.
GENERATE = """
    INSERT INTO events
    SELECT
        make_timestamp({start} + n * {step}), 0, n,
        '10.0.' || (hash(n, 1) % 2)::BIGINT::VARCHAR || '.' || (hash(n, 2) % 250)::BIGINT::VARCHAR,
        'udp',
        'host' || rank || '.site' || (rank % 50021) || '.example.com',
        length('site' || (rank % 50021) || '.example.com'),
        ['A', 'AAAA', 'HTTPS', 'A'][1 + (hash(n, 3) % 4)::BIGINT], 'NOERROR',
        '192.0.2.' || (rank % 250), 100 + (hash(n, 4) % 300)::BIGINT,
        CASE WHEN flagged THEN 'malicious' ELSE 'benign' END,
        CASE WHEN flagged THEN 'dga' END, CASE WHEN flagged THEN 41.5 ELSE 3.0 END,
        CASE WHEN flagged THEN 'model' ELSE 'reputation' END, '2026.11.1',
        CASE WHEN flagged THEN 'nxdomain' ELSE 'observe' END,
        CASE WHEN flagged THEN 'model 2026.11.1 dga score 41.5' END, NULL, NULL, NULL
    FROM (
        SELECT n, (hash(n, 5) % 500)::BIGINT = 0 AS flagged,
            CASE WHEN (hash(n, 6) % 30)::BIGINT = 0 THEN 1000000 + n
            ELSE floor(exp(12.2 * ((hash(n, 7) % 1000000)::BIGINT / 1e6)))::BIGINT END AS rank
        FROM range({first}, {last}) r(n)
    )
"""


def generate(data: Path, events: int) -> float:
    """Fill a new store with events of the last week, and sum them up; bytes of disk an event."""
    store = DuckDBStore(data)
    start = datetime.now(UTC) - timedelta(days=DAYS)
    step = DAYS * 86_400_000_000 // events
    with store._file.writing() as connection:
        connection.execute("INSERT INTO sensors VALUES (0, 'bench')")
        connection.execute("INSERT INTO sequences VALUES (0, 0, ?)", [events - 1])
    for first in range(0, events, CHUNK):
        with store._file.writing() as connection:
            connection.execute(
                GENERATE.format(
                    start=int(start.timestamp() * 1e6), step=step, first=first,
                    last=min(first + CHUNK, events),
                )
            )  # fmt: skip
    store.settle()
    store.close()
    return sum(path.stat().st_size for path in data.iterdir()) / events


def questions(store: DuckDBStore) -> dict[str, Callable[[], Any]]:
    """What the pages ask, by what a reader would call it."""
    now = datetime.now(UTC)
    day = Filter(since=now - timedelta(days=1))
    flagged = Filter(verdicts=(Level.SUSPICIOUS, Level.MALICIOUS))
    name, domain = canonical("host7.site7.example.com"), "site7.example.com"
    return {
        "totals of everything": lambda: store.stats(Filter()),
        "totals of a day": lambda: store.stats(day),
        "latest queries": lambda: store.search(Filter(), 50),
        "latest flagged": lambda: store.search(flagged, 50),
        "one name": lambda: store.search(Filter(qname=name), 50),
        "one domain: totals": lambda: store.stats(Filter(domain=domain)),
        "one domain: top clients": lambda: store.top(Filter(domain=domain), "client", 10),
        "top names of a day": lambda: store.top(day, "qname", 10),
        "top clients of a day": lambda: store.top(day, "client", 10),
        "timeline of everything": lambda: store.timeline(Filter(), 7200, "verdict"),
        "timeline of a pattern": lambda: store.timeline(Filter(qname=f"*.{domain}"), 7200, None),
        "top names of everything": lambda: store.top(Filter(), "qname", 10),
        "top domains of everything": lambda: store.top(Filter(), "registered_domain", 10),
        "one client: summary": lambda: store.summary(
            Filter(client=ip_network("10.0.0.7")), ("qname", "registered_domain"), 10
        ),
        "names near a threshold": lambda: store.suspects(
            Filter(source=Source.MODEL, min_score=20.0), 100
        ),
    }


def measure(data: Path, repeats: int = 3) -> dict[str, dict[str, float]]:
    """The median of each question's times in seconds, by the clock and of processors."""
    store = DuckDBStore(data)
    found = {}
    for what, ask in questions(store).items():
        times, used = [], []
        for _ in range(repeats):
            begin, before = time.perf_counter(), time.process_time()
            ask()
            times.append(time.perf_counter() - begin)
            used.append(time.process_time() - before)
        found[what] = {"seconds": round(statistics.median(times), 4),
                       "cpu_s": round(statistics.median(used), 4)}  # fmt: skip
    store.close()
    return found
