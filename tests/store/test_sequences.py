"""Intervals against a plain set."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlplugin.store.sequences import Intervals

NUMBERS = st.lists(st.integers(0, 60), min_size=1, max_size=30)


@given(st.lists(NUMBERS, max_size=12))
def test_growth_is_that_of_a_set(batches: list[list[int]]) -> None:
    stored, seen = Intervals.empty(), set[int]()
    for batch in batches:
        growth = stored.growth(np.array(batch, np.int64))
        new = [n for at, n in enumerate(batch) if n not in seen and n not in batch[:at]]
        if growth is None:
            assert new == []
            continue
        rows = range(len(batch)) if growth.rows is None else growth.rows.tolist()
        assert [batch[row] for row in rows] == new
        stored.grow(growth)
        seen |= set(batch)
        assert len(stored) == len(seen)
        spans = [
            n
            for first, last in zip(stored.first.tolist(), stored.last.tolist(), strict=True)
            for n in range(first, last + 1)
        ]
        assert spans == sorted(seen)
        gaps = stored.first[1:] - stored.last[:-1]
        assert (gaps > 1).all(), "intervals touch"


def test_a_batch_in_a_row_takes_no_copy() -> None:
    growth = Intervals.empty().growth(np.arange(1000, 6000))
    assert growth is not None
    assert growth.rows is None
