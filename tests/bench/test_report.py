"""Results, ratios and the page that is made of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.performance import report
from bench.performance.collecting import PACES
from bench.performance.load import parse_dnsperf
from bench.performance.results import Results, ratios, spread

ABOUT = {
    "processor": "test", "used": "0,1", "processors": 2, "memory_gb": 8, "system": "Linux",
    "model": "1.0.0", "generator": "dnsload", "workloads": {"hot": "invented"},
}  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Three rounds: ours answers 0.9, 0.8 and 1.0 of what bare CoreDNS does."""
    found = Results(tmp_path / "performance.json", fresh=True, about=ABOUT)
    for number, (bare, ours) in enumerate([(1000, 900), (2000, 1600), (500, 500)]):
        for setting, qps in (("bare", bare), ("verdict", ours)):
            found.add(part="throughput", workload="hot", setting=setting, round=number, qps=qps,
                      server_us=20.0, all_us=30.0)  # fmt: skip
    return found


def test_ratios_are_of_the_same_round(results: Results) -> None:
    assert ratios(results, "hot", "verdict") == [0.9, 0.8, 1.0]
    assert spread([0.9, 0.8, 1.0]) == (0.9, 0.8, 1.0)


def test_a_round_without_bare_counts_for_nothing(results: Results) -> None:
    results.add(part="throughput", workload="hot", setting="verdict", round=7, qps=1)
    assert ratios(results, "hot", "verdict") == [0.9, 0.8, 1.0]


def test_results_are_read_again(results: Results) -> None:
    again = Results(results.path, fresh=False, about={})
    assert again.rows == results.rows
    assert again.about == ABOUT
    assert again.has(part="throughput", setting="bare", round=2)
    assert not again.has(part="throughput", setting="bare", round=3)
    assert Results(results.path, fresh=True, about={}).rows == []


def test_page_and_plot(
    results: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.main([str(results.path), "--docs", str(tmp_path)]) == 0
    page = (tmp_path / "performance.md").read_text()
    assert "| verdict on query and answer | 0.90 (0.80-1.00), goal 0.95, missed |" in page
    assert "| CoreDNS, bare | 1,000 answers/s |" in page
    assert "It ran on test, processors 0,1 of 2" in page
    plot = (tmp_path / report.PLOT).read_bytes()
    assert b"<svg" in plot
    assert "goal missed: {'setting': 'verdict', 'workload': 'hot'" in capsys.readouterr().out
    report.main([str(results.path), "--docs", str(tmp_path)])
    assert (tmp_path / report.PLOT).read_bytes() == plot


def test_the_page_in_the_documentation_is_made_of_its_results(tmp_path: Path) -> None:
    docs = Path(report.__file__).parents[2] / "docs"
    report.main([str(docs / "performance.json"), "--docs", str(tmp_path)])
    assert (tmp_path / "performance.md").read_text() == (docs / "performance.md").read_text()


def test_where_the_time_goes(results: Results, tmp_path: Path) -> None:
    of = {"part": "throughput", "workload": "hot", "qps": 500}
    for number in range(3):
        results.add(**of, setting="verdict + events", round=number, server_us=23.0, all_us=33.0)
        results.add(**of, setting="everything", round=number, server_us=24.0, all_us=40.0,
                    stored=900, dropped=0)  # fmt: skip
    report.main([str(results.path), "--docs", str(tmp_path)])
    page = (tmp_path / "performance.md").read_text()
    assert "| the verdict | 0.0 (0.0-0.0) |" in page
    assert "| events, recorded and sent | 3.0 (3.0-3.0) |" in page
    assert "| the same to the service | 1.0 (1.0-1.0) |" in page
    assert "| the service and DuckDB | 6.0 (6.0-6.0) |" in page
    assert "| share that is left | 0.75 (0.75-0.75) |" in page


def test_goals_of_the_service(results: Results, tmp_path: Path) -> None:
    results.add(part="classify", setting="Go", round=0, per_core_s=399_999)
    results.add(part="classify", setting="Python", round=0, per_core_s=50_000)
    report.main([str(results.path), "--docs", str(tmp_path)])
    page = (tmp_path / "performance.md").read_text()
    assert "`coredns/cmd/judge` | 399,999 (399,999-399,999) | 400,000, missed |" in page
    assert "`mlplugin classify` | 50,000 (50,000-50,000) | 50,000 |" in page


def test_latency_apart(results: Results, tmp_path: Path) -> None:
    about = {"processor": "test", "processors": 16, "server": "0-3", "load": "4-6",
             "around": "7,8", "system": "Linux"}  # fmt: skip
    rows = [
        {"part": "apart", "workload": "hot", "setting": setting, "round": number, "rate": 1000.0,
         "p50": p50, "p99": 10 * p50, "max": 100 * p50, "lost": 0}
        for setting, p50 in (("bare", 10.0), ("verdict", 20.0), ("verdict + events", 30.0))
        for number in range(3)
    ]  # fmt: skip
    rows += [{**rows[0], "part": "apart swaps", "setting": name} for name in ("peace", "swaps")]
    apart = tmp_path / "apart.json"
    apart.write_text(json.dumps({"about": about, "rows": rows}))
    report.main([str(results.path), "--apart", str(apart), "--docs", str(tmp_path)])
    page = (tmp_path / "performance.md").read_text()
    assert "| hot | 1,000 | CoreDNS, bare | 10 (10-10) | 100 (100-100) | 1,000" in page
    assert "While model and list are replaced in turn: 99th percentile 100 (100-100)" in page


def test_collecting(results: Results, tmp_path: Path) -> None:
    of = {"part": "collecting", "workload": "hot", "p50": 50.0, "p99": 900.0, "p999": 2000.0}
    for pace in PACES:
        results.add(**of, setting=pace, round=0, collections=30.0, mark_ms=0.4, collecting=0.012)
    report.main([str(results.path), "--docs", str(tmp_path)])
    page = (tmp_path / "performance.md").read_text()
    line = "30.0 (30.0-30.0) | 0.4 (0.4-0.4) | 0.012 (0.012-0.012) | 50 (50-50) | 900 (900-900)"
    for told in ("CoreDNS, bare", "bare, collecting as seldom as verdict"):
        assert f"| hot | {told} | {line}" in page


def test_no_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        report.main([str(tmp_path / "none.json")])
    assert "run python -m bench.performance first" in capsys.readouterr().err


def test_summary_of_dnsperf() -> None:
    text = """Statistics:

  Queries sent:         1000
  Queries completed:    998 (99.80%)
  Queries lost:         2 (0.20%)

  Response codes:       NOERROR 990 (99.20%), NXDOMAIN 8 (0.80%)
  Average packet size:  request 29, response 57
  Run time (s):         3.000321
  Queries per second:   92000.123456
"""
    assert parse_dnsperf(text) == {
        "qps": 92000.123456, "answered": 998, "lost": 2,
        "rcodes": {"NOERROR": 990, "NXDOMAIN": 8},
    }  # fmt: skip
    with pytest.raises(ValueError, match="Queries per second"):
        parse_dnsperf("Queries completed: 1\n")
