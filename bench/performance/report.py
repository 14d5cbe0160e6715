"""Writes docs/performance.md and its plot from a file of results.

uv run python -m bench.performance.report [performance.json] [--docs docs]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot

from bench.performance.costs import costs
from bench.performance.latencies import apart, collecting, latency
from bench.performance.results import Results, Row, ratios, spread
from bench.performance.systems import BARE, EVENTS, EVERYTHING, VERDICT
from bench.performance.tables import TITLES, TOLD, by_workload, settings_of, table, told
from bench.performance.workloads import HOT, UNSEEN, ZIPF

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "mlplugin"  # the same plot from the same results

PLOT = "performance.svg"
APART = Path(__file__).with_name("apart.json")  # more processors than are usually at hand
BUSY = 6.0  # the measured processes themselves make a load average of 2 to 4
GOALS = {
    VERDICT: {HOT: 0.95, ZIPF: 0.97, UNSEEN: 0.90},
    EVENTS: {HOT: 0.85, ZIPF: 0.92, UNSEEN: 0.87},
    EVERYTHING: {HOT: 0.70, ZIPF: 0.80, UNSEEN: 0.80},
}


def throughput(results: Results) -> Iterator[str]:
    """Answers a second as ratios, and the processor time."""

    def ratio(setting: str, name: str) -> str:
        if setting == BARE:
            rows = results.of("throughput", workload=name, setting=BARE)
            return f"{spread([row['qps'] for row in rows])[0]:,.0f} answers/s"
        found = ratios(results, name, setting)
        goal = GOALS.get(setting, {}).get(name)
        if not found or not goal:
            return told(found) if found else ""
        return f"{told(found)}, goal {goal:.2f}{missed(found, goal)}"

    def cost(column: str) -> Callable[[str, str], str]:
        def cell(setting: str, name: str) -> str:
            rows = results.of("throughput", workload=name, setting=setting)
            return told([row[column] for row in rows], 1) if rows else ""

        return cell

    settings = settings_of(results, "throughput")
    yield "## What it costs beside CoreDNS alone\n"
    yield (
        "Answers a second with 200 queries always on the way, as a share of what the same CoreDNS "
        "answers without the plugin in the same round: median, and least to most of the rounds. "
        "Load generator, server, upstream and service share the same processors.\n"
    )
    yield by_workload(results, "throughput", ratio, settings) + "\n"
    yield f"![Share of bare CoreDNS's answers]({PLOT})\n"
    yield (
        "Processor time of the CoreDNS process for one answer, in microseconds. Other work on the "
        "machine disturbs it less than the clock.\n"
    )
    yield by_workload(results, "throughput", cost("server_us"), settings) + "\n"
    yield "The same with load generator, upstream, readers and service.\n"
    yield by_workload(results, "throughput", cost("all_us"), settings) + "\n"
    events = results.of("throughput", setting=EVERYTHING)
    if events:
        stored, dropped = (sum(row[key] for row in events) for key in ("stored", "dropped"))
        yield (
            f"With everything on the same processors {stored:,} events were stored and {dropped:,} "
            "counted as dropped, for want of room in the queue.\n"
        )


def footprint(results: Results) -> Iterator[str]:
    """Memory and start."""
    rows = results.of("footprint")
    if not rows:
        return
    yield "## Memory and start\n"
    shown = []
    for setting in results.names("footprint", "setting"):
        of = results.of("footprint", setting=setting)
        name = f"{VERDICT}, list of {of[0]['names']:,} names" if "list" in setting else setting
        shown.append([
            TOLD.get(name, name), told([r["start_mb"] for r in of], 1),
            told([r["rss_mb"] for r in of], 1), told([r["startup_s"] for r in of], 2),
        ])  # fmt: skip
    yield table(["", "MB after start", "MB under load", "first answer after s"], shown) + "\n"
    for row in results.of("soak"):
        yield soaked(row, results.of("ingest"))


def soaked(row: Row, ingested: list[Row]) -> str:
    """The memory under names that nobody had asked for, and what of it is the history's."""
    first, last = row["samples"][0], row["samples"][-1]
    dropped = f"{row['dropped']:,}" if "dropped" in row else "not counted how many"
    beside = (
        f", other work beside it (load average {row['load']})" if row.get("load", 0) > BUSY else ""
    )
    text = (
        f"{row['minutes']:g} minutes of {row['names']:,} names that nobody had asked for, over and "
        f"over at {row['rate']:,.0f} a second{beside}: CoreDNS from {first['coredns_mb']} MB after "
        f"{first['s']:.0f} s to {last['coredns_mb']} MB, "
        f"{max(sample['coredns_mb'] for sample in row['samples'])} MB at most, service from "
        f"{first['service_mb']} to {last['service_mb']} MB; {row['lost']:,} of {row['sent']:,} "
        f"answers lost, {dropped} events dropped."
    )
    if ingested and "stored" in row:
        size = statistics.median(one["disk_bytes"] for one in ingested) * row["stored"] / 1e6
        text += (
            f" The service keeps what it wrote in memory, up to a quarter of the machine's and "
            f"4 GB: here {row['stored']:,} events, about {size:,.0f} MB."
        )
    return text + "\n"


