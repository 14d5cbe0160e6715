"""The walk of the dashboard on a small history, with real pages and figures."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.screens import figures
from bench.screens.figures import Compared, short
from bench.screens.history import HARMFUL, ORDINARY
from bench.screens.read import Seen
from tests.support.families import syllables

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ("ts", "id.orig_h", "rtt", "query", "qtype_name", "rcode_name", "answers")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.screens", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder as the benchmark wants it, with few names."""
    dice = random.Random(1)
    found = tmp_path / "data"
    for name in ("names", "traffic"):
        (found / name).mkdir(parents=True)
    for number, name in enumerate((*ORDINARY, *HARMFUL)):
        lines = "".join(f"{one}\tx\n" for one in syllables(number, 60))
        with gzip.open(found / "names" / f"{name}.tsv.gz", "wt") as file:
            file.write("name\tlabel\n" + lines)
    with gzip.open(found / "traffic" / "small-dns.log.gz", "wt") as file:
        file.write("#fields\t" + "\t".join(COLUMNS) + "\n")
        for number in range(400):
            host = f"{dice.choice(('www', 'api', 'img'))}.site{number % 30}.example.com"
            row = (f"{number}.5", f"10.0.0.{number % 20}", "0.01", host, "A", "NOERROR",
                   f"192.0.2.{number % 9}")  # fmt: skip
            file.write("\t".join(row) + "\n")
    return found


@pytest.mark.e2e
@pytest.mark.slow
def test_the_figures_of_every_page_are_true(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wanted = ["figures", "--data", str(data), "--out", str(out), "--events", "4000"]
    done = run(*wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    rows: list[dict[str, Any]] = json.loads((out / "results.json").read_text())["rows"]
    assert sum(row["same"] for row in rows) > 2000
    assert not [row for row in rows if row["wrong"] or row["faults"]]

    made = (out / "history-4000" / "made.json").stat().st_mtime_ns
    again = run(*wanted, "--resume")
    assert again.returncode == 0, again.stderr
    assert (out / "history-4000" / "made.json").stat().st_mtime_ns == made
    assert json.loads((out / "results.json").read_text())["rows"] == rows


def test_a_figure_that_differs_is_told() -> None:
    found = Compared()
    found.hold("rows", [("a", "1"), ("b", "2")], [("a", "1"), ("b", "3")])
    found.hold("fewer", [("a", "1")], [("a", "1"), ("b", "3")])
    found.hold("total", "1,000", "1,000")
    assert found.same == 1
    assert found.wrong == [
        "rows: shown ('b', '2'), and is ('b', '3')",
        "fewer: shown 1, and is 2",
    ]


def test_a_chart_that_is_not_there_is_told() -> None:
    seen, found = Seen({}, {}, {}, {}, ""), Compared()
    empty: Any = SimpleNamespace(timeline=lambda *_: {})
    figures._chart(seen, "overview", empty, {}, found)
    assert found.wrong == []
    full: Any = SimpleNamespace(timeline=lambda *_: {"2026-11-26T00:00:00": {"benign": 3}})
    figures._chart(seen, "overview", full, {}, found)
    assert found.wrong == [
        "chart overview: shown {}, and is {'2026-11-26T00:00:00': {'benign': 3}}"
    ]


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (9_999, "9,999"), (12_340, "12.3k"), (10_000_000, "10M")]
)
def test_short_counts(value: int, said: str) -> None:
    assert short(value) == said


def test_wrong_usage(tmp_path: Path) -> None:
    done = run("nothing", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "there is no part 'nothing': choose from times" in done.stderr
