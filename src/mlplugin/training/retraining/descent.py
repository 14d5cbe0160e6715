"""The compiled fits that go on from a model: what people decided, and what the model said before.

A sample has two voices. Its label teaches as in training, with the sample's weight; and what the
model said of it before holds every logit where it was, with a weight of its own (G. Hinton,
O. Vinyals and J. Dean, Distilling the Knowledge in a Neural Network, 2015). The same input gives
the same bits.
"""

# ruff: noqa: PLR0917 - compiled loops take arrays, not objects

from __future__ import annotations

import numpy as np
from numba import njit

from mlplugin.training import descent, windows

_QUIET = np.float32(1e-4)  # an error this small moves nothing
# The parts of the loops of training are taken as they are: the same features, the same steps.
_features, _forward = descent._features, descent._forward
_learn_dense, _learn_table = descent._learn_dense, descent._learn_table
_symbols, _learn_layers = windows._symbols, windows._learn_dense
_learn_filters = windows._learn_filters


@njit(nogil=True, fastmath=True)
def _hold(before, trust, s):  # type: ignore[no-untyped-def]
    """Add the pull to where each logit was; whether anything is left to learn."""
    busy = False
    for t in range(len(s.g)):
        if trust > 0:
            now = np.float32(1.0 / (1.0 + np.exp(-s.logit[t])))
            then = np.float32(1.0 / (1.0 + np.exp(-before[t])))
            s.g[t] += trust * (now - then)
        if abs(s.g[t]) < _QUIET:
            s.g[t] = 0
        busy |= s.g[t] != 0
    return busy


@njit(nogil=True)
def adapt(samples, before, trust, order, noise, chances, w, rates, s, state, sums):  # type: ignore[no-untyped-def]
    """One stretch of a pass of the first look.

    ``before`` are the logits of the model that is gone on from, a row a sample, and ``trust`` is
    how much they count; the rest is as in :func:`mlplugin.training.descent.descend`.
    """
    mask = np.uint32(len(w.table) - 1)
    for step in range(len(order)):
        i = order[step]
        row = _features(i, samples, noise, chances, mask, state, s)
        _forward(row, w, rates, s)
        target = samples.target[i]
        sums[target, 0] += descent.errors(target, samples.weight[i], s)
        sums[target, 1] += 1
        if _hold(before[i], trust[i], s):
            _learn_dense(row, w, rates, s)
            _learn_table(w, rates, s)


@njit(nogil=True)
def adapt_windows(samples, before, trust, order, codes, chances, w, rates, s, state, sums, first):  # type: ignore[no-untyped-def]
    """One stretch of a pass of the second look, the first sample being number ``first`` of all."""
    for step in range(len(order)):
        i = order[step]
        left = np.float32(1 - (first + step) / rates.total)
        fall = max(left, windows._LOWEST)
        count = _symbols(i, samples, codes, chances, state, s)
        windows.look(count, w, s)
        target = samples.target[i]
        sums[target, 0] += descent.errors(target, samples.weight[i], s)
        sums[target, 1] += 1
        if _hold(before[i], trust[i], s):
            _learn_layers(w, rates.dense * fall, s)
            _learn_filters(count, w, rates.filters * fall, s)
