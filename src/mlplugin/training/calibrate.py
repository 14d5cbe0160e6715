"""From logits to scores: -10 log10 of the share of clean names that score as high.

Every tail is measured on names whose registered domain was never trained on, in several
sets of clean names; where they differ the worst counts. Above the 99th percentile, where
names run out, a generalised Pareto tail that is never lighter than exponential goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TOP = 60.0  # the highest score
STEP = 1.0  # decibels from knot to knot
TAIL = 0.01  # the share of clean names that the tail is fitted to
MARGIN = 1.25  # one standard error at 1 in 1,000 of 16,000 names, on the safe side
LOWEST_PRIOR = -8.0  # decibels below the most favoured threat
HEAVIEST = 0.3  # the largest shape that a few hundred names are believed
_SCORES = np.arange(0.0, TOP + STEP / 2, STEP)


@dataclass(frozen=True)
class Curve:
    """A monotone map by knots, linear between them."""

    knots: Floats
    scores: Floats

    def __call__(self, values: Floats) -> Floats:
        """The interpolated scores, clamped to the first and last knot."""
        return np.asarray(np.interp(values, self.knots, self.scores))


def curve(sets: Sequence[Floats]) -> Curve:
    """The map from values to scores: the worst of these sets of clean names at every score."""
    shares = np.minimum(10 ** (-_SCORES / 10) / MARGIN, 1.0)
    worst = np.max([_quantiles(np.sort(values), shares) for values in sets], axis=0)
    knots = np.maximum.accumulate(worst)
    return Curve(knots + np.arange(len(knots)) * 1e-6, _SCORES.copy())


def _quantiles(ordered: Floats, shares: Floats) -> Floats:
    """Values that these shares of the set reach; measured to ``TAIL``, fitted above."""
    inside = np.quantile(ordered, 1 - np.maximum(shares, TAIL))
    threshold = float(np.quantile(ordered, 1 - TAIL))
    excess = ordered[ordered > threshold] - threshold
    if len(excess) < 10:
        return np.where(shares < TAIL, float(ordered[-1]) + np.log(TAIL / shares), inside)
    shape, scale = _pareto(excess)
    ratio = TAIL / np.minimum(shares, TAIL)
    grown = np.log(ratio) if shape < 1e-6 else (ratio**shape - 1) / shape
    return np.where(shares < TAIL, threshold + scale * grown, inside)


def _pareto(excess: Floats) -> tuple[float, float]:
    """Shape and scale by probability-weighted moments; the shape between 0 and ``HEAVIEST``."""
    ordered = np.sort(excess)
    count = len(ordered)
    first = float(ordered.mean())
    second = (
        float((ordered * (count - np.arange(1, count + 1)) / (count - 1)).mean())
        if count > 1
        else 0
    )
    shape = 2 - first / (first - 2 * second) if first > 2 * second else HEAVIEST
    shape = min(max(shape, 0.0), HEAVIEST)
    return shape, first * (1 - shape)


@dataclass(frozen=True)
class Calibration:
    """Everything between logits and the overall score."""

    threats: tuple[Curve, ...]
    prior: Floats
    overall: Curve

    def scores(self, logits: Floats) -> Floats:
        """The score of every threat, one column each."""
        return np.stack([c(logits[:, t]) for t, c in enumerate(self.threats)], axis=1)

    def combined(self, logits: Floats) -> tuple[Floats, NDArray[np.int8]]:
        """The overall score and the threat that decided it."""
        raised = self.scores(logits) + self.prior
        threat = raised.argmax(axis=1).astype(np.int8)
        return np.clip(self.overall(raised.max(axis=1)), 0.0, TOP), threat


def calibrate(clean: Sequence[Floats], odd: Sequence[Floats], bad: Sequence[Floats]) -> Calibration:
    """Fit everything.

    Args:
        clean: logits of sets of clean names, judged one by one for each threat and overall.
        odd: logits of sets of odd ordinary names; they count for the overall score only.
        bad: for each threat, logits of malicious names that were not trained on; they decide
            how the budget of false positives is shared out. An empty one has no say.
    """
    plain = _with_prior(clean, odd, np.zeros(clean[0].shape[1]))
    scored = [plain.scores(values) for values in [*clean, *odd]]
    return _with_prior(clean, odd, _share_out(scored, [plain.scores(values) for values in bad]))


def cross_checked(clean: Sequence[Floats], odd: Sequence[Floats], prior: Floats) -> Curve:
    """What scores are worth on names that did not calibrate them.

    Each half of every set is scored by a calibration of the other half. The result maps a
    nominal score to the measured one, the pooled share of clean names, in decibels; the
    knots are 20, 30 and 37.
    """
    scores = []
    for half in (0, 1):
        judge = _with_prior([values[half::2] for values in clean], odd, prior)
        scores += [judge.combined(values[1 - half :: 2])[0] for values in clean]
    pooled = np.concatenate(scores)
    nominal = np.array([20.0, 30.0, 37.0])
    shares = np.array([max((pooled >= score).mean(), 0.5 / len(pooled)) for score in nominal])
    return Curve(nominal, -10 * np.log10(shares))


def _with_prior(clean: Sequence[Floats], odd: Sequence[Floats], prior: Floats) -> Calibration:
    threats = tuple(curve([values[:, t] for values in clean]) for t in range(len(prior)))
    plain = Calibration(threats, prior, Curve(_SCORES, _SCORES))
    tops = [(plain.scores(values) + prior).max(axis=1) for values in [*clean, *odd]]
    return Calibration(threats, prior, curve(tops))


def _share_out(clean: Sequence[Floats], bad: Sequence[Floats]) -> Floats:
    """Priors in decibels, the highest 0, by coordinate ascent.

    They maximise, at 1 in 1,000 and 1 in 5,000, the sum over threats of the square root of what
    is found, so that no threat is given up for a little more of another; a name that is found
    under another threat's name counts half.
    """
    prior = np.zeros(clean[0].shape[1])
    best = _worth(prior, clean, bad)
    for step in (4.0, 2.0, 1.0):
        for head in range(len(prior)):
            for move in (-2 * step, -step, step, 2 * step):
                candidate = prior.copy()
                candidate[head] += move
                candidate -= candidate.max()
                if candidate.min() < LOWEST_PRIOR:
                    continue
                value = _worth(candidate, clean, bad)
                if value > best + 1e-9:
                    best, prior = value, candidate
    return prior


def _worth(prior: Floats, clean: Sequence[Floats], bad: Sequence[Floats]) -> float:
    tops = [np.sort((values + prior).max(axis=1)) for values in clean]
    total = 0.0
    for share in (1e-3, 2e-4):
        limit = max(float(_quantiles(top, np.array([share]))[0]) for top in tops)
        for threat, values in enumerate(bad):
            if not len(values):
                continue
            raised = values + prior
            found = raised.max(axis=1) >= limit
            named = found & (raised.argmax(axis=1) == threat)
            total += float(found.mean() / 2 + named.mean() / 2) ** 0.5
    return total
