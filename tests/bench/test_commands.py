"""The commands that stand beside results: none of this machine's places, each once."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.performance import __main__ as performance
from bench.performance.__main__ import parsed, record, shown


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "traffic").mkdir()
    return tmp_path


def test_places_are_told_by_name(data: Path) -> None:
    words = ["throughput", "--rounds", "5", "--data", f"{data}/", f"--scratch={data}/scratch",
             "--settings", "bare,verdict + events", "--before", "../other/coredns",
             "--list", "names.txt", "--out", "docs/performance.json"]  # fmt: skip
    assert shown(words, parsed(words)) == (
        "throughput --rounds 5 --data DATA --scratch=SCRATCH --settings 'bare,verdict + events' "
        "--before BEFORE --list LIST --out docs/performance.json"
    )


@pytest.mark.parametrize("out", ["/results/all.json", "../results.json"])
def test_results_elsewhere(out: str) -> None:
    words = ["soak", "--out", out]
    assert shown(words, parsed(words)) == "soak --out OUT"


def test_no_option_of_a_place_is_forgotten(data: Path) -> None:
    """Each that the parser has, given a place that nobody else should read of."""
    options = [name for name, value in vars(parsed([])).items() if value is None]
    places = [f"--{name}" for name in options if name not in {"settings", "load"}]
    assert {"--data", "--scratch", "--binary", "--profile"} <= set(places)
    for option in places:
        words = [option, str(data)]
        assert shown(words, parsed(words)) == f"{option} {option[2:].upper()}"


def test_each_command_stands_once() -> None:
    commands: list[str] = []
    for command in (
        "throughput --data DATA",
        "throughput --data DATA --resume",  # it was cut off
        "throughput --resume --data DATA",
        "soak --resume --data DATA",
        "soak --resume --data DATA",
    ):
        record(commands, command)
    assert commands == ["throughput --data DATA", "soak --resume --data DATA"]


def test_a_run_that_goes_on_is_kept_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program itself, with nothing that it starts and one part that measures nothing."""
    work = SimpleNamespace(make=lambda _name: SimpleNamespace(origin="invented"))
    stands: dict[str, Any] = {
        "coredns_binary": lambda: Path("coredns"),
        "go_build": lambda *_: Path("program"),
        "Generator": SimpleNamespace(choose=lambda *_: SimpleNamespace(name="none")),
        "Workloads": lambda *_: work,
        "sinks": lambda *_: nullcontext(),
        "Bench": lambda *_: SimpleNamespace(settings=list),
        "Parts": lambda *_: None,
        "SERVICE_PARTS": {"ingest": lambda results, _: results.add(part="ingest")},
    }
    for name, stand in stands.items():
        monkeypatch.setattr(performance, name, stand)
    monkeypatch.chdir(data)
    for more in ([], ["--resume"], ["--resume", "--events", "7"]):
        words = ["ingest", "--data", str(data), "--out", "results.json", *more]
        monkeypatch.setattr("sys.argv", ["bench.performance", *words])
        assert performance.main() == 0
    text = (data / "results.json").read_text()
    assert str(data) not in text
    assert json.loads(text)["about"]["commands"] == [
        "ingest --data DATA --out results.json",
        "ingest --data DATA --out results.json --resume --events 7",
    ]
