"""What is found, and the false alarms, of judgements made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlplugin.errors import UsageError
from mlplugin.training import false_alarms, finds, measure
from mlplugin.training.datasets import THREATS, Labelled
from mlplugin.training.measure import CLEAN, QUERIED, Judged, Set, Subject
from mlplugin.training.names import from_texts


def judged(score: list[float], reputed: list[bool] | None = None) -> Judged:
    """Judgements by one score, the same for every threat; half of it without the suffix."""
    values = np.array(score)
    columns = np.tile(values[:, None], (1, len(THREATS)))
    alone = (values >= 30).astype(np.int8) + (values >= 37).astype(np.int8)
    passed = np.array(reputed or [False] * len(score))
    level = np.where(passed, 0, alone).astype(np.int8)
    return Judged(values, columns, values / 2, columns / 2, level, alone, passed)


def subject(rows: int) -> Subject:
    """Rows of which only the domain counts, each its own."""
    mask = np.zeros(rows, np.bool_)
    floor = np.zeros((rows, len(THREATS)))
    empty: Any = None
    return Subject(empty, mask, mask, mask, mask, floor, np.arange(rows, dtype=np.uint64), mask)


def benign() -> dict[str, Set]:
    new = judged([*[0.0] * 98, 31.0, 38.0], [False] * 99 + [True])
    hosts = judged([*[0.0] * 98, 31.0, 38.0], [False] * 98 + [True, False])
    return {CLEAN: Set(np.arange(100), new), QUERIED: Set(np.arange(100, 200), hosts)}


def test_new_domains_count_without_reputation_and_hosts_with_it() -> None:
    found = false_alarms.population(benign(), subject(200))
    new, hosts = found[false_alarms.UNSEEN_HALF], found[false_alarms.QUERIED_HALF]
    assert (new["suspicious or worse"], new["malicious"]) == (0.02, 0.01)
    assert (hosts["suspicious or worse"], hosts["malicious"]) == (0.01, 0.01)
    pooled = found[false_alarms.POOLED]
    assert pooled["names"] == 200
    assert pooled["suspicious or worse"] == 0.015
    low, high = pooled["interval"]["suspicious or worse"]
    assert low < 0.015 < high


def test_what_is_flagged_as_shipped_and_without_reputation() -> None:
    rows = false_alarms.false_positives(benign(), subject(200))
    assert rows[CLEAN]["suspicious or worse"] == 0.01
    assert rows[CLEAN]["model alone, 30 or more"] == 0.02
    assert rows[CLEAN]["trained on"] == 0


def test_examples_are_what_is_flagged_the_worst_first() -> None:
    about = _with_data(subject(200))
    texts = [f"n{row}.example" for row in range(200)]
    about = replace(about, data=replace(about.data, names=from_texts(texts)))
    found = false_alarms.flagged(benign(), about, 1)
    # the other one of each set is passed by reputation
    assert found == {CLEAN: ["n98.example"], QUERIED: ["n199.example"]}


def test_the_score_scale_is_that_of_the_population() -> None:
    scale = false_alarms.score_scale(benign(), subject(200))
    points = {point["score"]: point for point in scale[false_alarms.UNSEEN_HALF]}
    assert points[30]["expected"] == 0.001
    assert points[30]["observed"] == 0.02  # whatever reputation says of them
    assert points[37]["observed"] == 0.01
    assert points[40]["observed"] == 0.0
    assert points[40]["interval"][1] > 0.03  # of 100 names, none says little
    hosts = {point["score"]: point for point in scale[false_alarms.QUERIED_HALF]}
    both = {point["score"]: point for point in scale[false_alarms.POOLED]}
    assert hosts[30]["observed"] == 0.01  # reputation passes the other one
    assert both[30]["observed"] == 0.015
    assert both[30]["names"] == 200
    alone = {CLEAN: benign()[CLEAN]}
    assert (
        false_alarms.score_scale(alone, subject(200))[false_alarms.POOLED]
        == scale[false_alarms.UNSEEN_HALF]
    )


def test_finds_by_each_score() -> None:
    about = subject(300)
    reference = finds.Reference(benign(), about)
    bad = finds.Bad(2, np.arange(200, 300), judged([40.0] * 60 + [35.0] * 20 + [1.0] * 20))
    row = finds.finds({"mal_malware": bad}, about, reference)["mal_malware"]
    assert row["threat"] == "malware"
    # one of a hundred clean names may be above, so that the second highest is the threshold
    assert row["own"]["1.00%"] == 0.8
    assert row["overall"]["0.10%"] == 0.6
    assert row["own, no suffix"]["1.00%"] == 0.8
    assert row["floor"]["1.00%"] == 0.0
    assert row["auc, suffix only"] == 0.5
    assert (row["suspicious or worse"], row["malicious"]) == (0.8, 0.6)
    low, high = row["interval"]["own"]["0.10%"]
    assert low <= 0.6
    assert high >= 0.8  # the threshold of a hundred names is anything


def test_macro_counts_each_family_once() -> None:
    about = subject(300)
    reference = finds.Reference(benign(), about)
    sets = {
        "dga_random: a": finds.Bad(0, np.arange(200, 290), judged([50.0] * 90)),
        "dga_random: b": finds.Bad(0, np.arange(290, 300), judged([0.0] * 10)),
        "mal_scam": finds.Bad(4, np.arange(200, 290), judged([50.0] * 90)),
    }
    found = finds.macro(finds.finds(sets, about, reference))
    assert set(found) == {"dga_random"}
    assert found["dga_random"]["overall"]["0.10%"] == 0.5
    assert found["dga_random"]["suspicious or worse"] == 0.5
    assert found["dga_random"]["by name"]["suspicious or worse"] == 0.9
    assert found["dga_random"]["families"] == 2
    drawn = finds.curves(sets, about, reference)
    assert drawn["dga"]["sets"] == 2
    assert drawn["dga"]["own"][0] == 0.5
    assert drawn["dga"]["own"][-1] == 1.0
    assert len(drawn["scam"]["floor"]) == len(finds.GRID)


def test_without_clean_names_it_says_what_is_missing() -> None:
    about = subject(3)
    with pytest.raises(UsageError, match="benign_popular"):
        measure.judged_benign(
            lambda names: judged([0.0] * len(names)),
            _with_data(about),
        )


def _with_data(about: Subject) -> Subject:
    zeros = np.zeros(3, np.int32)
    data = Labelled(
        from_texts(["a.example", "b.example", "c.example"]), zeros.astype(np.int16), ("mal_scam",),
        np.full(3, 4, np.int8), zeros, ("",), zeros, ("",),
        np.full(3, "NaT", "datetime64[D]"), zeros, ("",),
    )  # fmt: skip
    return replace(about, data=data)
