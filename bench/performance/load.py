"""Load on a DNS server: as much as it takes, or a fixed rate."""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.performance.apart import pinned

CLIENTS, OUTSTANDING = 20, 200


def own_seconds() -> float:
    """Processor time of all generators that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Generator:
    """`dnsperf` where it is installed, else our own `dnsload`."""

    dnsload: Path
    cpus: str
    dnsperf: str | None = None

    @classmethod
    def choose(cls, dnsload: Path, cpus: str, wanted: str | None) -> Generator:
        found = shutil.which("dnsperf")
        if wanted == "dnsperf" and not found:
            raise SystemExit(
                "dnsperf is not installed: apt-get install dnsperf, or leave --load away "
                "to use bench/dnsload"
            )
        return cls(dnsload, cpus, None if wanted == "dnsload" else found)

    @property
    def name(self) -> str:
        return "dnsperf" if self.dnsperf else "bench/dnsload"

    def flood(
        self, port: int, queries: Path, seconds: float, *, once: bool = False
    ) -> dict[str, Any]:
        """As many queries as are answered, always so many on the way: answers a second."""
        if not self.dnsperf:
            found = self._dnsload(
                port, queries, seconds, "-outstanding", str(OUTSTANDING), "-sockets", str(CLIENTS)
            )
            return {"qps": found["rate"], "answered": found["answered"], "lost": found["lost"],
                    "rcodes": found["rcodes"]}  # fmt: skip
        done = subprocess.run(
            pinned(self.cpus, [
                self.dnsperf, "-s", "127.0.0.1", "-p", str(port), "-d", str(queries),
                "-c", str(CLIENTS), "-q", str(OUTSTANDING), "-l", str(max(1, round(seconds))),
                "-T", "1", "-t", "2", *(["-n", "1"] if once else []),
            ]),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return parse_dnsperf(done.stdout)

    def steady(self, port: int, queries: Path, seconds: float, rate: float) -> dict[str, Any]:
        """A fixed rate; latencies in microseconds from when each query was due."""
        return self._dnsload(port, queries, seconds, "-rate", str(rate), "-wait", "1s")

    def _dnsload(self, port: int, queries: Path, seconds: float, *more: str) -> dict[str, Any]:
        done = subprocess.run(
            pinned(self.cpus, [
                str(self.dnsload), "-server", f"127.0.0.1:{port}", "-names", str(queries),
                "-for", f"{seconds}s", *more,
            ]),
            capture_output=True, check=True,
        )  # fmt: skip
        report: dict[str, Any] = json.loads(done.stdout)
        return report


def parse_dnsperf(text: str) -> dict[str, Any]:
    """The figures of dnsperf's summary. Raises ValueError where one is missing."""

    def figure(label: str) -> float:
        found = re.search(rf"{label}:\s+([\d.]+)", text)
        if found is None:
            raise ValueError(f"dnsperf says nothing of {label!r}: {text[-500:]}")
        return float(found[1])

    rcodes = re.search(r"Response codes:\s+(.*)", text)
    return {
        "qps": figure("Queries per second"),
        "answered": int(figure("Queries completed")),
        "lost": int(figure("Queries lost")),
        "rcodes": {
            code: int(count)
            for code, count in re.findall(r"([A-Z]+) (\d+)", rcodes[1] if rcodes else "")
        },
    }