def service(results: Results) -> Iterator[str]:
    """Ingestion, questions, files of names."""
    rows: list[list[str]] = []
    of = results.of("ingest")
    if of:
        rows.append(["events from the socket to DuckDB, a second, by the clock",
                     told([r["events_per_s"] for r in of], 0),
                     f"100,000{missed([r['events_per_s'] for r in of], 100_000)}"])  # fmt: skip
        rows.append(["the same, of one core", told([r["events_per_core_s"] for r in of], 0), ""])
        size = [r["disk_bytes"] for r in of]
        rows.append(["bytes of disk an event", told(size, 1),
                     f"20{missed(size, 20, at_most=True)}"])  # fmt: skip
    for program, command, goal in (
        ("Python", "`mlplugin classify`", 50_000), ("Go", "`coredns/cmd/judge`", 400_000),
    ):  # fmt: skip
        of = results.of("classify", setting=program)
        if of:
            rate = told([r["per_core_s"] for r in of], 0)
            wanted = f"{goal:,}{missed([r['per_core_s'] for r in of], goal)}"
            rows.append([f"names a second of one core, {command}", rate, wanted])
    if rows:
        yield "## The service\n"
        yield table(["", "measured", "goal"], rows) + "\n"
    sizes = results.names("questions", "events")
    if sizes:
        yield (
            "Seconds until the store has answered what the pages ask, by the clock, and in "
            "brackets of processors. Different names are counted up to twenty million queries "
            "and estimated beyond.\n"
        )
        asked = results.names("questions", "setting")
        head = ["", *(f"{int(size):,} events" for size in sizes)]
        yield table(head, [
            [what, *(seconds_of(results, size, what) for size in sizes)] for what in asked
        ]) + "\n"  # fmt: skip


def missed(values: list[float], goal: float, *, at_most: bool = False) -> str:
    """What is said behind a goal that the median misses."""
    middle = statistics.median(values)
    return ", missed" if (middle > goal if at_most else middle < goal) else ""


def seconds_of(results: Results, size: object, what: str) -> str:
    """The time of a question on a history."""
    found = results.of("questions", events=size, setting=what)
    return f"{found[0]['seconds']:.2f} ({found[0]['cpu_s']:.2f})" if found else ""


def about(results: Results) -> Iterator[str]:
    """What it ran on and how it is made again."""
    it = results.about
    commands = [f"uv run python -m bench.performance {said}" for said in it.get("commands", [""])]
    load = [row["load"] for row in results.rows if "load" in row]
    yield "# Performance\n"
    yield (
        "This page is made by `python -m bench.performance.report` from the results of\n\n"
        "```text\n" + "\n".join(commands) + "\n```\n\nwhich are kept beside it.\n"
    )
    yield (
        f"It ran on {it['processor']}, processors {it['used']} of {it['processors']}, "
        f"{it['memory_gb']} GB, {it['system']}, with model {it['model']}, load by "
        f"{it['generator']}, from {results.rows[0]['at']} to {results.rows[-1]['at']} UTC, with a "
        f"load average of {statistics.median(load):.1f} (median; {max(load):.1f} at most). "
        "Give the ratios of one run, not the numbers of two.\n"
    )
    origins = "; ".join(f"*{TITLES.get(n, n)}*: {text}" for n, text in it["workloads"].items())
    yield f"The queries: {origins}.\n"


def text_of(results: Results, more: dict[str, Any]) -> str:
    """The page; `more` is what was measured with processors apart, if it was."""
    parts: list[Callable[[Results], Iterator[str]]] = [
        about, throughput, costs, latency, collecting, lambda _: apart(more), footprint, service,
    ]  # fmt: skip
    return "\n".join(piece for part in parts for piece in part(results))


def plot(results: Results, path: Path) -> None:
    """The ratios as bars with their spread."""
    workloads = results.names("throughput", "workload")
    settings = [name for name in settings_of(results, "throughput") if name != BARE]
    figure, axes = pyplot.subplots(figsize=(9, 4))
    width = 0.8 / max(len(workloads), 1)
    for place, name in enumerate(workloads):
        found = [ratios(results, name, setting) or [0.0] for setting in settings]
        middles = [spread(values)[0] for values in found]
        below = [m - spread(v)[1] for m, v in zip(middles, found, strict=True)]
        above = [spread(v)[2] - m for m, v in zip(middles, found, strict=True)]
        axes.bar([x + place * width for x in range(len(settings))], middles, width,
                 yerr=[below, above], capsize=2, label=TITLES.get(name, name))  # fmt: skip
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks([x + 0.4 - width / 2 for x in range(len(settings))], settings, rotation=15)
    axes.set_ylabel("answers, share of bare CoreDNS")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def goals_missed(results: Results) -> list[Row]:
    """The ratios that are below their goal."""
    missed = []
    for setting, goals in GOALS.items():
        for name, goal in goals.items():
            found = ratios(results, name, setting)
            if found and statistics.median(found) < goal:
                missed.append({"setting": setting, "workload": name, "goal": goal,
                               "median": round(statistics.median(found), 3)})  # fmt: skip
    return missed


def parser() -> argparse.ArgumentParser:
    """What reads the options."""
    made = argparse.ArgumentParser("python -m bench.performance.report")
    made.add_argument("results", nargs="?", type=Path, default=Path("performance.json"))
    made.add_argument(
        "--apart", type=Path, default=APART, help="results of apart.py; default: those kept here"
    )
    made.add_argument("--docs", type=Path, default=Path("docs"))
    return made


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    return parser().parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Write page and plot, and print which goals are missed."""
    options = parsed(arguments)
    if not options.results.exists():
        parser().error(f"{options.results} is not there: run python -m bench.performance first")
    results = Results(options.results, fresh=False, about={})
    if not results.rows:
        parser().error(f"{options.results} has no results: run python -m bench.performance first")
    more = json.loads(options.apart.read_text())
    (options.docs / "performance.md").write_text(text_of(results, more))
    plot(results, options.docs / PLOT)
    for row in goals_missed(results):
        print("goal missed:", row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
