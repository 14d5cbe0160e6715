"""All of it together keeps the promised rate."""

from __future__ import annotations

import numpy as np
import pytest

from mlplugin.training import calibrate, tails


def of(values: tails.Floats, allowed: float = 1.0) -> tails.Group:
    return tails.group(values.reshape(len(values), -1), allowed)


@pytest.mark.parametrize("together", [False, True])
def test_overall_keeps_the_rate_when_threats_are_joined(together: bool) -> None:
    rng = np.random.default_rng(5)
    clean = of(rng.normal(0, 1, (40_000, 3)))
    bad = [of(rng.normal(2.5, 1, (500, 3))) for _ in range(3)]
    found = calibrate.calibrate(clean, [], bad, together=together)
    fresh = rng.normal(0, 1, (400_000, 3))
    assert 0.4e-3 < (found.combined(fresh) >= 30).mean() < 1.2e-3
    assert found.prior.max() == 0.0


def test_cross_checking_finds_an_honest_calibration_honest() -> None:
    rng = np.random.default_rng(7)
    clean = of(rng.normal(0, 1, (80_000, 2)))
    found = calibrate.calibrate(clean, [], [of(rng.normal(2, 1, (500, 2)))] * 2)
    worth = calibrate.cross_checked(clean, [], found)
    assert worth.knots.tolist() == [20.0, 30.0, 37.0]
    assert 19.8 < worth.scores[0] < 21.5  # the margin is on the safe side
    assert 29.5 < worth.scores[1] < 33.0


def test_the_sum_of_odds_is_the_highest_where_one_stands_alone() -> None:
    scores = np.array([[30.0, 0.0, -20.0], [10.0, 10.0, -90.0]])
    assert calibrate.joined(scores, together=False).tolist() == [30.0, 10.0]
    assert calibrate.joined(scores, together=True) == pytest.approx([30.004, 13.010], abs=1e-3)
