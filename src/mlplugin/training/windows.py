"""The compiled fit of the second look: windows of characters in one Adagrad loop.

A filter reads a few characters in their order, and counts for the place in the name where it is
strongest; see ``docs/model-format.md``. As in :mod:`mlplugin.training.descent` the same input
gives the same bits.
"""

# ruff: noqa: C901, PLR0917 - compiled loops take arrays, not objects

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlplugin.training.descent import chance, errors

SYMBOLS = 121  # 40 in each of three regions, and one for what is beyond the ends
_LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789-._"
_KINDS = len(_LETTERS) + 1  # any other byte is one more
_LOWEST = np.float32(0.03)  # of the rates at the start, which fall in a line

CODES = np.full(256, _KINDS - 1, np.uint8)
CODES[list(_LETTERS)] = np.arange(len(_LETTERS))


class LookWeights(NamedTuple):
    """What is fitted, with its accumulated squared gradients behind it.

    Attributes:
        table: what a symbol at a place of the window adds to each filter (W, SYMBOLS, F).
        bias: of each filter.
        w1: from filters to hidden units (H, F).
        b1: of the hidden units.
        w2: from hidden units to threats (T, H).
        w3: from filters to threats (T, F).
        b2: of the threats.
    """

    table: NDArray[np.float32]
    bias: NDArray[np.float32]
    w1: NDArray[np.float32]
    b1: NDArray[np.float32]
    w2: NDArray[np.float32]
    w3: NDArray[np.float32]
    b2: NDArray[np.float32]
    table_sum: NDArray[np.float32]
    bias_sum: NDArray[np.float32]
    w1_sum: NDArray[np.float32]
    b1_sum: NDArray[np.float32]
    w2_sum: NDArray[np.float32]
    w3_sum: NDArray[np.float32]
    b2_sum: NDArray[np.float32]


class LookRates(NamedTuple):
    """Rates of filters and of the dense layers, and how many samples are learnt in all."""

    filters: np.float32
    dense: np.float32
    total: int


class Sight(NamedTuple):
    """Buffers of one sample."""

    symbols: NDArray[np.int32]
    sums: NDArray[np.float32]
    best: NDArray[np.float32]
    place: NDArray[np.int32]
    g_best: NDArray[np.float32]
    h: NDArray[np.float32]
    gh: NDArray[np.float32]
    logit: NDArray[np.float32]
    g: NDArray[np.float32]


def sight(longest: int, filters: int, hidden: int, heads: int) -> Sight:
    """Buffers for these sizes."""
    size = np.float32
    return Sight(
        np.empty(longest, np.int32),
        np.zeros(filters, size),
        np.zeros(filters, size),
        np.zeros(filters, np.int32),
        np.zeros(filters, size),
        np.zeros(hidden, size),
        np.zeros(hidden, size),
        np.zeros(heads, size),
        np.zeros(heads, size),
    )


@njit(nogil=True)
def symbols(blob, start, label, suffix, end, codes, out):  # type: ignore[no-untyped-def]
    """The symbols of the last bytes of a stretch of a name; how many."""
    count = 0
    for at in range(max(start, end - len(out)), end):
        region = 2 if at >= suffix else 1 if at >= label else 0
        out[count] = 1 + _KINDS * region + codes[blob[at]]
        count += 1
    return count


@njit(nogil=True)
def _symbols(i, samples, codes, chances, state, s):  # type: ignore[no-untyped-def]
    """The symbols of a sample, changed by chance."""
    start, end = samples.offsets[i], samples.offsets[i + 1]
    label, suffix = start + samples.label_at[i], start + samples.suffix_at[i]
    row = samples.rule[i]
    private = row >= 0 and samples.private[row]
    if chance(state) < (chances.drop_private_suffix if private else chances.drop_suffix):
        end = suffix - 1
    if not samples.keep_subdomain[i] and chance(state) < chances.drop_subdomain:
        start = label
    return symbols(samples.blob, start, label, suffix, end, codes, s.symbols)


