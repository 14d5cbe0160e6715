"""What is counted of a sensor is what was stored of it, however it came."""

from __future__ import annotations

import random

import numpy as np
import pytest

from mlplugin.store.elastic import sensors
from mlplugin.store.elastic.sensors import Taken, _Known
from mlplugin.store.port import Counters


class Cluster:
    """A sensor's events in a cluster: it takes each number once, and some it refuses."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.held: set[int] = set()

    def write(self, known: _Known, batch: list[int]) -> None:
        """A batch, as the store deals with it."""
        numbers = np.array(batch, np.int64)
        growth = known.intervals.growth(numbers)
        if growth is None:
            return
        new = numbers if growth.rows is None else numbers[growth.rows]
        refused = [n for n in new.tolist() if n in self.bad]
        there = [n for n in new.tolist() if n in self.held]
        self.held |= set(new.tolist()) - self.bad
        known.take(Taken(new, there, refused), None)


@pytest.mark.parametrize("most", [3, 4000])
def test_sums_are_what_is_stored(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "MOST_INTERVALS", most)
    dice = random.Random(5)
    cluster, known = Cluster(set(range(0, 400, 17))), _Known()
    for _ in range(300):
        start = dice.randrange(400)
        cluster.write(known, [start + n for n in range(dice.randrange(1, 12))])
        again = _Known()
        again.fill(known.content())
        known = again
        assert len(known.intervals.first) <= most
        assert known.stored == len(cluster.held)


def test_a_refused_event_counts_once_whoever_tells_of_it() -> None:
    known = _Known()
    for _ in range(2):  # two services had the same batch under way
        known.take(Taken(np.arange(10), [], [3, 4]), None)
    assert (known.stored, known.rejected) == (8, 2)
    known.take(Taken(np.arange(5, 15), [], [12]), None)
    assert (known.stored, known.rejected) == (12, 3)


def test_of_many_runs_the_oldest_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "MOST_RUNS", 3)
    known = _Known()
    nothing = Taken(np.zeros(0, np.int64), [], [])
    for started in range(10, 60, 10):
        known.take(nothing, Counters(started, started, {"x": 1}))
    assert sum(run.served for run in known.runs.values()) == 150
    assert sum(run.dropped["x"] for run in known.runs.values()) == 5
    assert len(known.runs) == 3
