"""What an evaluation judges by: the reader's own word, on names of every source."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mlplugin.model import load
from mlplugin.training.judging import judge_of
from mlplugin.training.names import from_texts
from mlplugin.verdict import LEVELS, THREATS

TESTDATA = Path(__file__).resolve().parents[2] / "testdata"
TINY = TESTDATA / "model-tiny"
GOLDENS = [
    json.loads(line) for line in (TESTDATA / "golden" / "verdicts.jsonl").read_text().splitlines()
]


def test_it_is_what_the_goldens_say() -> None:
    judged = judge_of(TINY)(from_texts([row["qname"] for row in GOLDENS]))
    scores = [[row["scores"][threat] for threat in THREATS] for row in GOLDENS]
    np.testing.assert_allclose(judged.score, [row["overall"] for row in GOLDENS], atol=1e-9)
    np.testing.assert_allclose(judged.threats, scores, atol=1e-9)
    source = np.array([row["source"] for row in GOLDENS])
    assert np.array_equal(judged.reputed, source == "reputation")
    assert [LEVELS[level] for level in judged.level] == [row["verdict"] for row in GOLDENS]
    assert not judged.alone[source == "allowlist"].any()
    assert np.array_equal(judged.alone[source == "model"], judged.level[source == "model"])
    assert judged.alone[judged.reputed].any()  # a golden that only its reputation lets through


def test_without_the_suffix_it_says_nothing() -> None:
    some = [f"{label}.{suffix}" for label in ("xkqjzv", "shop") for suffix in ("com", "co.uk")]
    judged = judge_of(TINY)(from_texts(some))
    score, threats = load(TINY).rate_many(some, suffix=False)
    assert np.array_equal(judged.bare_score, score)
    assert np.array_equal(judged.bare_threats, threats)
    assert judged.bare_score[0] == judged.bare_score[1] != judged.score[0] != judged.score[1]
