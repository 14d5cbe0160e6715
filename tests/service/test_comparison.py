"""A candidate against the model in use, from metrics made by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplugin.errors import ModelError
from mlplugin.model import load, shipped
from mlplugin.service import comparison
from mlplugin.service.comparison import BETTER, SAME, WORSE, Row, Share
from mlplugin.service.intervals import wilson
from tests.support.models import measured

ALARM, FOUND = "false positives, clean names: suspicious", "malware, later dates"


def goal(row: str, share: float | None, low: float = 0.0, high: float = 1.0) -> dict[str, Any]:
    interval = None if share is None else [low, high]
    return {
        "row": row, "measured_on": "domains", "set": "x", "share": share, "interval": interval,
    }  # fmt: skip


def changes(used: Any, candidate: Any) -> dict[tuple[str, str], str | None]:
    return {(row.name, row.place): row.change for row in comparison.compare(used, candidate)}


def test_rows_of_the_goals() -> None:
    used = {"goals": [goal(ALARM, 0.001, 0.0008, 0.0012), goal(FOUND, 0.2, 0.18, 0.22)]}
    worse = {"goals": [goal(ALARM, 0.002, 0.0017, 0.0023), goal(FOUND, 0.3, 0.28, 0.32)]}
    assert changes(used, worse) == {(ALARM, "domains: x"): WORSE, (FOUND, "domains: x"): BETTER}
    assert changes(worse, used) == {(ALARM, "domains: x"): BETTER, (FOUND, "domains: x"): WORSE}
    (alarm,) = comparison.alarming(comparison.compare(used, worse))
    assert comparison.in_words(alarm) == (
        f"{ALARM}, domains: x: 0.200% (0.170% to 0.230%) against 0.100%"
    )
    assert comparison.alarming(comparison.compare(worse, used)) == []


def test_rows_that_only_one_has_do_not_count() -> None:
    used = {"goals": [goal(ALARM, None)], **measured(0.001, 0.5)}
    candidate = {"goals": [goal(ALARM, 0.5, 0.4, 0.6)], **measured(0.001, 0.5)}
    found = changes(used, candidate)
    assert (ALARM, "domains: x") not in found
    assert set(found.values()) == {SAME}
    assert len(found) == 4


def test_without_intervals_the_number_of_names_gives_one() -> None:
    place = ("false positives: suspicious or worse", "names made up")
    for alarms, says in ((0.002, WORSE), (0.0011, SAME), (0.0001, BETTER)):
        assert changes(measured(0.001, 0.5), measured(alarms, 0.5))[place] == says
    few = changes(measured(0.001, 0.5, names=300), measured(0.004, 0.5, names=300))
    assert few[place] == SAME
    nameless = measured(0.001, 0.5)
    del nameless["false_positives"]["names made up"]["names"]
    assert changes(nameless, measured(0.9, 0.5))[place] is None
    assert comparison.alarming(comparison.compare(nameless, measured(0.9, 0.5))) == []


def test_one_alarm_in_a_few_is_chance() -> None:
    """None against one flagged name of 17,264 says nothing."""
    used, candidate = measured(0.0, 0.5, names=17_264), measured(1 / 17_264, 0.5, names=17_264)
    assert comparison.alarming(comparison.compare(used, candidate)) == []


@given(st.integers(0, 500), st.integers(0, 500), st.integers(500, 50_000))
def test_worse_one_way_is_better_the_other_way(first: int, second: int, names: int) -> None:
    def share(count: int) -> Share:
        low, high = wilson(count / names, names)
        return Share(count / names, (low, high))

    there = Row(ALARM, "x", share(first), share(second)).change
    back = Row(ALARM, "x", share(second), share(first)).change
    assert {there, back} in ({SAME}, {WORSE, BETTER})
    assert Row(FOUND, "x", share(first), share(second)).change == back
    if first == second:
        assert there == SAME


def test_the_shipped_model_can_be_compared() -> None:
    metrics = comparison.metrics_of(shipped(), load().sha256)
    assert metrics is not None
    rows = comparison.compare(metrics, metrics)
    assert {row.change for row in rows} <= {SAME, None}
    assert sum(row.is_alarm for row in rows) >= 2


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "[" * 100_000, '{"model": {"config_sha256": "bb"}}',
        '{"model": {"config_sha256": ["aa"]}}', '{"model": {"config_sha256": {}}}',
    ],
)  # fmt: skip
def test_metrics_that_are_none(text: str, tmp_path: Path) -> None:
    assert comparison.metrics_of(tmp_path, "aa") is None
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(ModelError, match=r"metrics\.json"):
        comparison.metrics_of(tmp_path, "aa")


def finds(**shares: float) -> dict[str, Any]:
    """Metrics of 20,000 names of each threat, and of as many clean ones."""
    rows = {
        f"mal_{threat}": {"threat": threat, "names": 20_000, "suspicious or worse": share}
        for threat, share in shares.items()
    }
    return {**measured(0.001, 0.5), "finds": rows}


@pytest.mark.parametrize(
    ("candidate", "lost"),
    [
        (finds(phishing=0.4, malware=0.2), []),
        (finds(phishing=0.4, malware=0.11), []),  # worse, which the table shows, and not lost
        (finds(phishing=0.4, malware=0.09), ["malware"]),
        (finds(phishing=0.4, malware=0.0), ["malware"]),
        (finds(phishing=0.4), ["malware"]),
        (finds(phishing=0.0), ["phishing", "malware"]),
        ({"finds": []}, ["phishing", "malware"]),
        ({"finds": {"x": {"threat": {}, "names": 9, "suspicious or worse": 1.0}}, "macro": 1},
         ["phishing", "malware"]),
    ],
)  # fmt: skip
def test_threats_that_are_lost(candidate: Any, lost: list[str]) -> None:
    used = finds(phishing=0.4, malware=0.2, scam=0.0)
    assert comparison.lost(used, candidate) == lost
    assert comparison.lost(candidate, candidate) == []


def test_a_family_less_is_no_threat_less() -> None:
    families = {
        f"dga_random: {name}": {"threat": "dga", "names": 2000, "suspicious or worse": share}
        for name, share in (("one", 0.9), ("two", 0.8))
    }
    less = {**families, "dga_random: two": {**families["dga_random: two"]}}
    less["dga_random: two"]["suspicious or worse"] = 0.0
    assert comparison.lost({"finds": families}, {"finds": less}) == []


@pytest.mark.parametrize(
    ("used", "candidate", "says"),
    [
        (measured(0.001, 0.5), measured(0.001, 0.5), None),
        (measured(0.001, 0.5), None, "nothing was measured of it"),
        (None, measured(0.001, 0.5), "nothing was measured of 1.0"),
        (measured(0.001, 0.5), measured(0.001, 0.5, data="else"), "on other names than 1.0"),
        ({}, {}, "on other names than 1.0"),
        (finds(scam=0.5) | {"false_positives": {}}, finds(scam=0.5), "no false-positive rate"),
        # What the candidate was trained on says nothing where both tell what they were measured on.
        (measured(0.001, 0.5) | {"measured_on": {"a.tsv": "1"}},
         measured(0.001, 0.5, data="else") | {"measured_on": {"a.tsv": "1"}}, None),
        (measured(0.001, 0.5) | {"measured_on": {"a.tsv": "1"}},
         measured(0.001, 0.5) | {"measured_on": {"a.tsv": "2"}}, "on other names"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared(used: Any, candidate: Any, says: str | None) -> None:
    why = comparison.incomparable(used, candidate, "1.0")
    assert why is None if says is None else says in str(why)


@pytest.mark.parametrize("depth", [10, 300, 600, 900, 3000])
def test_nested_metrics_are_told_in_one_line(depth: int, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(f'{{"data":{"[" * depth}{"]" * depth}}}')
    try:
        metrics = [comparison.metrics_of(tmp_path, "aa") for _ in range(2)]
    except ModelError:
        return
    assert comparison.incomparable(*metrics, "1.0") is not None


@pytest.mark.parametrize("number", [-0.001, 1.001, 50.0])
def test_what_is_no_share_is_not_compared(number: float) -> None:
    """Percent taken for shares would be alarms beyond chance, or finds beyond belief."""
    good = measured(0.001, 0.5)
    for bad in (measured(number, 0.5), measured(0.001, number)):
        for rows in (comparison.compare(good, bad), comparison.compare(bad, good)):
            assert rows
            assert all(0 <= share.value <= 1 for row in rows for share in (row.used, row.candidate))
    used, strange = {"goals": [goal(ALARM, 0.5)]}, {"goals": [goal(ALARM, number)]}
    assert comparison.compare(used, strange) == []
    edges = {"goals": [goal(ALARM, 0), goal(FOUND, 1)]}
    assert len(comparison.compare(edges, edges)) == 2


any_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inside: st.lists(inside, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "goals", "row", "share", "interval", "names", "false_positives", "macro", "finds",
            "suspicious or worse", "threat", "x",
        ]),
        inside,
        max_size=4,
    ),
)  # fmt: skip


@given(any_json, any_json)
def test_strange_metrics_do_no_harm(used: Any, candidate: Any) -> None:
    comparison.lost({"finds": used}, {"finds": candidate})
    comparison.incomparable({"data": 1, "macro": used}, {"data": 1, "macro": candidate}, "1.0")
    for row in comparison.compare({"goals": used, "finds": used}, {"goals": candidate}):
        json.dumps(row.listed(), allow_nan=False)


def test_it_needs_nothing_of_the_train_extra() -> None:
    code = (
        "import sys\nfor name in ('numba', 'matplotlib', 'publicsuffixlist'):\n"
        "    sys.modules[name] = None\nimport mlplugin.service.comparison, mlplugin.cli.promoting"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
