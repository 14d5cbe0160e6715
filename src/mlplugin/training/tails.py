"""Tails of clean names: from values to scores, -10 log10 of the share that reaches as high.

Above the 99th percentile, where names run out, a generalised Pareto tail that is never lighter
than exponential goes on. Scores are on the safe side where names are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

TOP = 60.0  # the highest score
STEP = 1.0  # decibels from knot to knot
TAIL = 0.01  # the share of clean names that the tail is fitted to
ERRORS = 1.5  # standard errors of a share by which scores are on the safe side
MOST_ERRORS = 2.0  # as a multiple of the share, where hardly a name tells of it
FEWEST = 10  # names above the threshold of a tail that is fitted
HEAVIEST = 0.3  # the largest shape that a few hundred names are believed


@dataclass(frozen=True)
class Curve:
    """A monotone map by knots, linear between them."""

    knots: Floats
    scores: Floats

    def __call__(self, values: Floats) -> Floats:
        """The interpolated scores, clamped to the first and last knot."""
        return np.asarray(np.interp(values, self.knots, self.scores))


@dataclass(frozen=True)
class Group:
    """Names that calibrate.

    Attributes:
        logits: a row a name, a column a threat.
        weight: the share of its population that each name stands for. What is missing to 1 are
            names that nothing flags, such as those that reputation passes.
        passed: names that can be flagged at all; all but for a second look.
        allowed: how often names of this population may be flagged for each flagged clean name.
    """

    logits: Floats
    weight: Floats
    passed: Mask
    allowed: float = 1.0


def group(logits: Floats, allowed: float = 1.0) -> Group:
    """Names that count the same each."""
    count = len(logits)
    return Group(logits, np.full(count, 1 / max(count, 1)), np.ones(count, np.bool_), allowed)


def curve(groups: Sequence[Group], *values: Floats, lowest: float = 0.0) -> Curve:
    """The map from values to scores: the worst of these groups at every score.

    The first of them is the population of clean names. Where no name of any group can be flagged,
    all clean ones count as if they could, which is on the safe side.
    """
    if not any(each.passed.any() for each in groups):
        clean = replace(groups[0], passed=np.ones_like(groups[0].passed))
        groups = [clean, *groups[1:]]
    scores = np.append(np.arange(lowest, TOP, STEP), TOP)
    shares = safe(10 ** (-scores / 10), groups[0])
    worst = np.max(
        [
            quantiles(value.reshape(-1), each, shares)
            for each, value in zip(groups, values, strict=True)
        ],
        axis=0,
    )
    knots = np.maximum.accumulate(worst)
    return Curve(knots + np.arange(len(knots)) * 1e-6, scores)


def safe(shares: Floats, clean: Group) -> Floats:
    """Shares that are lower by as much as names are too few to tell of them.

    Names count as many as if all weighed the same, and fewer if some are missing, which is on the
    safe side. Where a few thousand names are all there is, a tail that is fitted to them is still
    uncertain beyond this margin.
    """
    count = clean.weight.sum() ** 2 / (clean.weight**2).sum()
    return np.asarray(shares / (1 + np.minimum(ERRORS / np.sqrt(count * shares), MOST_ERRORS)))


def quantiles(values: Floats, of: Group, shares: Floats) -> Floats:
    """Values that these shares of clean names may reach, or as many more as are allowed.

    Measured to ``TAIL``, fitted above.
    """
    wanted = np.minimum(shares * of.allowed, 1.0)
    order = np.argsort(-values[of.passed], kind="stable")
    ordered, weight = values[of.passed][order], of.weight[of.passed][order]
    if not len(ordered):
        return np.full(len(shares), -np.inf)
    reached = np.cumsum(weight) - weight / 2
    tail = min(TAIL, float(weight.sum()) / 2)
    threshold = float(np.interp(tail, reached, ordered))
    above = ordered > threshold
    if above.sum() < FEWEST:  # too few to fit: as they are, and a straight line beyond the last
        tail, threshold = float(reached[0]), float(ordered[0])
        shape, scale = 0.0, max(float((ordered - ordered[-1]).mean()), 1.0)
    else:
        shape, scale = _pareto(ordered[above] - threshold, weight[above])
    inside = np.interp(np.maximum(wanted, tail), reached, ordered)
    ratio = tail / np.minimum(wanted, tail)
    grown = scale * (np.log(ratio) if shape < 1e-6 else (ratio**shape - 1) / shape)
    return np.where(wanted < tail, threshold + grown, inside)


def _pareto(excess: Floats, weight: Floats) -> tuple[float, float]:
    """Shape and scale by probability-weighted moments; the shape between 0 and ``HEAVIEST``.

    ``excess`` descends.
    """
    weight = weight / weight.sum()
    exceeded = np.cumsum(weight) - weight / 2  # the share that lies above each
    first = float((weight * excess).sum())
    second = float((weight * excess * exceeded).sum())
    shape = 2 - first / (first - 2 * second) if first > 2 * second else HEAVIEST
    shape = min(max(shape, 0.0), HEAVIEST)
    return shape, first * (1 - shape)
