"""Rows of the comparison, from reports made by hand."""

from __future__ import annotations

from typing import Any

from mlplugin.training import goals

WORSE = "suspicious or worse"


def figure(mean: float, **more: Any) -> dict[str, Any]:
    span = [mean / 2, min(2 * mean, 1.0)]
    return {WORSE: {"mean": mean, "interval": span, "spread": span, "names": 100, **more}}


def report(summary: dict[str, Any]) -> dict[str, Any]:
    return {"holdouts": {"summary": summary}}


def rows(found: dict[str, Any]) -> dict[tuple[str, str | None], dict[str, Any]]:
    return {(row["row"], row["measured_on"]): row for row in goals.measured(found)}


def test_every_row_is_there_even_if_nothing_was_measured() -> None:
    found = goals.measured({})
    assert [row["row"] for row in found] == [goal.name for goal in goals.GOALS]
    assert all(row["share"] is None and row["met"] is None for row in found)
    phishing = next(row for row in found if row["row"] == "phishing, later dates")
    assert (phishing["floor"], phishing["best_peer"], phishing["goal"]) == (0.14, 0.15, 0.45)


def test_finds_are_to_be_high_and_false_positives_low() -> None:
    found = rows(
        report(
            {
                "domains": {
                    "macro/dga_random": figure(0.99),
                    "population/pooled, half each": figure(0.002) | {"malicious": figure(0)[WORSE]},
                }
            }
        )
    )
    assert found["DGA random, known families", "domains"]["met"] is True
    assert found["false positives, clean names: suspicious", "domains"]["met"] is False
    assert found["false positives, clean names: malicious", "domains"]["met"] is True
    assert found["malware, later dates", None]["share"] is None


def test_each_source_has_a_row_where_something_was_left_to_learn_from() -> None:
    found = rows(
        report(
            {
                "source one": {"finds/mal_malware": figure(0.4, trained=50_000)},
                "source two": {"finds/mal_malware": figure(0.1, trained=40_000)},
                "source all": {"finds/mal_malware": figure(0.0, trained=0)},
            }
        )
    )
    kept = {where: row["met"] for (name, where), row in found.items() if name.startswith("malware")}
    assert kept == {None: None, "source one": True, "source two": False}


def test_without_hold_outs_the_model_itself_is_what_there_is() -> None:
    row = {WORSE: 0.5, "names": 10, "interval": {WORSE: [0.2, 0.8]}, "by name": {WORSE: 0.6}}
    found = rows({"macro": {"dga_random": row}})
    (entry,) = [row for (name, _), row in found.items() if name == "DGA random, known families"]
    assert entry["share"] == 0.5
    assert entry["by_name"] == 0.6
    assert entry["spread"] is None
    assert entry["met"] is False
