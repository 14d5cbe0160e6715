"""Scores mean what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlplugin.training import tails


def exponential(seed: int, count: int, scale: float = 1.0) -> tails.Floats:
    return np.random.default_rng(seed).exponential(scale, count)


def of(values: tails.Floats, allowed: float = 1.0) -> tails.Group:
    return tails.group(values.reshape(len(values), -1), allowed)


def curve(values: tails.Floats) -> tails.Curve:
    return tails.curve([of(values)], values)


def test_a_score_is_the_share_of_clean_names_above() -> None:
    found = curve(exponential(1, 50_000))
    fresh = exponential(2, 2_000_000)
    for score in (10.0, 20.0, 30.0, 37.0):
        share = (found(fresh) >= score).mean()
        # an exponential tail is what is fitted; the margin keeps the truth on the safe side
        assert 0.4 * 10 ** (-score / 10) < share < 1.1 * 10 ** (-score / 10)


def test_the_fewer_names_tell_of_a_share_the_safer_it_is() -> None:
    shares = np.array([0.1, 1e-3, 2e-4, 1e-9])
    safe = tails.safe(shares, of(np.zeros(20_000)))
    margin = shares / safe
    assert margin[0] == pytest.approx(1.03, abs=0.01)
    assert margin[1] == pytest.approx(1.34, abs=0.01)
    assert margin[2] == pytest.approx(1.75, abs=0.01)
    assert margin[3] == 3.0


def test_what_is_missing_of_a_population_is_never_flagged() -> None:
    """Reputation passes half of it: the other half may be flagged twice as often."""
    values = exponential(3, 50_000)
    half = replace(of(values), weight=np.full(50_000, 0.5 / 50_000))
    all_of_it = curve(values)
    part = tails.curve([half], values)
    assert part.knots[30] == pytest.approx(all_of_it.knots[30] - np.log(2), abs=0.2)


def test_names_that_cannot_be_flagged_count_as_others_do() -> None:
    values = exponential(4, 50_000)
    passed = replace(of(values), passed=values > np.quantile(values, 0.9))
    gated = tails.curve([passed], values, lowest=12.0)
    assert gated.scores[0] == 12.0
    assert gated.scores[-1] == 60.0
    whole = curve(values)
    at = {score: knot for knot, score in zip(whole.knots, whole.scores, strict=True)}
    for knot, score in zip(gated.knots, gated.scores, strict=True):
        assert knot == pytest.approx(at[score], abs=0.15)


def test_the_worst_group_counts() -> None:
    light, heavy = exponential(1, 20_000), exponential(2, 20_000, 2.0)
    both, alone = tails.curve([of(light), of(heavy)], light, heavy), curve(heavy)
    assert np.allclose(both.knots[5:], alone.knots[5:], atol=1e-3)


def test_odd_names_may_be_flagged_as_often_as_is_allowed() -> None:
    plain, odd = exponential(1, 50_000), exponential(2, 50_000, 2.0)
    strict = tails.curve([of(plain), of(odd)], plain, odd)
    mild = tails.curve([of(plain), of(odd, 10.0)], plain, odd)
    fresh = exponential(3, 500_000, 2.0)
    share = (mild(fresh) >= 30).mean()
    assert (strict(fresh) >= 30).mean() < 1.2e-3
    assert 0.4e-2 < share < 1.2e-2


def test_knots_ascend_even_where_values_repeat() -> None:
    found = curve(np.zeros(5000))
    assert (np.diff(found.knots) > 0).all()
    assert found.scores[0] == 0.0
    assert found.scores[-1] == 60.0


@pytest.mark.parametrize("count", [3, 50, 999])
def test_few_names_still_give_a_curve(count: int) -> None:
    found = curve(exponential(1, count))
    assert np.isfinite(found.knots).all()
    assert (np.diff(found.knots) > 0).all()


def test_an_odd_group_of_which_nothing_passes_has_no_say() -> None:
    values = exponential(1, 5000)
    none = replace(of(values), passed=np.zeros(5000, np.bool_))
    assert np.array_equal(
        tails.curve([of(values), none], values, values).knots, curve(values).knots
    )


def test_a_curve_is_finite_even_where_nothing_passes() -> None:
    """A first look that lets none of a few names come to a second one, however odd they are."""
    values, odd = exponential(1, 300), exponential(2, 300)
    none = [replace(of(each), passed=np.zeros(300, np.bool_)) for each in (values, odd)]
    found = tails.curve(none, values, odd, lowest=14.0)
    assert np.array_equal(found.knots, tails.curve([of(values)], values, lowest=14.0).knots)
    assert np.isfinite(found.knots).all()