@njit(nogil=True, fastmath=True)
def look(count, w, s):  # type: ignore[no-untyped-def]
    """The highest value of every filter and its place, the hidden layer, the logits."""
    width, half = len(w.table), len(w.table) // 2
    for f in range(len(s.best)):
        s.best[f] = 0
        s.place[f] = -1
    for p in range(count):
        for f in range(len(s.best)):
            s.sums[f] = w.bias[f]
        for j in range(width):
            q = p + j - half
            row = w.table[j, s.symbols[q] if 0 <= q < count else 0]
            for f in range(len(s.best)):
                s.sums[f] += row[f]
        for f in range(len(s.best)):
            if s.sums[f] > s.best[f]:
                s.best[f] = s.sums[f]
                s.place[f] = p
    for t in range(len(s.logit)):
        value = w.b2[t]
        for f in range(len(s.best)):
            value += w.w3[t, f] * s.best[f]
        s.logit[t] = value
    for u in range(len(s.h)):
        value = w.b1[u]
        for f in range(len(s.best)):
            value += w.w1[u, f] * s.best[f]
        s.h[u] = max(value, np.float32(0))
        for t in range(len(s.logit)):
            s.logit[t] += w.w2[t, u] * s.h[u]


@njit(nogil=True, fastmath=True)
def _learn_dense(w, rate, s):  # type: ignore[no-untyped-def]
    """Move the layers; leaves the gradient of the filters' values in ``g_best``."""
    s.g_best[:] = 0
    s.gh[:] = 0
    for t in range(len(s.g)):
        g = s.g[t]
        if g == 0:
            continue
        w.b2_sum[t] += g * g
        w.b2[t] -= rate * g / np.sqrt(w.b2_sum[t])
        for u in range(len(s.h)):
            s.gh[u] += g * w.w2[t, u]
            grad = g * s.h[u]
            w.w2_sum[t, u] += grad * grad
            w.w2[t, u] -= rate * grad / np.sqrt(w.w2_sum[t, u])
        for f in range(len(s.best)):
            s.g_best[f] += g * w.w3[t, f]
            grad = g * s.best[f]
            w.w3_sum[t, f] += grad * grad
            w.w3[t, f] -= rate * grad / np.sqrt(w.w3_sum[t, f])
    for u in range(len(s.h)):
        if s.h[u] <= 0:
            continue
        g = s.gh[u]
        w.b1_sum[u] += g * g
        w.b1[u] -= rate * g / np.sqrt(w.b1_sum[u])
        for f in range(len(s.best)):
            s.g_best[f] += g * w.w1[u, f]
            grad = g * s.best[f]
            w.w1_sum[u, f] += grad * grad
            w.w1[u, f] -= rate * grad / np.sqrt(w.w1_sum[u, f])


@njit(nogil=True)
def _learn_filters(count, w, rate, s):  # type: ignore[no-untyped-def]
    """Move each filter where it was strongest."""
    width, half = len(w.table), len(w.table) // 2
    for f in range(len(s.best)):
        p, g = s.place[f], s.g_best[f]
        if p < 0 or g == 0:
            continue
        w.bias_sum[f] += g * g
        w.bias[f] -= rate * g / np.sqrt(w.bias_sum[f])
        for j in range(width):
            q = p + j - half
            symbol = s.symbols[q] if 0 <= q < count else 0
            w.table_sum[j, symbol, f] += g * g
            w.table[j, symbol, f] -= rate * g / np.sqrt(w.table_sum[j, symbol, f])


@njit(nogil=True)
def descend_windows(samples, order, codes, chances, w, rates, s, state, sums, first):  # type: ignore[no-untyped-def]
    """One stretch of a pass: the samples in ``order``, the first being number ``first`` of all.

    ``state`` and ``sums`` are as in :func:`mlplugin.training.descent.descend`.
    """
    for step in range(len(order)):
        i = order[step]
        left = np.float32(1 - (first + step) / rates.total)
        fall = max(left, _LOWEST)
        count = _symbols(i, samples, codes, chances, state, s)
        look(count, w, s)
        target = samples.target[i]  # benign is -1, which is the last row
        sums[target, 0] += errors(target, samples.weight[i], s)
        sums[target, 1] += 1
        busy = False
        for t in range(len(s.g)):
            busy |= s.g[t] != 0
        if busy:
            _learn_dense(w, rates.dense * fall, s)
            _learn_filters(count, w, rates.filters * fall, s)
