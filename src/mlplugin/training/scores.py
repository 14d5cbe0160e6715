"""The compiled scores: logits of many names, in float64, exactly as the readers compute them."""

# ruff: noqa: PLR0917 - compiled loops take arrays, not objects

from __future__ import annotations

import numpy as np
from numba import njit

from mlplugin.training.grams import LONGEST, grams
from mlplugin.training.windows import symbols


@njit(nogil=True)
def _pool(buckets, count, table, table_scale, sums):  # type: ignore[no-untyped-def]
    """Add up the rows of a region's n-grams, then scale each column."""
    sums[:] = 0
    for k in range(count):
        for d in range(len(sums)):
            sums[d] += table[buckets[k], d]
    for d in range(len(sums)):
        sums[d] *= table_scale[d]


@njit(nogil=True)
def _hidden(x, w1, b1, w2, logits):  # type: ignore[no-untyped-def]
    """Add what the hidden layer says."""
    for u in range(len(b1)):
        value = b1[u]
        for d in range(len(x)):
            value += w1[u, d] * x[d]
        if value > 0:
            for t in range(len(logits)):
                logits[t] += w2[t, u] * value


@njit(nogil=True)
def score_all(  # type: ignore[no-untyped-def]
    blob, offsets, label_at, suffix_at, rule, table, table_scale, w1, b1, w2, b2, suffix, pooling
):
    """A row of logits for each name; NaN where a name is itself a suffix."""
    total, heads, dims = len(offsets) - 1, len(b2), w1.shape[1] // 3
    mask = np.uint32(len(table) - 1)
    buckets = np.empty(LONGEST, np.int32)
    x, sums = np.zeros(3 * dims), np.zeros(dims + heads)
    logits = np.full((total, heads), np.nan)
    for i in range(total):
        if label_at[i] < 0:
            continue
        start, end = offsets[i], offsets[i + 1]
        label, tail = start + label_at[i], start + suffix_at[i]
        logits[i] = b2
        if rule[i] >= 0:
            logits[i] += suffix[rule[i]]
        x[:] = 0
        for r, (first, last) in enumerate(((start, label - 1), (label, tail - 1), (tail, end))):
            count = grams(blob, first, last, r + 1, mask, buckets)
            if count == 0:
                continue
            _pool(buckets, count, table, table_scale, sums)
            for d in range(dims):
                x[r * dims + d] = sums[d] / count ** pooling[0]
            for t in range(heads):
                logits[i, t] += sums[dims + t] / count ** pooling[1]
        _hidden(x, w1, b1, w2, logits[i])
    return logits


@njit(nogil=True)
def look_all(  # type: ignore[no-untyped-def]
    blob, offsets, label_at, suffix_at, codes, table, scale, bias, w1, b1, w2, w3, b2, longest
):
    """A row of logits of the second look for each name; NaN where a name is itself a suffix."""
    total, width = len(offsets) - 1, len(table)
    seen = np.empty(longest, np.int32)
    sums, best = np.zeros(len(bias)), np.zeros(len(bias))
    logits = np.full((total, len(b2)), np.nan)
    for i in range(total):
        if label_at[i] < 0:
            continue
        start, end = offsets[i], offsets[i + 1]
        count = symbols(blob, start, start + label_at[i], start + suffix_at[i], end, codes, seen)
        best[:] = 0
        for p in range(count):
            sums[:] = 0
            for j in range(width):
                q = p + j - width // 2
                row = table[j, seen[q] if 0 <= q < count else 0]
                for f in range(len(sums)):
                    sums[f] += row[f]
            for f in range(len(sums)):
                best[f] = max(best[f], bias[f] + scale[f] * sums[f])
        logits[i] = b2
        for t in range(len(b2)):
            for f in range(len(best)):
                logits[i, t] += w3[t, f] * best[f]
        _hidden(best, w1, b1, w2, logits[i])
    return logits
