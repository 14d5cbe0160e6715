"""What Go's collection of garbage does to the latency at half load: how often, how long, how seen.

A plugin that keeps a model and a cache of verdicts has a larger heap than bare CoreDNS; Go lets a
heap double before it collects, so that it collects less often and each time for longer. Beside the
settings as they ship, bare CoreDNS is made to collect as seldom as the plugin does, and the plugin
as often as bare CoreDNS (both by GOGC), so that what collections do is told from what verdicts do.
"""

from __future__ import annotations

import re
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from bench.performance.systems import BARE, VERDICT

# https://pkg.go.dev/runtime, GODEBUG gctrace: pauses and marking by the clock, heap before->at
# the end->live, and the size that begins the next one.
TRACED = re.compile(
    r"^gc \d+ @[\d.]+s \d+%: ([\d.]+)\+([\d.]+)\+([\d.]+) ms clock,"
    r".*? (\d+)->\d+->(\d+) MB, (\d+) MB goal",
    re.MULTILINE,
)
TRACE = {"GODEBUG": "gctrace=1"}


class Pace(NamedTuple):
    """A setting whose heap may grow by so many per cent of what lives before it is collected."""

    setting: str
    percent: int = 100

    @property
    def environment(self) -> dict[str, str]:
        """What the program is started with."""
        return {**TRACE, "GOGC": str(self.percent)}


# 2 MB live in bare CoreDNS and 16 MB with the plugin; the least heap of Go is 4 MB times GOGC.
PACES = {
    BARE: Pace(BARE),
    "bare, collecting as seldom as verdict": Pace(BARE, 400),
    VERDICT: Pace(VERDICT),
    "verdict, collecting as often as bare": Pace(VERDICT, 25),
}


def collected(text: str, seconds: float) -> dict[str, Any]:
    """How often and how long a program collected garbage, of what it traced in so many seconds.

    Milliseconds by the clock; `collecting` is the share of the time in which it marked.
    """
    found = TRACED.findall(text)
    if not found:
        names = ("collections", "collecting", "mark_ms", "pause_ms", "goal_mb")
        return dict.fromkeys(names, 0.0)
    marks = [float(mark) for _, mark, *_ in found]
    return {
        "collections": round(len(found) / seconds, 1),
        "collecting": round(sum(marks) / 1000 / seconds, 4),
        "mark_ms": round(statistics.median(marks), 2),
        "pause_ms": round(statistics.median(float(a) + float(c) for a, _, c, *_ in found), 3),
        "goal_mb": round(statistics.median(int(goal) for *_, goal in found)),
    }


def since(log: Path, begin: int) -> str:
    """What a file has from that byte on."""
    with log.open("rb") as lines:
        lines.seek(begin)
        return lines.read().decode(errors="replace")
