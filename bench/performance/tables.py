"""Tables of results, and what settings and workloads are called in them."""

from __future__ import annotations

from collections.abc import Callable

from bench.performance.results import Results, spread
from bench.performance.systems import BARE, EVENTS, EVERYTHING, SETTINGS, VERDICT
from bench.performance.workloads import HOT, UNSEEN, ZIPF

TITLES = {HOT: "hot", ZIPF: "Zipf", UNSEEN: "all unseen"}
TOLD = {
    VERDICT: "verdict on query and answer",
    EVENTS: "verdict, events to a reader that throws away",
    EVERYTHING: "everything: verdict, events, service, DuckDB",
    "log": "`log` to nothing",
    "dnstap": "`dnstap` to a reader that throws away",
    "prometheus": "`prometheus`",
    BARE: "CoreDNS, bare",
}


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown, figures to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def told(values: list[float], digits: int = 2) -> str:
    """Median, and least to most in brackets."""
    middle, least, most = spread(values)
    return f"{middle:,.{digits}f} ({least:,.{digits}f}-{most:,.{digits}f})"


def settings_of(results: Results, part: str) -> list[str]:
    """Those that were measured, in the order of the tables."""
    there = results.names(part, "setting")
    return [name for name in SETTINGS if name in there] + [n for n in there if n not in SETTINGS]


def by_workload(
    results: Results, part: str, cell: Callable[[str, str], str], settings: list[str]
) -> str:
    """A table of settings by workloads."""
    workloads = results.names(part, "workload")
    head = ["", *(TITLES.get(name, name) for name in workloads)]
    rows = [
        [TOLD.get(setting, setting), *(cell(setting, name) for name in workloads)]
        for setting in settings
    ]
    return table(head, rows)
