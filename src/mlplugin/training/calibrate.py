"""From logits to scores: -10 log10 of the share of clean names that score as high.

Every tail of clean names is measured on names whose registered domain was never trained on. Sets
of odd ordinary names hold the overall score down where they would be flagged more often than they
may; some of them were trained on, see :mod:`mlplugin.training.populations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlplugin.training.budget import shared_out
from mlplugin.training.tails import TOP, Curve, Floats, Group, curve

NOMINAL = (20.0, 30.0, 37.0)  # scores that are cross-checked


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
    good, found = ([(start.scores(of.logits), of) for of in kind] for kind in ([clean, *odd], bad))
    prior = shared_out(good, found, together=together)
    tops = [replace(start, prior=prior).raised(each.logits) for each in (clean, *odd)]
    return replace(start, prior=prior, overall=curve([clean, *odd], *tops, lowest=lowest))


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
