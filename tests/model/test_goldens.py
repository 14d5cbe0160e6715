"""The reader against the plain reading of the format, name by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlplugin.model import Model, load
from mlplugin.verdict import THREATS

TESTDATA = Path(__file__).resolve().parents[2] / "testdata"
GOLDENS: dict[str, dict[str, Any]] = {
    row["qname"]: row
    for row in map(json.loads, (TESTDATA / "golden" / "verdicts.jsonl").read_text().splitlines())
}


@pytest.fixture(scope="module")
def model() -> Model:
    return load(TESTDATA / "model-tiny")


def test_the_goldens_have_every_verdict_and_source() -> None:
    assert {row["verdict"] for row in GOLDENS.values()} == {"benign", "suspicious", "malicious"}
    assert {row["source"] for row in GOLDENS.values()} == {"allowlist", "reputation", "model"}
    assert {row["threat"] for row in GOLDENS.values()} == {None, *THREATS}


@pytest.mark.parametrize("name", GOLDENS)
def test_split(name: str, model: Model) -> None:
    golden = GOLDENS[name]
    parts = model.split(name)
    assert parts == (golden["subdomain"], golden["label"], golden["suffix"])
    assert parts.registered_domain == golden["registered_domain"]


def test_judge_many(model: Model) -> None:
    for verdict, golden in zip(model.judge_many(list(GOLDENS)), GOLDENS.values(), strict=True):
        found = verdict.to_json()
        for key in ("qname", "registered_domain", "verdict", "threat", "source"):
            assert found[key] == golden[key], golden["qname"]
        assert verdict.score == pytest.approx(golden["score"], abs=1e-9), golden["qname"]
        assert found["model"] == "0.0.1"


def test_logits_and_scores(model: Model) -> None:
    logits = model.logits_many(list(GOLDENS))
    scores = model.scores_many(list(GOLDENS))
    wanted = [[row["logits"][threat] for threat in THREATS] for row in GOLDENS.values()]
    np.testing.assert_allclose(logits, wanted, rtol=0, atol=1e-9)
    wanted = [[row["scores"][threat] for threat in THREATS] for row in GOLDENS.values()]
    np.testing.assert_allclose(scores, wanted, rtol=0, atol=1e-9)


def test_overall_scores_whatever_came_before_the_model(model: Model) -> None:
    overall, scores = model.rate_many(list(GOLDENS))
    wanted = [row["overall"] for row in GOLDENS.values()]
    np.testing.assert_allclose(overall, wanted, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(scores, model.scores_many(list(GOLDENS)))
    (found,) = model._score_many(list(GOLDENS), suffix=True)
    wanted = [row["first"] for row in GOLDENS.values()]
    np.testing.assert_allclose(found.first, wanted, rtol=0, atol=1e-9)
    assert [THREATS[lead] for lead in found.lead] == [
        row["leading_threat"] for row in GOLDENS.values()
    ]


@pytest.mark.parametrize("name", GOLDENS)
def test_reasons(name: str, model: Model) -> None:
    golden = GOLDENS[name]["reasons"]
    found = model.explain(name)
    assert [(part.kind, part.text) for part in found] == [(p["kind"], p["text"]) for p in golden]
    assert [part.weight for part in found] == pytest.approx([p["weight"] for p in golden], abs=1e-9)


def test_the_script_makes_what_is_committed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(TESTDATA / "make.py"), str(tmp_path)], check=True)
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(made) == 5
    for path in made:
        assert path.read_bytes() == (TESTDATA / path.relative_to(tmp_path)).read_bytes(), path
