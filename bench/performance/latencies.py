"""What the page says of latency: at half load, with garbage collected, with processors apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.performance.results import Results
from bench.performance.systems import BARE, EVENTS, VERDICT
from bench.performance.tables import TITLES, TOLD, by_workload, settings_of, table, told


def latency(results: Results) -> Iterator[str]:
    """Latency at half load."""
    if not results.of("latency"):
        return

    def cell(setting: str, name: str) -> str:
        rows = results.of("latency", workload=name, setting=setting)
        return told([row["p99"] for row in rows], 0) if rows else ""

    yield "## Latency at half load\n"
    yield (
        "99th percentile in microseconds at half of what bare CoreDNS answers, counted from when "
        "each query was due.\n"
    )
    yield by_workload(results, "latency", cell, settings_of(results, "latency")) + "\n"
    swaps = {name: results.of("swaps", setting=name) for name in ("peace", "swaps")}
    if all(swaps.values()):
        made = sum(row["swaps"] for row in swaps["swaps"])
        yield (
            f"While model, list and policy are replaced in turn, twice a second ({made} times in "
            f"all): 99.9th percentile {told([r['p999'] for r in swaps['swaps']], 0)} µs and "
            f"largest {told([r['max'] for r in swaps['swaps']], 0)} µs; in peace, between these "
            f"rounds, {told([r['p999'] for r in swaps['peace']], 0)} µs and "
            f"{told([r['max'] for r in swaps['peace']], 0)} µs.\n"
        )


def apart(found: dict[str, Any]) -> Iterator[str]:
    """Latency where load and server have processors of their own, of `apart.py`."""
    if not found:
        return
    it, rows = found["about"], found["rows"]

    def of(part: str, key: str, **wanted: str) -> list[float]:
        chosen = {"part": part, **wanted}
        return [row[key] for row in rows if all(row[k] == v for k, v in chosen.items())]

    yield "## Latency with processors of their own\n"
    yield (
        f"`python3 bench/performance/apart.py --help` tells how. On {it['processor']} with "
        f"{it['processors']} processors: CoreDNS on {it['server']}, load on {it['load']}, upstream "
        f"and event reader on {it['around']}; {it['system']}"
        f"{', with model ' + it['model'] if 'model' in it else ''}. Microseconds at half of what "
        f"bare CoreDNS answers there{'; ' + it['note'] if 'note' in it else ''}.\n"
    )
    yield table(["", "a second", "setting", "median", "99th percentile", "largest"], [
        [TITLES.get(name, name), f"{of('apart', 'rate', workload=name)[0]:,.0f}",
         TOLD.get(setting, setting),
         *(told(of("apart", key, workload=name, setting=setting), 0)
           for key in ("p50", "p99", "max"))]
        for name in dict.fromkeys(row["workload"] for row in rows if row["part"] == "apart")
        for setting in (BARE, VERDICT, EVENTS)
    ]) + "\n"  # fmt: skip
    if of("apart swaps", "max"):
        swaps, peace = (
            f"99th percentile {told(of('apart swaps', 'p99', setting=setting), 0)} and largest "
            f"{told(of('apart swaps', 'max', setting=setting), 0)} µs"
            for setting in ("swaps", "peace")
        )
        yield f"While model and list are replaced in turn: {swaps}; in peace: {peace}.\n"


def collecting(results: Results) -> Iterator[str]:
    """What collections of garbage do to it."""
    if not results.of("collecting"):
        return
    yield "## What collecting garbage does to it\n"
    yield (
        "The same load on other runs, with Go's trace of its collections. The plugin's heap holds "
        "model, cache and lists, so that Go lets it grow for longer and collects less often. In "
        "two of the rows GOGC lets bare CoreDNS collect as seldom as the plugin does, and the "
        "plugin as often as bare CoreDNS. Collections a second, how long each marks and the share "
        "of the time in which one does; latencies in microseconds.\n"
    )
    keys = {"collections": 1, "mark_ms": 1, "collecting": 3, "p50": 0, "p99": 0, "p999": 0}
    rows = []
    for name in results.names("collecting", "workload"):
        for setting in settings_of(results, "collecting"):
            of = results.of("collecting", workload=name, setting=setting)
            cells = [told([row[key] for row in of], digits) for key, digits in keys.items()]
            rows.append([TITLES.get(name, name), TOLD.get(setting, setting), *cells])
    head = ["", "setting", "a second", "ms each", "share", "median", "99th", "99.9th"]
    yield table(head, rows) + "\n"
