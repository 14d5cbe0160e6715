"""What the dashboard's pages cost the embedded store: by the clock and of processors.

uv run python -m bench.pages DIRECTORY [--repeats 3] [--calls] [PAGE...]

DIRECTORY has a history (`history.duckdb`), as `bench.screens` or `bench.performance` make one. Each
page is asked for as the dashboard does it, over the whole history and its last day, with nothing
shared between two; the busiest domain and client of the history are those that are looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from mlplugin.model import load
from mlplugin.service.history import Asked, History
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.insight import Insight
from mlplugin.service.judging import Judging
from mlplugin.service.times import rfc3339
from mlplugin.service.vetting import Vetting
from mlplugin.store.duckdb_store import DuckDBStore
from mlplugin.store.port import Filter

FLAGGED = "suspicious,malicious"
Page = Callable[[Asked], Any]


class Timed:
    """A store that notes what each call of it takes."""

    def __init__(self, store: DuckDBStore) -> None:
        self._store = store
        self.calls: list[tuple[str, float, float]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def timed(*given: Any) -> Any:
            begin, before = time.perf_counter(), time.process_time()
            found = method(*given)
            used = time.perf_counter() - begin, time.process_time() - before
            self.calls.append((f"{name} {_told(given)}", *used))
            return found

        return timed if callable(method) else method


def _told(given: tuple[Any, ...]) -> str:
    """What a call was about, in short."""
    parts = []
    for one in given:
        if isinstance(one, Filter):
            said = {name: getattr(one, name) for name in one.__slots__}
            parts.append(" ".join(f"{name}={value}" for name, value in said.items() if value)[:80])
        else:
            parts.append(str(one)[:30])
    return ", ".join(parts)


def pages(store: Any) -> dict[str, Page]:
    """What each page asks for."""
    models = ModelInUse(load())
    history, vetting = History(store), Vetting(store, models)
    insight = Insight(store, history, Judging(models, vetting), vetting, models)
    domain = store.top(Filter(), "registered_domain", 1)[0].value
    second = store.top(Filter(), "registered_domain", 2)[-1].value
    client = store.top(Filter(), "client", 1)[0].value

    def overview(asked: Asked) -> None:
        insight.compared(asked, ("client", "sensor"))
        insight.timeline(asked)
        insight.top(replace(asked, verdict=FLAGGED), "registered_domain")
        insight.top(replace(asked, verdict="benign"), "registered_domain")
        history.latest_flagged(15)

    def queries(asked: Asked) -> None:
        insight.timeline(asked)
        history.search(asked, 50, None)

    def of_domain(name: str) -> Page:
        def page(asked: Asked) -> None:
            insight.domain(name, asked)
            insight.timeline(replace(asked, domain=name), by="verdict")
            insight.lookalikes(name, asked, 12, clients=False)

        return page

    def of_client(asked: Asked) -> None:
        insight.client(client, asked)
        insight.timeline(replace(asked, client=client), by="verdict")

    return {
        "overview": overview,
        "top domains": lambda asked: insight.top(asked, "registered_domain"),
        "queries": queries,
        "queries of a pattern": lambda asked: queries(replace(asked, qname=f"*.{second}")),
        "flagged queries": lambda asked: queries(replace(asked, verdict=FLAGGED)),
        f"domain {domain}": of_domain(domain),
        f"domain {second}": of_domain(second),
        f"client {client}": of_client,
        "vetting": lambda asked: insight.queue(asked, 100),
        "model": lambda asked: (insight.scores(asked), insight.would_flag(asked, 30, 20)),
    }


def measure(data: Path, repeats: int, wanted: list[str], *, calls: bool) -> dict[str, Any]:
    """Ask for each page some times; the medians."""
    inner = DuckDBStore(data)
    store = Timed(inner)
    span = inner.span()
    assert span is not None, "there is no query"
    ranges = {"all": Asked(), "day": Asked(since=rfc3339(span[1] - timedelta(days=1)))}
    found = {}
    for name, page in pages(store).items():
        if wanted and not any(name.startswith(one) for one in wanted):
            continue
        for over, asked in ranges.items():
            walls, used = [], []
            for _ in range(repeats):
                store.calls.clear()
                page(asked)
                walls.append(sum(call[1] for call in store.calls))
                used.append(sum(call[2] for call in store.calls))
            key = f"{name}, {over}"
            found[key] = {"seconds": round(statistics.median(walls), 3),
                          "cpu_s": round(statistics.median(used), 3)}  # fmt: skip
            print(f"{key:40} {found[key]}", flush=True)
            for what, wall, cpu in store.calls if calls else ():
                print(f"    {wall:6.3f} {cpu:6.3f} {what}")
    inner.close()
    return found


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="those whose names begin so")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--calls", action="store_true", help="tell of each call, too")
    return parser.parse_intermixed_args(arguments)  # a page may be named after an option


def main() -> int:
    """Measure."""
    options = parsed()
    print(f"load {os.getloadavg()}")
    found = measure(options.data, options.repeats, options.pages, calls=options.calls)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
