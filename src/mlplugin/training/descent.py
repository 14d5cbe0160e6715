"""The compiled fit: bag, linear part, hidden layer and suffix term in one Adagrad loop.

The loop runs in one thread and in a fixed order, and every random choice comes from a
generator that the caller seeds: the same input gives the same bits.
"""

# ruff: noqa: C901, PLR0917 - compiled loops take arrays, not objects

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlplugin.training.grams import LONGEST, NO_RULE, grams

_QUIET = np.float32(1e-3)  # an error this small moves nothing


class Weights(NamedTuple):
    """What is fitted, with its accumulated squared gradients beside it.

    A row of ``table`` is: the embedding (D), the linear weights (T), one accumulator for the
    embedding, one for each linear weight; side by side, so that they share cache lines.
    """

    table: NDArray[np.float32]
    w1: NDArray[np.float32]
    b1: NDArray[np.float32]
    w2: NDArray[np.float32]
    b2: NDArray[np.float32]
    suffix: NDArray[np.float32]
    w1_sum: NDArray[np.float32]
    b1_sum: NDArray[np.float32]
    w2_sum: NDArray[np.float32]
    b2_sum: NDArray[np.float32]
    suffix_sum: NDArray[np.float32]


class Samples(NamedTuple):
    """Names with where they split, what they are (-1 benign, else the threat) and their weight."""

    blob: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    label_at: NDArray[np.int32]
    suffix_at: NDArray[np.int32]
    rule: NDArray[np.int32]
    target: NDArray[np.int8]
    weight: NDArray[np.float32]
    keep_subdomain: NDArray[np.bool_]
    private: NDArray[np.bool_]  # of every rule, not of every name


class Chances(NamedTuple):
    """Of changing a sample in passing, 0 to 1."""

    drop_suffix: float
    drop_private_suffix: float
    drop_subdomain: float
    lend_subdomain: float


class Rates(NamedTuple):
    """Learning rates of rows and of the dense layers; pooling exponents; the suffix term's cap."""

    rows: np.float32
    dense: np.float32
    bag: float
    linear: float
    suffix_cap: np.float32


class Scratch(NamedTuple):
    """Buffers of one sample."""

    buckets: NDArray[np.int32]
    counts: NDArray[np.int64]
    x: NDArray[np.float32]
    gx: NDArray[np.float32]
    h: NDArray[np.float32]
    gh: NDArray[np.float32]
    logit: NDArray[np.float32]
    g: NDArray[np.float32]


def scratch(dims: int, hidden: int, heads: int) -> Scratch:
    """Buffers for these sizes."""
    size = np.float32
    return Scratch(
        np.empty((3, LONGEST), np.int32),
        np.zeros(3, np.int64),
        np.zeros(3 * dims, size),
        np.zeros(3 * dims, size),
        np.zeros(hidden, size),
        np.zeros(hidden, size),
        np.zeros(heads, size),
        np.zeros(heads, size),
    )


@njit(nogil=True)
def chance(state):  # type: ignore[no-untyped-def]
    """One step of splitmix64: a number in 0..1; the state moves on."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    value = state[0]
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    value ^= value >> np.uint64(31)
    return np.float64(value >> np.uint64(11)) / 9007199254740992.0


@njit(nogil=True)
def _features(i, samples, noise, chances, mask, state, s):  # type: ignore[no-untyped-def]
    """Fill the buckets of a sample, changed by chance; the suffix rule that stays."""
    blob, offsets = samples.blob, samples.offsets
    start, end = offsets[i], offsets[i + 1]
    label, suffix, row = start + samples.label_at[i], start + samples.suffix_at[i], samples.rule[i]
    s.counts[0] = 0
    if label > start:
        if samples.keep_subdomain[i] or chance(state) >= chances.drop_subdomain:
            s.counts[0] = grams(blob, start, label - 1, 1, mask, s.buckets[0])
    elif len(noise) and chance(state) < chances.lend_subdomain:
        j = noise[int(chance(state) * len(noise))]
        other = offsets[j]
        s.counts[0] = grams(blob, other, other + samples.label_at[j] - 1, 1, mask, s.buckets[0])
    s.counts[1] = grams(blob, label, suffix - 1, 2, mask, s.buckets[1])
    private = row >= 0 and samples.private[row]
    if chance(state) < (chances.drop_private_suffix if private else chances.drop_suffix):
        s.counts[2] = 0
        return NO_RULE
    s.counts[2] = grams(blob, suffix, end, 3, mask, s.buckets[2])
    return row


@njit(nogil=True, fastmath=True)
def _forward(row, w, rates, s):  # type: ignore[no-untyped-def]
    """Pool, hidden layer, logits."""
    heads, dims = len(w.b2), len(s.x) // 3
    for t in range(heads):
        s.logit[t] = w.b2[t]
        if row >= 0:
            s.logit[t] += w.suffix[row, t]
    s.x[:] = 0
    for r in range(3):
        if s.counts[r] == 0:
            continue
        bag = np.float32(1.0 / s.counts[r] ** rates.bag)
        line = np.float32(1.0 / s.counts[r] ** rates.linear)
        for k in range(s.counts[r]):
            b = s.buckets[r, k]
            for d in range(dims):
                s.x[r * dims + d] += w.table[b, d] * bag
            for t in range(heads):
                s.logit[t] += w.table[b, dims + t] * line
    for u in range(len(s.h)):
        value = w.b1[u]
        for d in range(3 * dims):
            value += w.w1[u, d] * s.x[d]
        s.h[u] = max(value, np.float32(0))
        for t in range(heads):
            s.logit[t] += w.w2[t, u] * s.h[u]


@njit(nogil=True, fastmath=True)
def errors(target, weight, s):  # type: ignore[no-untyped-def]
    """Gradients of the logits; a threat's sample teaches its own head only. The loss."""
    loss = 0.0
    for t in range(len(s.g)):
        s.g[t] = 0
        if target >= 0 and target != t:
            continue
        y = np.float32(1.0 if target == t else 0.0)
        p = np.float32(1.0 / (1.0 + np.exp(-s.logit[t])))
        loss -= weight * np.log(max(p if y > 0 else 1 - p, np.float32(1e-12)))
        if abs(p - y) > _QUIET:
            s.g[t] = weight * (p - y)
    return loss


