"""Scores mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from mlplugin.training import calibrate


def exponential(seed: int, count: int, scale: float = 1.0) -> calibrate.Floats:
    return np.random.default_rng(seed).exponential(scale, count)


def test_a_score_is_the_share_of_clean_names_above() -> None:
    curve = calibrate.curve([exponential(1, 50_000)])
    fresh = exponential(2, 2_000_000)
    for score in (10.0, 20.0, 30.0, 37.0):
        share = (curve(fresh) >= score).mean()
        # an exponential tail is what is fitted; the margin keeps the truth on the safe side
        assert 0.45 * 10 ** (-score / 10) < share < 1.15 * 10 ** (-score / 10)


def test_the_worst_set_counts() -> None:
    light, heavy = exponential(1, 20_000), exponential(2, 20_000, 2.0)
    both, alone = calibrate.curve([light, heavy]), calibrate.curve([heavy])
    assert np.allclose(both.knots[5:], alone.knots[5:], atol=1e-3)


def test_knots_ascend_even_where_values_repeat() -> None:
    curve = calibrate.curve([np.zeros(5000)])
    assert (np.diff(curve.knots) > 0).all()
    assert curve.scores[0] == 0.0
    assert curve.scores[-1] == 60.0


@pytest.mark.parametrize("count", [3, 50, 999])
def test_few_names_still_give_a_curve(count: int) -> None:
    curve = calibrate.curve([exponential(1, count)])
    assert np.isfinite(curve.knots).all()
    assert (np.diff(curve.knots) > 0).all()


def test_overall_keeps_the_rate_when_threats_are_joined() -> None:
    rng = np.random.default_rng(5)
    clean = rng.normal(0, 1, (40_000, 3))
    bad = [rng.normal(2.5, 1, (500, 3)) for _ in range(3)]
    found = calibrate.calibrate([clean], [], bad)
    fresh = rng.normal(0, 1, (400_000, 3))
    score, threat = found.combined(fresh)
    assert (score >= 30).mean() < 1.3e-3
    assert set(np.unique(threat).tolist()) <= {0, 1, 2}
    assert found.prior.max() == 0.0


def test_the_budget_goes_where_it_pays() -> None:
    rng = np.random.default_rng(6)
    clean = rng.normal(0, 1, (30_000, 2))
    plain = np.column_stack([rng.normal(3.2, 0.3, 2000), rng.normal(0, 1, 2000)])
    hopeless = np.column_stack([rng.normal(0, 1, 2000), rng.normal(0, 1, 2000)])
    found = calibrate.calibrate([clean], [], [plain, hopeless])
    assert found.prior[0] == 0.0
    assert found.prior[1] < 0.0


def test_cross_checking_finds_an_honest_calibration_honest() -> None:
    rng = np.random.default_rng(7)
    sets = [rng.normal(0, 1, (40_000, 2)) for _ in range(2)]
    worth = calibrate.cross_checked(sets, [], np.zeros(2))
    assert worth.knots.tolist() == [20.0, 30.0, 37.0]
    assert abs(worth.scores[0] - 21.0) < 0.7  # the margin is one decibel
    assert abs(worth.scores[1] - 31.0) < 2.0
