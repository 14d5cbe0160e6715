"""The whole benchmark in its quick form, against real servers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.performance import report
from bench.performance.results import Results

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.performance", "--quick", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip


@pytest.mark.e2e
@pytest.mark.slow
def test_quick(tmp_path: Path) -> None:
    """Every part measures something and loses nothing that it should not."""
    out = tmp_path / "results.json"
    wanted = ["--load", "dnsload", "--workloads", "hot", "--out", str(out)]
    settings = "bare,verdict,verdict + events,everything,log,dnstap,prometheus"
    done = run(*wanted, "--settings", settings)
    assert done.returncode == 0, done.stderr
    results = Results(out, fresh=False, about={})
    assert results.names("throughput", "setting")
    assert set(results.names("throughput", "setting")) == set(settings.split(","))
    for row in results.of("throughput"):
        assert row["answered"] > 0
        assert row["server_us"] > 0
        assert set(row["rcodes"]) == {"NOERROR"}
    (everything,) = results.of("throughput", setting="everything")
    assert everything["stored"] + everything["dropped"] >= everything["answered"]
    (swaps,) = results.of("swaps", setting="swaps")
    assert swaps["swaps"] > 0
    (soak,) = results.of("soak")
    assert soak["stored"] > 0
    for part in ("latency", "collecting", "footprint", "ingest", "classify", "questions"):
        assert results.of(part), part

    before = out.read_text()
    again = run(*wanted, "--settings", settings, "--resume")
    assert again.returncode == 0, again.stderr
    assert Results(out, fresh=False, about={}).rows == results.rows, before
    assert report.main([str(out), "--docs", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "there is no part 'nothing': choose from throughput"),
        (["--workloads", "cold"], "there is no workload 'cold': choose from hot"),
        (["--data", "/nowhere"], "has no folder `traffic`"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
