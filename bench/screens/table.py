"""What was found, as tables."""

from __future__ import annotations

import statistics
from typing import Any

from bench.performance.results import Results
from bench.screens.walk import say

SERIOUS = ("serious", "critical")


def table(results: Results) -> int:
    """Print everything; 1 where something is not as it has to be."""
    bad = times(results)
    for part in ("figures", "elastic"):
        rows = results.of(part)
        if rows:
            wrong = [f"{row['setting']}: {one}" for row in rows
                     for one in (*row["wrong"], *row["faults"])]  # fmt: skip
            say(f"\n{part}: {sum(row['same'] for row in rows):,} figures of {len(rows)} pages are "
                f"true, {sum(len(row['wrong']) for row in rows)} are not")  # fmt: skip
            bad += wrong
    bad += looks(results)
    bad += lively(results)
    say("\n" + ("everything is as it has to be" if not bad else "\n".join(["NOT SO:", *bad])))
    return 1 if bad else 0


def times(results: Results) -> list[str]:
    """Medians and the worst of each page and filter; those whose median is over the limit."""
    rows = results.of("times")
    if not rows:
        return []
    say(f"\n{'seconds':48}{'median':>8}{'worst':>8}{'limit':>8}{'still':>8}   load "
        f"{_loads(rows)}")  # fmt: skip
    slow = []
    for setting in results.names("times", "setting"):
        mine = results.of("times", setting=setting)
        took, limit = [row["seconds"] for row in mine], mine[0]["limit"]
        middle = statistics.median(took)
        over = middle > limit
        still = [row["still"] for row in mine if "still" in row]
        rest = f"{statistics.median(still):8.2f}" if still else f"{'':8}"
        say(f"{setting:48}{middle:8.2f}{max(took):8.2f}{limit:8.1f}{rest}"
            f"{'  OVER' if over else ''}")  # fmt: skip
        if over:
            slow.append(f"{setting} takes {middle:.2f} s, and {limit} s is the most")
    return slow


def looks(results: Results) -> list[str]:
    """What is wrong with pages as they look."""
    rows = results.of("looks")
    bad = []
    for row in rows:
        where = f"{row['setting']}, {row['look']}"
        bad += [f"{where}: {one}" for one in row["faults"]]
        bad += [f"{where}: {one}" for one in row["barriers"] if one.startswith(SERIOUS)]
        bad += [f"{where}: a table is cut: {one}" for one in row["cut"]]
        if row["over"] > 0:
            bad.append(f"{where}: {row['over']} px wider than the window")
    if rows:
        barriers = sum(len(row["barriers"]) for row in rows)
        say(f"\nlooks: {len(rows)} pictures, {barriers} barriers of any kind, {len(bad)} faults")
    return bad


def lively(results: Results) -> list[str]:
    """What was found while events arrived."""
    rows = results.of("live")
    if not rows:
        return []
    say(f"\n{'while events arrive':40}{'median':>8}{'worst':>8}{'longest task, ms':>20}   load "
        f"{_loads(rows)}")  # fmt: skip
    bad: list[str] = []
    for setting in results.names("live", "setting"):
        mine = results.of("live", setting=setting)
        if setting == "events":
            (row,) = mine
            say(f"{row['sent']:,} events sent at {row['rate']:,} a second, {row['stored']:,} "
                f"stored, the latest batch {row['late']:.2f} s late")  # fmt: skip
            bad += row["faults"]
            if row["stored"] != row["sent"]:
                bad.append(f"{row['sent']} events were sent and {row['stored']} stored")
        elif setting == "looking on":
            (row,) = mine
            say(f"looking on for {row['over']:.0f} s: {row['long']} tasks over 50 ms, the longest "
                f"{row['longest']:.0f} ms, {row['blocked']:.0f} ms over it in all")  # fmt: skip
        else:
            took = [row["seconds"] for row in mine if row["seconds"] is not None]
            longest = max((row.get("longest", 0) for row in mine), default=0)
            say(f"{setting:40}{statistics.median(took):8.2f}{max(took):8.2f}{longest:20.0f}")
            if len(took) < len(mine):
                bad.append(f"{setting}: {len(mine) - len(took)} were not")
    return bad


def _loads(rows: list[dict[str, Any]]) -> str:
    loads = [row["load"] for row in rows]
    return f"{min(loads):.1f} to {max(loads):.1f}"
