"""From logits to scores: -10 log10 of the share of clean names that score as high.

Every tail of clean names is measured on names whose registered domain was never trained on. Above
the 99th percentile, where names run out, a generalised Pareto tail that is never lighter than
exponential goes on. Sets of odd ordinary names hold the overall score down where they would be
flagged more often than they may; some of them were trained on, see
:mod:`mlplugin.training.populations`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
LOWEST_PRIOR = -16.0  # decibels below the highest prior that a threat may have
# A tunnel is told from many names, not from one: with as many clean names as a model that ships
# is calibrated on, it makes no name malicious by itself.
HIGHEST_PRIOR = (0.0, 0.0, 0.0, 0.0, 0.0, -24.0)
FEWEST = 10  # names above the threshold of a tail that is fitted
HEAVIEST = 0.3  # the largest shape that a few hundred names are believed
NOMINAL = (20.0, 30.0, 37.0)  # scores that are cross-checked
# Shares of each threat's names that are worth a false alarm; what is found beyond counts little.
# Labels of scams are weak.
WANTED = (0.98, 0.97, 0.5, 0.45, 0.25, 0.5)
WEIGHTS = (1.0, 1.0, 1.3, 1.0, 0.4, 0.2)
_BEYOND = 0.1
_BUDGETS = (1e-3, 2e-4)  # shares of clean names at which finds count


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


@dataclass(frozen=True)
class Calibration:
    """Everything between logits and the overall score.

    Attributes:
        threats: from each threat's logit to its score.
        prior: decibels added to each threat's score before they are compared.
        overall: from the highest of them, or all together, to the overall score.
        together: whether shares add up over threats, instead of the rarest counting alone.
    """

    threats: tuple[Curve, ...]
    prior: Floats
    overall: Curve
    together: bool = False

    def scores(self, logits: Floats) -> Floats:
        """The score of every threat, one column each."""
        return np.stack([c(logits[:, t]) for t, c in enumerate(self.threats)], axis=1)

    def raised(self, logits: Floats) -> Floats:
        """What the overall score goes by."""
        return joined(self.scores(logits) + self.prior, together=self.together)

    def combined(self, logits: Floats) -> Floats:
        """The overall score."""
        lowest = float(self.overall.scores[0])
        return np.clip(self.overall(self.raised(logits)), lowest, TOP)


def joined(scores: Floats, *, together: bool) -> Floats:
    """One number of each name's scores: the highest, or the sum of their odds in decibels."""
    highest = scores.max(axis=1)
    if not together:
        return np.asarray(highest)
    return np.asarray(highest + 10 * np.log10((10 ** ((scores.T - highest) / 10)).sum(axis=0)))


def calibrate(
    clean: Group,
    odd: Sequence[Group],
    bad: Sequence[Group],
    *,
    lowest: float = 0.0,
    together: bool = False,
) -> Calibration:
    """Fit everything.

    Args:
        clean: the population of clean names, which scores are shares of.
        odd: populations of odd ordinary names; they count for the overall score only.
        bad: for each threat, malicious names that were not trained on; they decide how the budget
            of false positives is shared out. An empty one has no say.
        lowest: the least overall score.
        together: see :class:`Calibration`.
    """
    threats = tuple(
        curve([replace(clean, passed=np.ones_like(clean.passed))], clean.logits[:, t : t + 1])
        for t in range(clean.logits.shape[1])
    )
    start = Calibration(threats, np.zeros(len(threats)), Curve(np.zeros(1), np.zeros(1)), together)
    prior = _shared_out(start, [clean, *odd], bad)
    tops = [replace(start, prior=prior).raised(each.logits) for each in (clean, *odd)]
    return replace(start, prior=prior, overall=curve([clean, *odd], *tops, lowest=lowest))


def curve(groups: Sequence[Group], *values: Floats, lowest: float = 0.0) -> Curve:
    """The map from values to scores: the worst of these groups at every score.

    The first of them is the population of clean names.
    """
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


def cross_checked(clean: Group, odd: Sequence[Group], like: Calibration) -> Curve:
    """What scores are worth on names that did not calibrate them.

    Each half of the clean names gets its overall score from a curve that is fitted to the other
    half; the scores of the threats, and what each may have of the budget, stay those of all. A half
    has the wider margin of fewer names. The result maps a nominal score to the measured one, the
    share of clean names, in decibels; ``NOMINAL`` are the knots.
    """
    flagged = np.zeros(len(NOMINAL))
    for half in (0, 1):
        fitted = _with_prior(_half(clean, half), odd, like)
        other = _half(clean, 1 - half)
        score = np.where(other.passed, fitted.combined(other.logits), -np.inf)
        flagged += [(other.weight * (score >= nominal)).sum() / 2 for nominal in NOMINAL]
    fewest = 0.5 * float(clean.weight.max())
    return Curve(np.array(NOMINAL), -10 * np.log10(np.maximum(flagged, fewest)))


def _half(of: Group, half: int) -> Group:
    """Every other name, which then stands for twice as much."""
    rows = np.s_[half::2]
    return replace(of, logits=of.logits[rows], weight=of.weight[rows] * 2, passed=of.passed[rows])


def _with_prior(clean: Group, odd: Sequence[Group], like: Calibration) -> Calibration:
    tops = [like.raised(each.logits) for each in (clean, *odd)]
    lowest = float(like.overall.scores[0])
    return replace(like, overall=curve([clean, *odd], *tops, lowest=lowest))


def _shared_out(start: Calibration, good: Sequence[Group], bad: Sequence[Group]) -> Floats:
    """Priors in decibels, none above ``HIGHEST_PRIOR``, by coordinate ascent from two starts.

    They maximise what is found of each threat at ``_BUDGETS``, up to the share that is ``WANTED``.
    """
    scored = [start.scores(each.logits) for each in good]
    found = [start.scores(each.logits) for each in bad]

    def worth(prior: Floats) -> float:
        tops = [joined(values + prior, together=start.together) for values in scored]
        total = 0.0
        for budget in _BUDGETS:
            share = safe(np.array([budget]), good[0])
            limit = max(
                float(quantiles(top, each, share)[0]) for top, each in zip(tops, good, strict=True)
            )
            for threat, (values, each) in enumerate(zip(found, bad, strict=True)):
                if len(values):
                    flagged = joined(values + prior, together=start.together) >= limit
                    part = float((each.weight * (flagged & each.passed)).sum()) / WANTED[threat]
                    total += WEIGHTS[threat] * (min(part, 1.0) + _BEYOND * part)
        return total

    count = len(start.prior)
    highest = np.array(HIGHEST_PRIOR[:count])
    low = highest + np.where(np.array(WEIGHTS[:count]) < 1, -8.0, 0.0)
    climbed = [_climbed(prior, highest, worth) for prior in (highest, low)]
    return max(climbed, key=worth)


def _climbed(prior: Floats, highest: Floats, worth: Callable[[Floats], float]) -> Floats:
    best = worth(prior)
    for step in (4.0, 2.0, 1.0) * 2:
        for head in range(len(prior)):
            for move in (-step, step):
                candidate = prior.copy()
                candidate[head] += move
                candidate = np.minimum(candidate - candidate[highest == 0].max(), highest)
                if (candidate - highest).min() < LOWEST_PRIOR:
                    continue
                value = worth(candidate)
                if value > best + 1e-9:
                    best, prior = value, candidate
    return prior
