"""The budget goes where it pays, and chance does not move it."""

from __future__ import annotations

import numpy as np
import pytest

from mlplugin.training import budget, calibrate, tails


def of(values: tails.Floats, allowed: float = 1.0) -> tails.Group:
    return tails.group(values.reshape(len(values), -1), allowed)


def test_the_budget_goes_where_it_pays() -> None:
    rng = np.random.default_rng(6)
    clean = of(rng.normal(0, 1, (30_000, 2)))
    plain = of(np.column_stack([rng.normal(3.2, 0.3, 2000), rng.normal(0, 1, 2000)]))
    hopeless = of(np.column_stack([rng.normal(0, 1, 2000), rng.normal(0, 1, 2000)]))
    found = calibrate.calibrate(clean, [], [plain, hopeless])
    assert found.prior[0] == 0.0
    assert found.prior[1] < 0.0


def test_chance_hardly_moves_what_is_found() -> None:
    """The same kinds of names drawn again and again, three threats of about the same worth."""
    rng = np.random.default_rng(100)
    fresh = [rng.normal(0, 1, (20_000, 3)) + 3.0 * np.eye(3)[threat] for threat in range(3)]

    def found(seed: int) -> list[float]:
        rng = np.random.default_rng(seed)
        clean = of(rng.normal(0, 1, (40_000, 3)))
        bad = [of(rng.normal(0, 1, (3000, 3)) + 3.0 * np.eye(3)[threat]) for threat in range(3)]
        model = calibrate.calibrate(clean, [], bad, together=True)
        return [float((model.combined(names) >= 30).mean()) for names in fresh]

    spread = np.ptp([found(seed) for seed in range(4)], axis=0)
    assert spread.max() < 0.12


def test_no_prior_is_above_what_it_may_be_or_too_low() -> None:
    rng = np.random.default_rng(8)
    clean = of(rng.normal(0, 1, (5000, 6)))
    bad = [of(rng.normal(0, 1, (300, 6)) + 2 * np.eye(6)[threat]) for threat in range(6)]
    prior = calibrate.calibrate(clean, [], bad).prior
    below = np.array(budget.HIGHEST_PRIOR) - prior
    assert prior.max() == 0.0
    assert below.min() >= 0.0
    assert below.max() <= -budget.LOWEST_PRIOR


@pytest.mark.parametrize("together", [False, True])
def test_a_threat_without_names_has_no_say(together: bool) -> None:
    rng = np.random.default_rng(9)
    clean = of(rng.normal(0, 1, (5000, 2)))
    one = of(rng.normal(0, 1, (500, 2)) + np.array([3.0, 0.0]))
    none = tails.group(np.zeros((0, 2)))
    prior = calibrate.calibrate(clean, [], [one, none], together=together).prior
    assert prior[1] < prior[0]
