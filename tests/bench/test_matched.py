"""Finds at the rate that detectors are compared at."""

from __future__ import annotations

import numpy as np
import pytest

from bench import matched
from mlplugin.training.finds import Bad
from mlplugin.training.measure import CLEAN, QUERIED, Judged, Set


def judged(scores: list[float], reputed: list[bool] | None = None) -> Judged:
    """A judgement of which only the overall score and reputation count."""
    score = np.array(scores)
    threats, alone = np.zeros((len(score), 1)), (score >= 30).astype(np.int8)
    passed = np.array(reputed or [False] * len(score))
    level = np.where(passed, 0, alone).astype(np.int8)
    return Judged(score, threats, score, threats, level, alone, passed)


def names(scores: list[float], reputed: list[bool] | None = None) -> Set:
    """A set of clean names."""
    return Set(np.arange(len(scores)), judged(scores, reputed))


def test_one_clean_name_in_a_thousand_exceeds_the_limit() -> None:
    found = matched.limit({CLEAN: names([50.0, 29.0, 28.0, 27.0, *[1.0] * 1996])})
    assert found == (28.0, pytest.approx(1 / 2000), pytest.approx(1 / 1000))


def test_reputation_spares_queried_hosts_and_not_new_domains() -> None:
    new = names([40.0, 26.0, *[1.0] * 998], [True] * 1000)
    queried = names([60.0, 35.0, 25.0, *[1.0] * 997], [True, *[False] * 999])
    found = matched.limit({CLEAN: new, QUERIED: queried})
    assert found == (26.0, pytest.approx(1 / 1000), pytest.approx(1 / 1000))


def test_families_count_the_same_or_by_their_names() -> None:
    found = matched.found_at(
        {
            "dga_random: a": Bad(0, np.arange(1), judged([31.0])),
            "dga_random: b": Bad(0, np.arange(3), judged([29.0, 29.0, 1.0])),
            "mal_scam": Bad(4, np.arange(2), judged([45.0, 45.0], [True, False])),
        },
        28.0,
    )
    assert found == {
        "dga_random, mean of families": pytest.approx((0.5, 5 / 6)),
        "dga_random, by name": pytest.approx((0.25, 0.75)),
        "mal_scam": (0.5, 0.5),
    }
