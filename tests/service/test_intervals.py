"""Intervals, against figures worked out by hand and against draws."""

from __future__ import annotations

import numpy as np
import pytest

from mlplugin.service import intervals
from mlplugin.training import measure


@pytest.mark.parametrize(
    ("found", "count", "low", "high"),
    [(0.0, 10, 0.0, 0.2775), (0.5, 10, 0.2366, 0.7634), (1.0, 10, 0.7225, 1.0)],
)
def test_wilson_by_hand(found: float, count: int, low: float, high: float) -> None:
    assert intervals.wilson(found, count) == [
        pytest.approx(low, abs=1e-4),
        pytest.approx(high, abs=1e-4),
    ]


def test_nothing_measured_is_nothing_known() -> None:
    assert intervals.wilson(0.0, 0) == [0.0, 1.0]
    none = np.zeros(0, np.bool_)
    assert intervals.of_share(none, np.zeros(0, np.uint64)) == [0.0, 1.0]
    assert intervals.effective(none, np.zeros(0, np.uint64)) == 0.0


def test_names_of_one_domain_are_one_observation() -> None:
    rng = np.random.default_rng(1)
    single = rng.random(2000) < 0.3
    alone = intervals.effective(single, np.arange(2000, dtype=np.uint64))
    assert alone == pytest.approx(2000, rel=0.01)
    # each domain ten times, and all of its names alike
    bunched = intervals.effective(np.repeat(single, 10), np.repeat(np.arange(2000), 10))
    assert bunched == pytest.approx(2000, rel=0.01)
    # no variance to go by: domains count
    quiet = np.zeros(20_000, np.bool_)
    assert intervals.effective(quiet, np.repeat(np.arange(2000), 10)) == 2000


def test_queries_weigh() -> None:
    hits = np.array([True, False, False, False])
    asked = np.array([1, 97, 1, 1])
    domain = np.arange(4, dtype=np.uint64)
    low, high = intervals.of_share(hits, domain, asked)
    assert low <= 0.01 <= high
    assert high > 0.5  # one domain has nearly all queries, so that little is known


def test_thresholds_of_other_draws_lie_around_the_measured_one() -> None:
    rng = np.random.default_rng(2)
    clean = rng.normal(size=20_000)
    drawn = intervals.limits(clean, np.arange(20_000, dtype=np.uint64), measure.RATES)
    for row, rate in zip(drawn, measure.RATES, strict=True):
        measured = np.sort(clean)[len(clean) - 1 - int(rate * len(clean))]
        low, high = np.quantile(row, (0.01, 0.99))
        assert low <= measured <= high
    spread = drawn.std(axis=1)
    assert spread[0] < spread[1] < spread[2]  # the rarer, the less sure


def test_intervals_of_finds_cover_the_truth() -> None:
    truth, covered = 0.5, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        clean, bad = rng.normal(size=5000), rng.normal(loc=2.3263, size=400)
        found = float(measure.above(clean, bad, [0.01])[0])
        drawn = intervals.limits(clean, np.arange(5000, dtype=np.uint64), [0.01])
        low, high = intervals.at_limits(bad, 400, drawn[0], found)
        assert low <= found <= high
        covered += low <= truth <= high
    assert covered >= 34


def test_few_families_say_little() -> None:
    few = intervals.of_mean([0.2, 0.9], [1000, 1000])
    many = intervals.of_mean([0.2, 0.9] * 20, [1000] * 40)
    assert few[1] - few[0] > 3 * (many[1] - many[0])
    assert many[0] < 0.55 < many[1]
    assert few == intervals.of_mean([0.2, 0.9], [1000, 1000])


def test_two_halves_by_hand() -> None:
    # the upper ends are 0.03 and 0.04 away, so that half of 0.05 is the mean's
    mean = intervals.of_half_each(0.1, [0.1, 0.13], 0.2, [0.2, 0.24])
    assert mean == [0.15, 0.175]
