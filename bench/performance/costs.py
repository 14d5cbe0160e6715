"""Where the processor time of one answer goes: what each part adds, in the same round."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.performance.results import Results, Row, paired
from bench.performance.systems import BARE, EVENTS, EVERYTHING, VERDICT
from bench.performance.tables import TITLES, table, told

Cost = Callable[[Row], float]


def server(row: Row) -> float:
    """Of the CoreDNS process."""
    return float(row["server_us"])


def around(row: Row) -> float:
    """Of all others: load generator, upstream, reader of events, service."""
    return float(row["all_us"] - row["server_us"])


PARTS: list[tuple[str, Cost, str, str]] = [
    ("the verdict", server, VERDICT, BARE),
    ("events, recorded and sent", server, EVENTS, VERDICT),
    ("the same to the service", server, EVERYTHING, EVENTS),
    ("the service and DuckDB", around, EVERYTHING, BARE),
]


def added(results: Results, workload: str, cost: Cost, more: str, less: str) -> list[float]:
    """What one setting costs more than another, round by round."""
    pairs = paired(results, workload, more, less)
    return [cost(row) - cost(other) for row, other in pairs]


def costs(results: Results) -> Iterator[str]:
    """A table of what is added to an answer, and what of the answers that would leave."""
    workloads = [
        name
        for name in results.names("throughput", "workload")
        if added(results, name, around, EVERYTHING, BARE)
    ]
    if not workloads:
        return
    yield "## Where the time goes\n"
    yield (
        "Microseconds of processor time that one answer takes more: the difference of the same "
        "round, median and least to most. What is less than nothing was saved, or is noise. The "
        "last line is what everything together would leave of bare CoreDNS's answers if nothing "
        "but processor time counted.\n"
    )
    rows = []
    for name, cost, more, less in PARTS:
        found = [added(results, workload, cost, more, less) for workload in workloads]
        rows.append([name, *(told(values, 1) if values else "" for values in found)])
    rows.append(["share that is left", *(_left(results, name) for name in workloads)])
    yield table(["", *(TITLES.get(name, name) for name in workloads)], rows) + "\n"


def _left(results: Results, workload: str) -> str:
    pairs = paired(results, workload, EVERYTHING, BARE)
    return told([bare["all_us"] / row["all_us"] for row, bare in pairs])
