"""Plots of a report made by hand: the same bytes each time, small, and only what was measured."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from mlplugin.training import finds, plots

WORSE = "suspicious or worse"


def point(score: int, observed: float) -> dict[str, Any]:
    span = [observed / 2, observed * 2 + 1e-4]
    return {"score": score, "expected": 10 ** (-score / 10), "observed": observed, "interval": span}


@pytest.fixture
def report() -> dict[str, Any]:
    curve = [round(at / len(finds.GRID), 3) for at in range(len(finds.GRID))]
    found = {
        f"dga_random: family{number}": {WORSE: 0.5, "interval": {WORSE: [0.4, 0.6]}}
        for number in range(40)
    }
    new = {f"finds/{name}": {WORSE: {"mean": 0.3, "interval": [0.2, 0.4]}} for name in found}
    scale = {
        f"score_scale/clean/{score}": {
            "expected": 10 ** (-score / 10),
            "observed": {"mean": 0.0, "interval": [0.0, 1e-4]},
        }
        for score in (30, 37)
    }
    return {
        "roc": {
            "rates": list(finds.GRID),
            **{
                threat: {"sets": 1, **dict.fromkeys(finds.KINDS, curve)}
                for threat in ("dga", "malware", "phishing", "scam")
            },
        },
        "score_scale": {"clean": [point(30, 1e-3), point(37, 0.0)], "hosts": [point(30, 5e-4)]},
        "finds": found,
        "holdouts": {"summary": {"families": new, "domains": scale}},
    }


def test_the_same_report_gives_the_same_bytes(report: dict[str, Any], tmp_path: Path) -> None:
    first = plots.draw(report, tmp_path / "first")
    second = plots.draw(report, tmp_path / "second")
    assert [path.name for path in first] == ["roc.svg", "reliability.svg", "families.svg"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert len(one.read_bytes()) < 150_000
        assert ET.parse(one).getroot().tag.endswith("svg")  # noqa: S314 - drawn here
        assert b"Date" not in one.read_bytes()
    report["finds"]["dga_random: family0"][WORSE] = 0.9
    changed = plots.draw(report, tmp_path / "changed")[2]
    assert changed.read_bytes() != first[2].read_bytes()


def test_what_is_not_there_is_not_drawn(report: dict[str, Any], tmp_path: Path) -> None:
    report |= {"roc": {"rates": list(finds.GRID)}, "finds": {}, "holdouts": {}}
    assert [path.name for path in plots.draw(report, tmp_path)] == ["reliability.svg"]
    assert [path.name for path in tmp_path.iterdir()] == ["reliability.svg"]


def test_other_drawings_keep_their_style(report: dict[str, Any], tmp_path: Path) -> None:
    import matplotlib as mpl

    before = mpl.rcParams["svg.hashsalt"], mpl.rcParams["font.size"]
    plots.draw(report, tmp_path)
    assert (mpl.rcParams["svg.hashsalt"], mpl.rcParams["font.size"]) == before
