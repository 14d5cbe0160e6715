"""False alarms by name and by query, of a judge made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlplugin.training import suffixes, traffic
from mlplugin.training.datasets import split
from mlplugin.training.measure import Judged
from mlplugin.training.names import Names, from_texts

LEVELS = {"bad.example.org": 1, "worse.example.net": 2}


def judge(names: Names) -> Judged:
    level = np.array([LEVELS.get(text, 0) for text in names.texts()], np.int8)
    score = level * 20.0
    columns = np.tile(score[:, None], (1, 6))
    return Judged(score, columns, score, columns, level, level, np.zeros(len(level), np.bool_))


@pytest.fixture(scope="module")
def known() -> traffic.Known:
    rules = suffixes.bundled()
    trained = split(from_texts(["www.example.org", "example.com"]), rules).domain
    return traffic.Known(rules, np.unique(trained))


def test_each_query_counts_and_each_name_too(tmp_path: Path, known: traffic.Known) -> None:
    log, other = tmp_path / "one.txt", tmp_path / "two.txt"
    log.write_text("www.example.com A\n" * 97 + "bad.example.org A\n" + "worse.example.net A\n" * 2)
    other.write_text("www.example.com A\nbad.example.org AAAA\n")
    found = traffic.of_logs(judge, [log, other], known)
    assert list(found) == ["one.txt", "two.txt", traffic.ALL]
    one = found["one.txt"]
    assert (one["queries"], one["names"]) == (100, 3)
    assert (one["flagged_queries"], one["flagged_names"]) == (3, 2)
    assert one["suspicious_or_worse_per_million"] == 30_000
    assert one["malicious_per_million"] == 20_000
    assert one["suspicious_or_worse_by_name"] == pytest.approx(2 / 3, abs=1e-6)
    low, high = one["interval"]["suspicious_or_worse_per_million"]
    assert low <= 30_000 <= high
    assert list(one["examples"]) == ["worse.example.net", "bad.example.org"]
    new = one["under new domains"]
    assert (new["names"], new["queries"], new["malicious_per_million"]) == (1, 2, 1e6)
    assert found[traffic.ALL]["queries"] == 102
    assert found[traffic.ALL]["examples"]["bad.example.org"] == 2


def test_an_empty_log_says_nothing(known: traffic.Known) -> None:
    found = traffic.alarms(judge, {}, known)
    assert (found["queries"], found["names"]) == (0, 0)
    assert found["suspicious_or_worse_per_million"] == 0
    assert found["interval"]["suspicious_or_worse_by_name"] == [0.0, 1.0]
