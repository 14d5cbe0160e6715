"""How the budget of false positives is shared out among the threats.

Every threat's score gets a prior in decibels before the scores are compared or added up; what a
threat may flag then is what the others may not. Finds are counted smoothly around the threshold, so
that priors which are worth nearly the same are not told apart by a handful of names: without it,
fits that differ in nothing but chance shared out differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mlplugin.training.tails import Floats, Group, quantiles, safe

LOWEST_PRIOR = -16.0  # decibels below the highest prior that a threat may have
# A tunnel is told from many names, not from one: with as many clean names as a model that ships
# is calibrated on, it makes no name malicious by itself.
HIGHEST_PRIOR = (0.0, 0.0, 0.0, 0.0, 0.0, -24.0)
# Shares of each threat's names that are worth a false alarm; what is found beyond counts little.
# Labels of scams are weak.
WANTED = (0.94, 0.94, 0.3, 0.45, 0.25, 0.5)
WEIGHTS = (3.3, 3.0, 1.0, 1.5, 0.3, 0.1)
_BEYOND = 0.05
_BUDGETS = (1e-3, 2e-4)  # shares of clean names at which finds count
_SOFT = 1.0  # decibels around the threshold within which a name is half found
_ODDLESS = 8.0  # names whose every score is lower are never near a threshold
_STEPS = (4.0, 2.0, 1.0, 0.5)  # decibels


@dataclass(frozen=True)
class _Odds:
    """Names of a group that may come near a threshold, a column a threat."""

    odds: Floats
    group: Group

    def raised(self, prior: Floats, *, together: bool) -> Floats:
        """The odds of each name in decibels, all threats together or the highest."""
        factors = 10 ** (prior / 10)
        joined = self.odds @ factors if together else (self.odds * factors).max(axis=1)
        return np.asarray(10 * np.log10(joined))


def shared_out(
    clean: Sequence[tuple[Floats, Group]],
    bad: Sequence[tuple[Floats, Group]],
    *,
    together: bool,
) -> Floats:
    """Priors in decibels, none above ``HIGHEST_PRIOR``.

    They maximise what is found of each threat at ``_BUDGETS``, up to the share that is ``WANTED``,
    by a search along single priors and pairs from several starts.

    Args:
        clean: scores of each threat, a column each, of the population of clean names and of odd
            ones behind it; with what each name stands for.
        bad: the same of each threat's own names.
        together: whether odds add up over threats, instead of the highest counting alone.
    """
    good, found = [_odds(*pair) for pair in clean], [_odds(*pair) for pair in bad]
    shares = safe(np.array(_BUDGETS), clean[0][1])

    def worth(prior: Floats) -> float:
        limits = np.max(
            [quantiles(each.raised(prior, together=together), each.group, shares) for each in good],
            axis=0,
        )
        total = 0.0
        for threat, each in enumerate(found):
            if len(each.odds):
                near = each.raised(prior, together=together)[:, np.newaxis] - limits
                hits = 1 / (1 + np.exp(-np.clip(near / _SOFT, -50, 50)))
                parts = each.group.weight @ hits / WANTED[threat]
                total += WEIGHTS[threat] * float((np.minimum(parts, 1) + _BEYOND * parts).sum())
        return total

    count = clean[0][0].shape[1]
    highest = np.array(HIGHEST_PRIOR[:count])
    weak = np.where(np.array(WEIGHTS[:count]) < 1, -8.0, 0.0)
    lists = np.array((0.0, 0.0, -8.0, -4.0, -8.0, 0.0)[:count])
    climbed = [_climbed(highest + start, highest, worth) for start in (0 * weak, weak, lists)]
    return max(climbed, key=lambda pair: pair[0])[1]


def _odds(scores: Floats, group: Group) -> _Odds:
    near = group.passed & (scores.max(axis=1, initial=-np.inf) > _ODDLESS)
    ones = np.ones(int(near.sum()), np.bool_)
    kept = Group(group.logits[near], group.weight[near], ones, group.allowed)
    return _Odds(10 ** (scores[near] / 10), kept)


def _climbed(
    start: Floats, highest: Floats, worth: Callable[[Floats], float]
) -> tuple[float, Floats]:
    """The best that steps along single priors and pairs lead to, and what it is worth."""
    count = len(start)
    single = np.eye(count)
    ways = [*single, *(single[a] - single[b] for a in range(count) for b in range(a))]
    prior, best = start, worth(start)
    for step in _STEPS:
        moved = True
        while moved:
            moved = False
            for way in (sign * step * way for way in ways for sign in (-1, 1)):
                candidate = prior + way
                candidate = np.minimum(candidate - candidate[highest == 0].max(), highest)
                if (candidate - highest).min() < LOWEST_PRIOR:
                    continue
                value = worth(candidate)
                if value > best + 1e-6:
                    best, prior, moved = value, candidate, True
    return best, prior
