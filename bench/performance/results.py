"""Results on disk, so that a run can be cut off and goes on; and what is made of them."""

from __future__ import annotations

import json
import os
import platform
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlplugin.model import load

Row = dict[str, Any]


def machine(cpus: str) -> Row:
    """What this runs on."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": model,
        "processors": os.cpu_count(),
        "used": cpus or "all",
        "memory_gb": round(memory / 1e9),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "model": load().version,
    }


class Results:
    """Rows of one file, each with a part, a setting, a workload and a round."""

    def __init__(self, path: Path, *, fresh: bool, about: Row) -> None:
        self.path = path
        self.about: Row = about
        self.rows: list[Row] = []
        if path.exists() and not fresh:
            found = json.loads(path.read_text())
            self.about, self.rows = {**about, **found["about"]}, found["rows"]

    def has(self, **key: Any) -> bool:
        """Tell whether this was measured."""
        return any(all(row.get(k) == v for k, v in key.items()) for row in self.rows)

    def add(self, **row: Any) -> Row:
        """Keep a measurement, with when it was made and what else the machine was doing."""
        row["at"] = datetime.now(UTC).isoformat(timespec="seconds")
        row["load"] = round(os.getloadavg()[0], 2)
        self.rows.append(row)
        self.save()
        return row

    def save(self) -> None:
        """Write the file, whole at any time."""
        new = self.path.with_suffix(".new")
        lines = ",\n".join(json.dumps(row) for row in self.rows)
        new.write_text(f'{{"about": {json.dumps(self.about)},\n"rows": [\n{lines}\n]}}\n')
        new.replace(self.path)

    def of(self, part: str, **key: Any) -> list[Row]:
        """The rows of a part."""
        return [
            row for row in self.rows
            if row["part"] == part and all(row.get(k) == v for k, v in key.items())
        ]  # fmt: skip

    def names(self, part: str, column: str) -> list[str]:
        """The values of a column, in the order in which they came."""
        return list(dict.fromkeys(row[column] for row in self.of(part) if column in row))


def spread(values: list[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    return statistics.median(values), min(values), max(values)


def paired(results: Results, workload: str, setting: str, other: str) -> list[tuple[Row, Row]]:
    """What was measured of two settings in the same rounds."""
    others = {
        row["round"]: row for row in results.of("throughput", workload=workload, setting=other)
    }
    return [
        (row, others[row["round"]])
        for row in results.of("throughput", workload=workload, setting=setting)
        if row["round"] in others
    ]


def ratios(results: Results, workload: str, setting: str) -> list[float]:
    """The share of bare CoreDNS's answers, round by round."""
    return [row["qps"] / bare["qps"] for row, bare in paired(results, workload, setting, "bare")]
