"""Which sequences of a sensor are stored: intervals, as few as there are gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


class Growth(NamedTuple):
    """A change of a set of intervals that is not made yet.

    Attributes:
        rows: the places in the batch of what is new, ascending; None where all of it is.
        low, high: the old intervals from `low` to before `high` go ...
        first, last: ... and these take their place.
    """

    rows: Numbers | None
    low: int
    high: int
    first: Numbers
    last: Numbers


@dataclass
class Intervals:
    """A set of integers as intervals, both ends in it, ascending, never touching."""

    first: Numbers
    last: Numbers

    @classmethod
    def empty(cls) -> Intervals:
        """The set of nothing."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))

    def __len__(self) -> int:
        """How many numbers there are."""
        return int((self.last - self.first + 1).sum())

    def holds(self, numbers: Numbers) -> NDArray[np.bool_]:
        """Whether each number is in it."""
        at = np.searchsorted(self.first, numbers, side="right") - 1
        found = np.zeros(len(numbers), np.bool_)
        inside = at >= 0
        found[inside] = numbers[inside] <= self.last[at[inside]]
        return found

    def growth(self, batch: Numbers) -> Growth | None:
        """Work out what a batch adds, None if all of it is there; a number counts once."""
        numbers, places = batch, None
        if not bool((np.diff(batch) == 1).all()):
            numbers, places = np.unique(batch, return_index=True)
        known = self.holds(numbers)
        if known.all():
            return None
        rows = None
        if places is not None or known.any():
            places = np.arange(len(batch)) if places is None else places
            rows = np.sort(places[~known])
            numbers = numbers[~known]
        breaks = np.flatnonzero(np.diff(numbers) != 1)
        first = numbers[np.concatenate(([0], breaks + 1))]
        last = numbers[np.concatenate((breaks, [len(numbers) - 1]))]
        return self._merged(rows, first, last)

    def _merged(self, rows: Numbers | None, first: Numbers, last: Numbers) -> Growth:
        low = int(np.searchsorted(self.last, first[0] - 1))
        high = int(np.searchsorted(self.first, last[-1] + 1, side="right"))
        first = np.concatenate((self.first[low:high], first))
        last = np.concatenate((self.last[low:high], last))
        order = np.argsort(first)
        first, last = first[order], last[order]
        apart = np.flatnonzero(first[1:] > last[:-1] + 1)
        begins = np.concatenate(([0], apart + 1))
        ends = np.concatenate((apart, [len(last) - 1]))
        return Growth(rows, low, high, first[begins], last[ends])

    def grow(self, growth: Growth) -> None:
        """Make the change."""
        keep = slice(growth.low, growth.high)
        self.first = np.concatenate(
            (self.first[: keep.start], growth.first, self.first[keep.stop :])
        )
        self.last = np.concatenate((self.last[: keep.start], growth.last, self.last[keep.stop :]))