@njit(nogil=True, fastmath=True)
def _learn_dense(row, w, rates, s):  # type: ignore[no-untyped-def]
    """Move the layers and the suffix term; leaves the gradient of the bags in ``gx``."""
    rate = rates.dense
    s.gh[:] = 0
    for t in range(len(s.g)):
        g = s.g[t]
        if g == 0:
            continue
        for u in range(len(s.h)):
            s.gh[u] += g * w.w2[t, u]
            grad = g * s.h[u]
            w.w2_sum[t, u] += grad * grad
            w.w2[t, u] -= rate * grad / np.sqrt(w.w2_sum[t, u])
        w.b2_sum[t] += g * g
        w.b2[t] -= rate * g / np.sqrt(w.b2_sum[t])
        if row >= 0:
            w.suffix_sum[row, t] += g * g
            value = w.suffix[row, t] - rates.rows * g / np.sqrt(w.suffix_sum[row, t])
            w.suffix[row, t] = min(max(value, -rates.suffix_cap), rates.suffix_cap)
    s.gx[:] = 0
    for u in range(len(s.h)):
        if s.h[u] <= 0:
            continue
        g = s.gh[u]
        w.b1_sum[u] += g * g
        w.b1[u] -= rate * g / np.sqrt(w.b1_sum[u])
        for d in range(len(s.x)):
            s.gx[d] += g * w.w1[u, d]
            grad = g * s.x[d]
            w.w1_sum[u, d] += grad * grad
            w.w1[u, d] -= rate * grad / np.sqrt(w.w1_sum[u, d])


@njit(nogil=True, fastmath=True)
def _learn_table(w, rates, s):  # type: ignore[no-untyped-def]
    """Move the rows of the n-grams that were seen."""
    heads, dims = len(s.g), len(s.x) // 3
    for r in range(3):
        if s.counts[r] == 0:
            continue
        bag = np.float32(1.0 / s.counts[r] ** rates.bag)
        line = np.float32(1.0 / s.counts[r] ** rates.linear)
        square = np.float32(0)
        for d in range(dims):
            s.gx[r * dims + d] *= bag
            square += s.gx[r * dims + d] * s.gx[r * dims + d]
        square /= np.float32(dims)
        for k in range(s.counts[r]):
            b = s.buckets[r, k]
            w.table[b, dims + heads] += square
            scale = rates.rows / np.sqrt(w.table[b, dims + heads])
            for d in range(dims):
                w.table[b, d] -= scale * s.gx[r * dims + d]
            for t in range(heads):
                grad = s.g[t] * line
                w.table[b, dims + heads + 1 + t] += grad * grad
                part = np.sqrt(w.table[b, dims + heads + 1 + t])
                w.table[b, dims + t] -= rates.rows * grad / part


@njit(nogil=True)
def descend(samples, order, noise, chances, w, rates, s, state, sums):  # type: ignore[no-untyped-def]
    """One stretch of a pass: the samples in ``order``.

    ``noise`` are samples whose subdomains may be lent to names that have none, so that the
    number of labels teaches nothing. ``state``, one number, is that of the generator and moves
    on. ``sums`` grows by loss and samples: a row a threat, the last for benign names. A pass in
    several stretches ends in the same bits as in one.
    """
    mask = np.uint32(len(w.table) - 1)
    for step in range(len(order)):
        i = order[step]
        row = _features(i, samples, noise, chances, mask, state, s)
        _forward(row, w, rates, s)
        target = samples.target[i]  # benign is -1, which is the last row
        sums[target, 0] += errors(target, samples.weight[i], s)
        sums[target, 1] += 1
        busy = False
        for t in range(len(s.g)):
            busy |= s.g[t] != 0
        if busy:
            _learn_dense(row, w, rates, s)
            _learn_table(w, rates, s)
