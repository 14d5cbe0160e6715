"""The compiled scores: logits of many names, in float64, exactly as the readers compute them."""

from __future__ import annotations

import numpy as np
from numba import njit

from mlplugin.training.grams import LONGEST, grams


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def score_all(  # type: ignore[no-untyped-def]
    blob, offsets, label_at, suffix_at, rule, table, table_scale,
    w1, b1, w2, b2, suffix_weight, pooling, with_suffix,
):  # fmt: skip
    """The logits of every name and threat, in float64, as the format says; NaN on suffixes."""
    total, heads, hidden = len(offsets) - 1, len(b2), len(b1)
    dims = w1.shape[1] // 3
    mask = np.uint32(len(table) - 1)
    buckets = np.empty(LONGEST, np.int32)
    x = np.zeros(3 * dims)
    sums = np.zeros(dims + heads)
    logits = np.empty((total, heads))
    for i in range(total):
        start, end = offsets[i], offsets[i + 1]
        if label_at[i] < 0:
            logits[i] = np.nan
            continue
        at_label, at_suffix = start + label_at[i], start + suffix_at[i]
        for t in range(heads):
            logits[i, t] = b2[t]
            if with_suffix and rule[i] >= 0:
                logits[i, t] += suffix_weight[rule[i], t]
        x[:] = 0
        for r in range(3):
            if r == 0:
                count = grams(blob, start, at_label - 1, 1, mask, buckets)
            elif r == 1:
                count = grams(blob, at_label, at_suffix - 1, 2, mask, buckets)
            else:
                count = grams(blob, at_suffix, end, 3, mask, buckets) if with_suffix else 0
            if count == 0:
                continue
            sums[:] = 0
            for k in range(count):
                for d in range(dims + heads):
                    sums[d] += table[buckets[k], d]
            for d in range(dims):
                x[r * dims + d] = sums[d] * table_scale[d] / count ** pooling[0]
            for t in range(heads):
                part = sums[dims + t] * table_scale[dims + t]
                logits[i, t] += part / count ** pooling[1]
        for u in range(hidden):
            value = b1[u]
            for d in range(3 * dims):
                value += w1[u, d] * x[d]
            if value > 0:
                for t in range(heads):
                    logits[i, t] += w2[t, u] * value
    return logits
