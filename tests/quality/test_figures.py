"""The README's figures are those that were measured of the model that ships."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mlplugin.model import load, shipped

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
METRICS: dict[str, Any] = json.loads((shipped() / "metrics.json").read_text())

FALSE_POSITIVES = {
    "clean, from several popularity lists": "clean, unseen domains",
    "really queried host names, clean": "queried hosts, unseen domains, clean",
    "really queried host names, all": "queried hosts, unseen domains, all",
    "noisy long tail": "long tail, unseen domains",
    "in one popularity list only": "popularity lists, one vote, unseen",
}
FINDS = {"malware": ["mal_malware"], "scam": ["mal_scam"],
         "phishing": ["mal_phishing", "mal_phishing, foreign sources"]}  # fmt: skip


def row(start: str) -> list[str]:
    found = re.search(rf"^\| {re.escape(start)}[^|]*\|(.*)\|$", README, re.M)
    assert found is not None, start
    return [cell.strip() for cell in found[1].split("|")]


def percents(cell: str) -> list[float]:
    return [float(part) for part in re.findall(r"([\d.]+) %", cell)]


def test_the_model_is_the_one_that_is_named() -> None:
    assert f"`{load().version}`" in README


@pytest.mark.parametrize("name", FALSE_POSITIVES)
def test_false_positives(name: str) -> None:
    names, suspicious, malicious = row(name)
    measured = METRICS["false_positives"][FALSE_POSITIVES[name]]
    assert int(names.replace(",", "")) == measured["names"]
    assert percents(suspicious) == [
        pytest.approx(100 * measured["suspicious or worse"], rel=0.06, abs=1e-3)
    ]
    assert percents(malicious) == [pytest.approx(100 * measured["malicious"], rel=0.06, abs=1e-3)]


@pytest.mark.parametrize("name", FINDS)
def test_finds(name: str) -> None:
    suspicious, malicious = row(name)
    measured = [METRICS["finds"][place] for place in FINDS[name]]
    assert percents(suspicious) == [
        pytest.approx(100 * one["suspicious or worse"], abs=0.5) for one in measured
    ]
    assert percents(malicious) == [
        pytest.approx(100 * one["malicious"], abs=0.5) for one in measured
    ]


@pytest.mark.parametrize(
    ("name", "prefix"), [("random DGA", "dga_random:"), ("dictionary DGA", "dga_dictionary:")]
)
def test_finds_of_families(name: str, prefix: str) -> None:
    families = [one for place, one in METRICS["finds"].items() if place.startswith(prefix)]
    for cell, key in zip(row(name), ("suspicious or worse", "malicious"), strict=True):
        mean = sum(one[key] for one in families) / len(families)
        assert percents(cell) == [pytest.approx(100 * mean, abs=0.5)]
