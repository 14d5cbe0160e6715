"""The arithmetic of an evaluation, against figures worked out by hand."""

from __future__ import annotations

import numpy as np

from mlplugin.training import measure


def test_rates_by_hand() -> None:
    clean = np.arange(1000.0)
    bad = np.array([500.0, 989.0, 990.0, 998.0, 998.5, 2000.0])
    found = measure.at_rates(clean, bad)
    # 1 %: ten of the thousand may lie above the threshold, 989
    assert found["1.00%"] == round(4 / 6, 6)
    # 0.1 %: one may, above 998
    assert found["0.10%"] == round(2 / 6, 6)
    # 0.01 %: none may, above 999
    assert found["0.01%"] == round(1 / 6, 6)


def test_area_by_hand() -> None:
    assert measure.area(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1.0
    assert measure.area(np.array([0.0, 1.0]), np.array([0.5])) == 0.5
    assert measure.area(np.array([1.0]), np.array([1.0, 1.0])) == 0.5


def test_suffix_odds_learn_from_the_training_rows_only() -> None:
    rule = np.array([0, 0, 1, 1, 1, -1], np.int32)
    target = np.array([-1, -1, 3, 3, 3, -1], np.int8)
    train = np.array([True, True, True, True, False, False])
    odds = measure.suffix_odds(rule, target, train)
    assert odds[4, 3] > 0 > odds[0, 3]
    assert odds[4, 3] == odds[2, 3]
    assert (odds[:, 0] <= odds[:, 3]).sum() >= 3
