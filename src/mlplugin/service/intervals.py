"""How sure a measured share is: 95 % intervals that know that names come in bunches.

Names of one registered domain stand and fall together, and a family is one generator, so
that the number of names says too much.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = list[float]

_Z = 1.959964  # of the normal distribution, 95 % within
DRAWS = 400
_TOP = 0.03  # the share of clean names that thresholds are looked for in


def wilson(found: float, count: float) -> Interval:
    """Wilson's score interval of a share.

    Source: E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference,
    Journal of the American Statistical Association 22 (1927).

    Args:
        found: the share, between 0 and 1.
        count: of independent observations; need not be whole.
    """
    if count <= 0:
        return [0.0, 1.0]
    square = _Z * _Z / count
    middle = (found + square / 2) / (1 + square)
    reach = _Z / (1 + square) * np.sqrt(found * (1 - found) / count + square / count / 4)
    return [_rounded(min(found, middle - reach)), _rounded(max(found, middle + reach))]


def effective(
    hits: NDArray[np.bool_], bunch: NDArray[np.uint64], weights: NDArray[np.int64] | None = None
) -> float:
    """How many independent observations these are worth.

    The variance of the share between bunches, against that of as many names drawn one by one;
    where all are hits or none is, which has no variance, the number of bunches.

    Args:
        hits: of each name.
        bunch: what each name stands and falls with, such as its registered domain.
        weights: how often each name counts; once if None.
    """
    if not len(hits):
        return 0.0
    _, at = np.unique(bunch, return_inverse=True)
    counted = np.ones(len(hits)) if weights is None else weights.astype(np.float64)
    size = np.bincount(at, counted)
    total = float(size.sum())
    mean = float((counted * hits).sum()) / total
    if len(size) < 2 or mean in {0.0, 1.0}:
        return float(len(size))
    off = np.bincount(at, counted * hits) - mean * size
    variance = len(size) / (len(size) - 1) * float((off**2).sum()) / total**2
    most = total * total / float((counted**2).sum())
    return min(most, mean * (1 - mean) / variance) if variance > 0 else most


def of_share(
    hits: NDArray[np.bool_], bunch: NDArray[np.uint64], weights: NDArray[np.int64] | None = None
) -> Interval:
    """The interval of the share of hits."""
    if not len(hits):
        return [0.0, 1.0]
    counted = np.ones(len(hits)) if weights is None else weights
    mean = float((counted * hits).sum() / counted.sum())
    return wilson(mean, effective(hits, bunch, weights))


def limits(clean: Floats, bunch: NDArray[np.uint64], rates: Sequence[float]) -> Floats:
    """Thresholds of false-positive rates, as they come out of clean names drawn again.

    Whole bunches are drawn, each a Poisson number of times; always the same draws.

    Returns:
        A row a rate, ``DRAWS`` columns.
    """
    rng = np.random.default_rng(19)
    order = np.argsort(-clean, kind="stable")
    top = order[: min(len(clean), max(200, int(len(clean) * max(_TOP, 2 * max(rates)))))]
    _, at = np.unique(bunch[top], return_inverse=True)
    drawn = rng.poisson(1.0, (DRAWS, int(at.max(initial=-1)) + 1))[:, at]
    above = np.cumsum(drawn, axis=1)
    result = np.empty((len(rates), DRAWS))
    for row, rate in enumerate(rates):
        # the first name that is one too many is the threshold, which only higher ones pass
        place = (above <= np.floor(rate * len(clean))).sum(axis=1)
        result[row] = clean[top[np.minimum(place, len(top) - 1)]]
    return result


def at_limits(bad: Floats, count: float, drawn: Floats, found: float) -> Interval:
    """The interval of the share above a threshold that is itself measured.

    Args:
        bad: scores of malicious names.
        count: how many independent names they are worth.
        drawn: thresholds, from :func:`limits`.
        found: the share that was measured, which the interval always holds.
    """
    ordered = np.sort(bad)
    shares = 1 - np.searchsorted(ordered, drawn, "right") / max(len(bad), 1)
    return _span(_noisy(shares, np.full(len(shares), count)), found)


def of_mean(shares: Sequence[float], counts: Sequence[float]) -> Interval:
    """The interval of a mean over families: families are drawn again, and names within them."""
    rng = np.random.default_rng(23)
    values, sizes = np.array(shares), np.array(counts)
    chosen = rng.integers(0, len(values), (DRAWS * 5, len(values)))
    drawn = _noisy(values[chosen].ravel(), sizes[chosen].ravel()).reshape(chosen.shape)
    return _span(drawn.mean(axis=1), float(values.mean()))


def of_half_each(first: float, of_first: Interval, second: float, of_second: Interval) -> Interval:
    """The interval of the mean of two independent shares, from theirs.

    Source: G. Y. Zou and A. Donner, Construction of confidence limits about effect measures,
    Statistics in Medicine 27 (2008): the method of variance estimates recovery.
    """
    mean = (first + second) / 2
    down = np.hypot(first - of_first[0], second - of_second[0]) / 2
    up = np.hypot(of_first[1] - first, of_second[1] - second) / 2
    return [_rounded(mean - down), _rounded(mean + up)]


def _noisy(shares: Floats, counts: Floats) -> Floats:
    rng = np.random.default_rng(29)
    whole = np.maximum(np.rint(counts), 1).astype(np.int64)
    return np.asarray(rng.binomial(whole, np.clip(shares, 0, 1)) / whole)


def _span(drawn: Floats, found: float) -> Interval:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return [_rounded(min(low, found)), _rounded(max(high, found))]


def _rounded(value: float) -> float:
    return round(float(min(max(value, 0.0), 1.0)), 6)
