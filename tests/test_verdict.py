"""The vocabulary: its order, its names in JSON, and that Go has the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlplugin.verdict import LEVELS, SOURCES, THREATS, Level, Reason, Source, Threat, Verdict

GO = Path(__file__).resolve().parents[1] / "coredns" / "mlplugin" / "verdict" / "verdict.go"


def go_names(kind: str) -> list[str]:
    pattern = rf"func \(\w {kind}\) String\(\) string \{{\s*return \[\.\.\.\]string\{{(.*?)\}}"
    found = re.search(pattern, GO.read_text())
    assert found is not None
    return re.findall(r'"(\w*)"', found[1])


def test_go_has_the_same_words_in_the_same_order() -> None:
    assert go_names("Level") == list(LEVELS)
    assert go_names("Threat") == ["", *THREATS]
    assert go_names("Source") == list(SOURCES)


def test_levels_rise() -> None:
    assert [level.rank for level in LEVELS] == [0, 1, 2]
    assert Level.BENIGN.rank < Level.SUSPICIOUS.rank < Level.MALICIOUS.rank


def verdict(score: float) -> Verdict:
    return Verdict(
        qname="www.example.org",
        registered_domain="example.org",
        level=Level.MALICIOUS,
        threat=Threat.DGA_DICTIONARY,
        score=score,
        source=Source.MODEL,
        model="1.2.3",
        reasons=(Reason("ngram", "label:xkq", 1.25),),
    )


def test_json_object() -> None:
    assert verdict(41.23456).to_json() == {
        "qname": "www.example.org",
        "registered_domain": "example.org",
        "verdict": "malicious",
        "threat": "dga_dictionary",
        "score": 41.235,
        "source": "model",
        "model": "1.2.3",
        "reasons": [{"kind": "ngram", "text": "label:xkq", "weight": 1.25}],
    }


def test_json_has_scores_only_where_asked_for() -> None:
    benign = Verdict(
        "com", None, Level.BENIGN, None, 0.0, Source.ALLOWLIST, "1", scores={Threat.DGA: 1.23456}
    )
    assert benign.to_json()["scores"] == {"dga": 1.235}
    assert benign.to_json()["threat"] is None
    assert "scores" not in verdict(1).to_json()


@pytest.mark.parametrize("score", [0.0, 60.0, 29.9995, 30.00049, 3.1])
def test_rounding_stays_within_a_thousandth(score: float) -> None:
    assert abs(verdict(score).to_json()["score"] - score) <= 0.0005 + 1e-12
